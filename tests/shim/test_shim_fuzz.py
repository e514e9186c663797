"""Random agents, configurations, environments and settings files."""

from __future__ import annotations

import os
import random
import struct
from functools import partial

import pytest

from tests.shim.bindir import CONFIG, BinDir, Ended, given_up
from tests.support.chance import dice
from tests.support.fake_agent import Behaviour, Conversation, FakeAgent, encode_answer

ROUNDS = 120
MAX_ANSWER = 8 << 20
SHORT_TIMES = (0.04, 0.4, 4.0)  # seconds; there are many calls


@pytest.fixture
def chance() -> random.Random:
    return dice(1)


def mutated(chance: random.Random, data: bytes) -> bytes:
    """`data` with a few bytes changed, cut out or put in; most of it stays."""
    changed = bytearray(data)
    for _ in range(chance.choice([0, 1, 1, 2, 8])):
        at = chance.randrange(len(changed) + 1)
        cut = chance.choice([0, 1, 1, 1, len(changed)])
        changed[at : at + cut] = chance.randbytes(chance.choice([0, 1, 1, 5]))
    return bytes(changed)


def some_answer(chance: random.Random) -> bytes:
    whole = encode_answer(chance.randbytes(chance.randrange(300)), chance.randrange(256))
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.randrange(64))
    if kind == 1:
        return whole[:5] + chance.randbytes(1 + chance.randrange(20))
    return mutated(chance, whole)


def decoded(raw: bytes) -> tuple[int, bytes] | None:
    """Exit status and output of a valid answer, by the protocol's description."""
    if len(raw) < 10 or raw[:5] != b"DARI\x01":
        return None
    (length,) = struct.unpack(">I", raw[6:10])
    if length > MAX_ANSWER or len(raw) < 10 + length:
        return None
    return raw[5], raw[10 : 10 + length]


def sloppy(chance: random.Random, answer: bytes) -> Behaviour:
    """Reads as much as it likes, sends the answer in a few pieces, stays or leaves."""
    reads, stays = chance.choice([0, 5, 9, 40, 1 << 22]), chance.random() < 0.3
    cuts = sorted(chance.randrange(len(answer) + 1) for _ in range(chance.randrange(3)))
    pieces = [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True)]

    def behave(conversation: Conversation) -> None:
        conversation.connection.settimeout(0.002)
        try:
            conversation.receive(reads)
        except TimeoutError:
            conversation.connection.settimeout(None)
        for piece in pieces:
            conversation.send(piece)
            conversation.until_read()
        if stays:
            conversation.until_left()

    return behave


def assert_is_error(done: Ended, *codes: int) -> None:
    assert done.error["code"] in codes


def test_an_answer_is_taken_whole_or_not_at_all(bin_dir: BinDir, chance: random.Random) -> None:
    for _ in range(ROUNDS):
        answer = some_answer(chance)
        expected = decoded(answer)
        if expected is None:
            call = partial(answered, bin_dir, sloppy(chance, answer))
            done = given_up(bin_dir, call, times=SHORT_TIMES)
            assert_is_error(done, 11, 999)
        else:
            bin_dir.configure(timeout=20)
            done = answered(bin_dir, sloppy(chance, answer))
            assert (done.status, done.stdout) == expected


def answered(bin_dir: BinDir, behaviour: Behaviour) -> Ended:
    with FakeAgent(bin_dir.socket, behaviour):
        return bin_dir.call()


def some_variables(chance: random.Random) -> dict[bytes, bytes]:
    keys = [b"CNI_COMMAND", b"CNI_NETNS", b"CNI_ARGS", b"TRACEPARENT", b"DARI_RETRY", b"PATH"]
    chosen = chance.sample(keys, chance.randrange(len(keys)))
    values = {key: chance.randbytes(chance.choice([0, 3, 300, 60_000])) for key in chosen}
    return {key: value.replace(b"\0", b"/") for key, value in values.items()}


def test_what_is_asked_arrives_as_it_was_given(bin_dir: BinDir, chance: random.Random) -> None:
    with FakeAgent(bin_dir.socket) as agent:
        for _ in range(ROUNDS):
            variables, config = some_variables(chance), mutated(chance, CONFIG * 3)
            assert bin_dir.call(variables, config).stdout == b"{}\n"
            heard = agent.heard.pop()
            sent = {k: v for k, v in variables.items() if k.startswith((b"CNI_", b"TRACE"))}
            assert dict(heard.variables) == {b"DARI_PLUGIN": b"bridge", **sent}
            assert heard.config == (config if variables.get(b"CNI_COMMAND") else b"")


def test_any_settings_file_is_taken_or_refused(bin_dir: BinDir, chance: random.Random) -> None:
    """Nobody listens; the last line keeps the time short whatever became of the others."""
    for _ in range(ROUNDS):
        text = mutated(chance, f"timeout=0.5\n#\nsocket={bin_dir.socket}".encode())
        bin_dir.write_settings(os.fsdecode(text) + "\ntimeout=0.002\n")
        assert_is_error(bin_dir.call({"CNI_COMMAND": "ADD"}, mutated(chance, CONFIG)), 5, 11)

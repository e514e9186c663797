"""What the native entry makes of the agent's answers."""

from __future__ import annotations

import os
import struct
import subprocess

import pytest

from tests.shim.bindir import CONFIG, BinDir, Ended, ended, environment
from tests.support.fake_agent import (
    MAGIC,
    Behaviour,
    Conversation,
    FakeAgent,
    answering,
    encode_answer,
    leaving,
    sending,
)

MIB = 1 << 20
RESULT = b'{"cniVersion": "0.4.0", "ips": []}\n'


def answer_to(bin_dir: BinDir, *behaviours: Behaviour) -> Ended:
    with FakeAgent(bin_dir.socket, *behaviours):
        return bin_dir.call()


@pytest.mark.parametrize("status", [0, 1, 2, 128, 255])
def test_the_exit_status_is_the_agents(bin_dir: BinDir, status: int) -> None:
    done = answer_to(bin_dir, answering(RESULT, status))
    assert (done.status, done.stdout, done.stderr) == (status, RESULT, b"")


@pytest.mark.parametrize("size", [0, 1, 65_536, 8 * MIB])
def test_an_answer_is_printed_whole(bin_dir: BinDir, size: int) -> None:
    output = os.urandom(size)
    assert answer_to(bin_dir, answering(output)).stdout == output


def test_an_answer_in_pieces_is_put_together(bin_dir: BinDir) -> None:
    whole = encode_answer(RESULT, 3)
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    done = answer_to(bin_dir, sending(pieces, then_leave=False))
    assert (done.status, done.stdout) == (3, RESULT)


def test_what_follows_an_answer_is_nothing(bin_dir: BinDir) -> None:
    done = answer_to(bin_dir, sending([encode_answer(RESULT) + b"more"], then_leave=False))
    assert (done.status, done.stdout) == (0, RESULT)


@pytest.mark.parametrize("start", [b"H", b"HTTP/1.1 400 Bad Request\r\n", b"DARX", bytes(10)])
def test_who_is_no_agent_is_named_at_once(bin_dir: BinDir, start: bytes) -> None:
    error = answer_to(bin_dir, sending([start], then_leave=False)).error
    assert error["code"] == 999
    assert bin_dir.socket in str(error["msg"])
    assert "not a dari agent's" in str(error["msg"])


def test_another_version_of_the_protocol_is_named(bin_dir: BinDir) -> None:
    error = answer_to(bin_dir, sending([MAGIC + b"\x07"], then_leave=False)).error
    assert error["code"] == 999
    assert "speaks version 7 of the protocol, this executable version 1" in str(error["msg"])
    assert "dari install" in str(error["details"])


@pytest.mark.parametrize("size", [8 * MIB + 1, 0xFFFFFFFF])
def test_an_answer_over_the_bound_is_refused(bin_dir: BinDir, size: int) -> None:
    head = MAGIC + b"\x01\x00" + struct.pack(">I", size)
    error = answer_to(bin_dir, sending([head], then_leave=False)).error
    assert error["code"] == 999
    assert f"{size} bytes" in str(error["msg"])


BREAKS: dict[str, Behaviour] = {
    "at once": leaving(after=0),
    "while reading the head": leaving(after=4),
    "while reading the body": leaving(after=20),
    "after reading": leaving(),
    "while sending the head": sending([encode_answer(RESULT)[:7]]),
    "while sending the output": sending([encode_answer(RESULT)[:-1]]),
}


@pytest.mark.parametrize("moment", BREAKS)
def test_an_agent_that_goes_away_is_asked_again(bin_dir: BinDir, moment: str) -> None:
    """It may have done half of it, which DARI_RETRY tells the next one."""
    leave = BREAKS[moment]
    with FakeAgent(bin_dir.socket, leave, leave, answering(RESULT)) as agent:
        done = bin_dir.call()
    assert (done.status, done.stdout) == (0, RESULT)
    assert agent.connections == 3
    last = agent.heard[-1]
    assert (last["DARI_RETRY"], last["DARI_PLUGIN"], last.config) == ("1", "bridge", CONFIG)
    assert len(last.namespaces) == len(last.inside) == 1


def test_the_first_request_says_nothing_of_a_retry(bin_dir: BinDir) -> None:
    with FakeAgent(bin_dir.socket, leaving(), answering()) as agent:
        bin_dir.call()
    assert ["DARI_RETRY" in heard for heard in agent.heard] == [False, True]


def refusing(conversation: Conversation) -> None:
    """Answer before the request was read, as to one that is too large."""
    conversation.receive(9)
    conversation.send(encode_answer(b"too large", 1))
    conversation.until_left()


@pytest.mark.parametrize("stays", [True, False])
def test_an_answer_before_the_request_is_read_counts(bin_dir: BinDir, stays: bool) -> None:
    def leaves(conversation: Conversation) -> None:
        conversation.receive(9)
        conversation.send(encode_answer(b"too large", 1))

    with FakeAgent(bin_dir.socket, refusing if stays else leaves):
        done = bin_dir.call(config=bytes(MIB))
    assert (done.status, done.stdout) == (1, b"too large")


def test_a_request_that_is_read_slowly_goes_through(bin_dir: BinDir) -> None:
    def slow(conversation: Conversation) -> None:
        conversation.connection.setsockopt(1, 8, 2048)  # SOL_SOCKET, SO_RCVBUF
        conversation.hear()
        conversation.send(encode_answer(RESULT))

    with FakeAgent(bin_dir.socket, slow) as agent:
        assert bin_dir.call(config=bytes(MIB)).stdout == RESULT
    assert agent.heard[0].config == bytes(MIB)


@pytest.mark.parametrize(
    ("command", "status", "asked"),
    [("ADD", 0, ["ADD", "DEL"]), ("ADD", 1, ["ADD"]), ("DEL", 0, ["DEL"]), ("ADDS", 0, ["ADDS"])],
)
def test_an_add_whose_answer_nobody_reads_is_taken_back(
    bin_dir: BinDir, command: str, status: int, asked: list[str]
) -> None:
    with (
        FakeAgent(bin_dir.socket, answering(RESULT, status)) as agent,
        bin_dir.start(environment(CNI_COMMAND=command)) as process,
    ):
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        done = ended(process, CONFIG)
    assert done.status == 1
    assert done.stderr == b"dari: write the answer to stdout: [Errno 32] Broken pipe\n"
    assert [heard["CNI_COMMAND"] for heard in agent.heard] == asked
    assert {heard.config for heard in agent.heard} == {CONFIG}


def test_a_stdout_that_does_not_block_gets_everything(bin_dir: BinDir) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    output = os.urandom(MIB)
    with FakeAgent(bin_dir.socket, answering(output)):
        process = subprocess.Popen(
            ["bridge"],
            executable=bin_dir.folder / "dari",
            stdin=subprocess.DEVNULL,
            stdout=writer,
            env=environment(),
        )
        os.close(writer)
        with os.fdopen(reader, "rb") as stdout:
            assert stdout.read() == output
        assert process.wait(60) == 0

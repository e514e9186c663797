from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

from dari.agent import server as server_module
from dari.agent.client import STATUS, AgentAbsent, ask, ask_status
from dari.agent.protocol import Answer, Call, encode_call
from dari.agent.server import AgentServer
from dari.errors import BadConfig, TryAgain
from tests.support.waiting import PATIENCE


def served(
    folder: Path, handler: Callable[[Call], Answer], client: Callable[[str], None]
) -> list[str]:
    """Run the client in a thread against a server; what the server complained of."""
    path = str(folder / "run" / "agent.sock")
    complaints: list[str] = []

    server = AgentServer(path, lambda: Answering(handler), complaints.append)
    server.start()
    try:
        client(path)
    finally:
        server.stop()
    assert not os.path.exists(path)
    return complaints


class Answering:
    """A handler that answers from a function, and remembers what was delivered."""

    def __init__(self, handler: Callable[[Call], Answer]) -> None:
        self._handler = handler

    def turn(self, call: Call) -> AbstractContextManager[None]:
        return nullcontext()

    def answer(self, call: Call, netns: int | None, pod: int | None) -> Answer:
        if netns is not None:
            return Answer(status=0, stdout=os.readlink(f"/proc/self/fd/{netns}").encode())
        return self._handler(call)

    def answered(self, call: Call, answer: Answer, *, delivered: bool, at: float) -> None:
        assert at <= time.perf_counter()
        assert delivered or call.environ.get("LEAVES") == "early"

    def close(self) -> None:
        pass


def echo(call: Call) -> Answer:
    return Answer(status=7, stdout=repr(sorted(call.environ)).encode() + call.stdin)


def test_a_call_is_answered_and_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    def client(path: str) -> None:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert ask(path, Call(environ={"A": "b"}, stdin=b"x")) == Answer(status=7, stdout=b"['A']x")
        assert ask(path, STATUS).status == 7
        assert os.listdir(os.path.dirname(path)) == ["agent.sock"]

    assert served(tmp_path, echo, client) == []


def test_a_socket_that_a_dead_agent_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "run" / "agent.sock"))
    with pytest.raises(AgentAbsent, match="no agent listens"):
        ask(str(tmp_path / "run" / "agent.sock"), STATUS)

    def client(path: str) -> None:
        assert ask(path, STATUS).status == 7

    served(tmp_path, echo, client)


def test_hostile_clients_are_complained_of_and_others_still_served(tmp_path: Path) -> None:
    def client(path: str) -> None:
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b"DARI\x01\xff\xff\xff\xff", b"DARI", b""):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PATIENCE)
                connection.connect(path)
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                assert b'"code":6' in connection.recv(1000)
        with socket.socket(socket.AF_UNIX) as hasty:
            hasty.connect(path)
            hasty.sendall(encode_call(STATUS))
        assert ask(path, STATUS).status == 7

    complaints = served(tmp_path, echo, client)
    assert len(complaints) >= 4
    assert any("not dari's protocol" in text for text in complaints)
    assert any("ended early" in text for text in complaints)


def test_a_client_that_says_nothing_is_sent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_SECONDS", 0.05)

    def client(path: str) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(path)
            assert connection.recv(10) == b""

    [complaint] = served(tmp_path, echo, client)
    assert complaint == "agent's socket: a client took longer than 0.05 s to ask"


def test_clients_beyond_the_threads_wait_their_turn(tmp_path: Path) -> None:
    def client(path: str) -> None:
        idle = [socket.socket(socket.AF_UNIX) for _ in range(server_module._THREADS)]
        for connection in idle:
            connection.connect(path)
        with pytest.raises(TryAgain):
            ask(path, STATUS, seconds=0.05)
        for connection in idle:
            connection.close()
        assert ask(path, STATUS).status == 7

    served(tmp_path, echo, client)


class Reluctant(Answering):
    """Begins a call only once it may."""

    def __init__(self, may: threading.Event, begun: list[Call]) -> None:
        super().__init__(lambda call: begun.append(call) or echo(call))  # type: ignore[func-returns-value]
        self._may = may

    @contextmanager
    def turn(self, call: Call) -> Iterator[None]:
        assert self._may.wait(PATIENCE)
        yield


def test_an_add_whose_client_has_left_meanwhile_is_not_begun(tmp_path: Path) -> None:
    path, may, begun = str(tmp_path / "agent.sock"), threading.Event(), list[Call]()
    server = AgentServer(path, lambda: Reluctant(may, begun), lambda _: None)
    server.start()
    try:
        add = Call(environ={"CNI_COMMAND": "ADD"}, stdin=b"")
        with socket.socket(socket.AF_UNIX) as leaving:
            leaving.connect(path)
            leaving.sendall(encode_call(add))
        may.set()
        assert ask(path, add.replace(stdin=b"stays")).status == 7
    finally:
        server.stop()
    assert [call.stdin for call in begun] == [b"stays"]


def devices_open() -> int:
    """How many descriptors of this process are of /dev/null."""
    found = 0
    for each in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found += os.readlink(f"/proc/self/fd/{each}") == os.devnull
    return found


def test_two_descriptors_come_along_and_a_third_is_refused(tmp_path: Path) -> None:
    def client(path: str) -> None:
        before = devices_open()
        with open(os.devnull) as null, socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            socket.send_fds(connection, [encode_call(STATUS)], [null.fileno()] * 2)
            assert connection.recv(1000).endswith(os.devnull.encode())
        with open(os.devnull) as null, socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            socket.send_fds(connection, [encode_call(STATUS)], [null.fileno()] * 3)
            assert b'"code":6' in connection.recv(1000)
        deadline = time.monotonic() + 10  # the threads close what they were given after answering
        while devices_open() > before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert devices_open() == before

    [complaint] = served(tmp_path, echo, client)
    assert "more than two descriptors" in complaint


def test_an_error_of_ours_becomes_the_answer(tmp_path: Path) -> None:
    def refuse(call: Call) -> Answer:
        raise BadConfig("no such thing")

    def client(path: str) -> None:
        answer = ask(path, STATUS)
        assert (answer.status, json.loads(answer.stdout)["msg"]) == (1, "no such thing")

    served(tmp_path, refuse, client)


def test_without_an_agent_the_client_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(AgentAbsent) as caught:
        ask_status(str(tmp_path / "agent.sock"))
    assert "dari agent" in caught.value.details


def test_whoever_answers_nothing_or_nonsense_is_reported(tmp_path: Path) -> None:
    path = str(tmp_path / "agent.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(4)
        with pytest.raises(TryAgain, match="did not answer within"):
            ask(path, STATUS, seconds=0.05)

"""The HTTP client against servers that misbehave, byte by byte."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import BadConfig
from dari.store.base import Unreachable
from dari.store.remote.client import Answer, Client, Lines, Refused
from dari.store.remote.connection import Request, parse_target
from dari.store.remote.pauses import Pauses, Timing
from dari.store.remote.tls import Tls
from tests.support.timing import PATIENT
from tests.support.waiting import PATIENCE, wait_until

GET = Request(method="GET", path="/x")
Script = Callable[[socket.socket], None]


class Server:
    """Answers each connection by a script; counts them."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.gate = threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):
                self.script(connection)

    def client(self, timing: Timing = PATIENT) -> Client:
        port = self.listening.getsockname()[1]
        return Client(parse_target(f"http://127.0.0.1:{port}", "url"), Tls(), timing)


@contextmanager
def serving(script: Script) -> Iterator[Server]:
    server = Server(script)
    try:
        yield server
    finally:
        server.gate.set()
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()
        server.thread.join(PATIENCE)


def run(client: Client, work: Awaitable[None]) -> None:
    async def whole() -> None:
        try:
            await asyncio.wait_for(work, PATIENCE)
        finally:
            await client.close()

    asyncio.run(whole())


def head_of(connection: socket.socket) -> bytes:
    """Read a request without a body."""
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            raise OSError
        got += piece
    return got


def says(*pieces: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        for piece in pieces:
            connection.sendall(piece)

    return script


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def test_a_connection_is_used_again() -> None:
    def script(connection: socket.socket) -> None:
        while True:
            head_of(connection)
            connection.sendall(OK)

    async def body() -> None:
        for _ in range(5):
            assert await client.ask(GET) == Answer(status=200, body=b"ok")

    with serving(script) as server:
        client = server.client()
        run(client, body())
        assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    async def body() -> None:
        for _ in range(5):
            assert (await client.ask(GET)).body == b"ok"

    with serving(says(OK)) as server:
        client = server.client()
        run(client, body())
        assert server.connections == 5


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",),
        (STREAM + b"5\r\nab",),
        (STREAM + b"zz\r\nab",),
        (STREAM + chunk(b"never ended"),),
        (b"SSH-2.0-OpenSSH\r\n",),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",),
        (b"HTTP/1.1 " + b"9" * 100_000,),
        (b"\0" * 1000,),
    ],
)
def test_an_answer_that_breaks_off_or_is_none_is_unreachable(pieces: tuple[bytes, ...]) -> None:
    async def body() -> None:
        with pytest.raises(Unreachable, match=r"^http://127\.0\.0\.1:\d+: "):
            await client.ask(GET)

    with serving(says(*pieces)) as server:
        client = server.client()
        run(client, body())


def test_a_server_that_drips_is_given_up_as_a_whole() -> None:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not server.gate.wait(0.05):
            connection.sendall(b"x")

    async def body() -> None:
        with pytest.raises(Unreachable, match="no answer in time"):
            await client.ask(GET)

    with serving(script) as server:
        client = server.client(PATIENT.replace(request=0.5))
        run(client, body())


def test_lines_come_as_they_are_sent_whatever_the_pieces() -> None:
    pieces = (b'{"a"', b":1}\n{", b'"b":2}\n\n', b'{"c":3}\nrest')

    async def body() -> None:
        with pytest.raises(Unreachable):
            async for line in client.lines(GET, 5):
                found.append(line)

    found: list[bytes] = []
    with serving(says(STREAM, *map(chunk, pieces))) as server:
        client = server.client()
        run(client, body())
    assert found == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_a_stream_that_ends_well_just_ends() -> None:
    async def body() -> None:
        assert [line async for line in client.lines(GET, 5)] == [b"one"]

    with serving(says(STREAM, chunk(b"one\n"), b"0\r\n\r\n")) as server:
        client = server.client()
        run(client, body())


def test_a_stream_that_is_refused_gives_the_answer() -> None:
    async def body() -> None:
        with pytest.raises(Refused) as caught:
            async for _ in client.lines(GET, 5):
                pass
        assert caught.value.answer == Answer(status=410, body=b"gone")

    said = b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone"
    with serving(says(said)) as server:
        client = server.client()
        run(client, body())


def test_a_silent_stream_breaks_after_the_time_it_may_be_silent() -> None:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(STREAM + chunk(b"one\n"))
        server.gate.wait(20)

    async def body() -> None:
        with pytest.raises(Unreachable, match="no answer in time"):
            async for _ in client.lines(GET, 0.2):
                pass

    with serving(script) as server:
        client = server.client()
        run(client, body())


def test_whoever_stops_listening_leaves_no_connection_and_no_thread() -> None:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(STREAM + chunk(b"one\n"))
        closed.append(connection.recv(1))

    async def body() -> None:
        async def listen() -> None:
            async for _ in client.lines(GET, 60):
                started.set()

        started = asyncio.Event()
        task = asyncio.create_task(listen())
        await started.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    closed: list[bytes] = []
    before = len(os.listdir("/proc/self/fd"))
    with serving(script) as server:
        client = server.client()
        run(client, body())
    assert closed == [b""]
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_a_line_without_end_is_given_up() -> None:
    lines = Lines()
    with pytest.raises(Unreachable, match="a line of over"):
        for _ in range(1000):
            lines.feed(b"x" * 65536, "here")


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 30)))
@settings(max_examples=200, deadline=None)
def test_lines_do_not_depend_on_how_they_were_cut(lines: list[bytes], cuts: list[int]) -> None:
    wanted = [line.replace(b"\n", b"") for line in lines]
    content, splitter, found = b"".join(line + b"\n" for line in wanted), Lines(), []
    for cut in cuts:
        found += splitter.feed(content[:cut], "here")
        content = content[cut:]
    found += splitter.feed(content, "here")
    assert found == [line for line in wanted if line.strip()]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("http://h", "http://h:80"),
        ("https://h/", "https://h:443"),
        ("https://[fd00::1]:6443/k8s/clusters/c-1/", "https://[fd00::1]:6443/k8s/clusters/c-1"),
    ],
)
def test_urls_of_servers(text: str, target: str) -> None:
    assert str(parse_target(text, "url")) == target


@pytest.mark.parametrize(
    "text", ["", "h:1", "ftp://h", "http://", "http://h:0x1", "http://h?q", "http://u@h", None, 7]
)
def test_what_is_no_url_of_a_server_is_refused(text: object) -> None:
    with pytest.raises(BadConfig, match=r"^--server: "):
        parse_target(text, "--server")


@given(st.floats(0.01, 1), st.floats(1, 60), st.lists(st.floats(0, 1), min_size=20, max_size=20))
@settings(max_examples=100, deadline=None)
def test_pauses_grow_to_a_limit_and_are_never_none(
    first: float, longest: float, draws: list[float]
) -> None:
    drawn = iter(draws)
    pauses = Pauses(first, longest, lambda: next(drawn))
    found = [pauses.next() for _ in range(19)]
    assert first / 2 <= found[0] <= first
    assert all(first / 2 <= each <= longest for each in found)
    assert found[-1] >= longest / 2 or first * 2**18 < longest
    pauses.reset()
    assert pauses.next() <= first

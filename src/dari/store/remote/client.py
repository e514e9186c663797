"""Asks a server over HTTP from the event loop: answers as a whole, or line by line.

Why `http.client`, in threads: measured on Python 3.11 in a process that has the
agent loaded (asyncio and the metrics endpoint bring `ssl` and `http.client`
along), it adds nothing to memory and no time to the start. h11 adds 0.2 MB,
urllib3 1.4 MB, httpx 11 MB, aiohttp 10 MB, lightkube 7 MB and the official
kubernetes client 44 MB and 410 ms, of the 64 MB that an agent of 5,000 nodes may
have. It is kept as long as Python is, and speaks all that is needed here:
persistent connections, chunks, TLS. A watch holds one thread.

A request that is cancelled, or takes too long as a whole, has its connection cut:
no thread stays behind, and a server that sends a byte now and then holds nobody.

May import: errors, record, store.base, store.remote.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPResponse
from typing import TypeVar

from dari.record import Record
from dari.store.base import Unreachable
from dari.store.remote.connection import Connection, Request, Slow, Target
from dari.store.remote.pauses import Timing
from dari.store.remote.tls import Contexts, Tls

T = TypeVar("T")

LARGEST_ANSWER = 64 << 20  # bytes
_LARGEST_LINE = 4 << 20
_PIECE = 1 << 16
_THREADS = 4  # a watch, a probe, a write, and one whose connecting was given up


class Answer(Record):
    """A whole answer."""

    status: int
    body: bytes


class Client:
    """Asks one server. Keeps a connection for the next request.

    Args:
        target: the server.
        tls: how, where its URL says https.
        timing: how long things may take.
    """

    def __init__(self, target: Target, tls: Tls, timing: Timing) -> None:
        self.target = target
        self._contexts = Contexts(tls) if target.scheme == "https" else None
        self._timing = timing
        self._spare: Connection | None = None
        self._threads = ThreadPoolExecutor(_THREADS, "store")

    async def ask(self, request: Request) -> Answer:
        """Send a request and read the whole answer.

        The server may have closed a connection that was kept, just as it was
        used again. Then the request is sent once more; all that stores send may be.

        Raises:
            Unreachable: no answer came, or not all of it, in the time it may take.
            BadConfig: a certificate cannot be used.
        """
        spare, self._spare = self._spare, None
        if spare is not None:
            try:
                return await self._exchange(spare, request)
            except Slow:
                raise
            except Unreachable:
                pass
        return await self._exchange(self._connection(), request)

    async def lines(self, request: Request, idle: float) -> AsyncGenerator[bytes, None]:
        """Send a request and yield the answer's lines as they come.

        Args:
            request: what to send.
            idle: seconds of silence after which the stream counts as broken.

        Raises:
            Unreachable: it broke, or a line is longer than any should be.
            Refused: the server answered with another status than 200.
        """
        connection = self._connection()
        try:
            response = await self._within(connection, lambda: connection.send(request, idle))
            if response.status != 200:
                body = await self._within(connection, lambda: _whole(connection, response))
                raise Refused(Answer(status=response.status, body=body))
            splitter = Lines()
            while piece := await self._call(connection, lambda: _some(connection, response)):
                for line in splitter.feed(piece, str(self.target)):
                    yield line
        finally:
            if not connection.aborted:
                connection.close()

    async def close(self) -> None:
        """Close the connection that was kept."""
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.close()

    def _connection(self) -> Connection:
        return Connection(self.target, self._contexts, self._timing.connect)

    async def _exchange(self, connection: Connection, request: Request) -> Answer:
        def work() -> Answer:
            response = connection.send(request, self._timing.request)
            return Answer(status=response.status, body=_whole(connection, response))

        answer = await self._within(connection, work)
        if self._spare is None and connection.reusable():
            self._spare = connection
        else:
            connection.close()
        return answer

    async def _within(self, connection: Connection, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._timing.request):
                return await self._call(connection, work)
        except TimeoutError:
            raise Slow(f"{self.target}: no answer in time") from None

    async def _call(self, connection: Connection, work: Callable[[], T]) -> T:
        """Do what blocks in a thread; whoever stops waiting for it ends it."""

        future = self._threads.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            connection.abort()
            # Whoever reads last closes; closing under a reader would wait for it.
            future.add_done_callback(lambda _: connection.close())
            raise


class Refused(Exception):
    """A stream was answered with another status than 200; `answer` has the rest."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


class Lines:
    """Cuts a stream of bytes into lines; what comes after the last one waits for more."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes, source: str) -> list[bytes]:
        """The lines that a piece completes, without their ends; empty ones are left out.

        Raises:
            Unreachable: a line grows without end.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _LARGEST_LINE:
            raise Unreachable(f"{source}: a line of over {_LARGEST_LINE} bytes")
        return [line for line in lines if line.strip()]


def _whole(connection: Connection, response: HTTPResponse) -> bytes:
    with connection.told():
        body = response.read(LARGEST_ANSWER + 1)
        if len(body) > LARGEST_ANSWER:
            raise HTTPException("too large")
        if not response.isclosed():
            response.read()
        return body


def _some(connection: Connection, response: HTTPResponse) -> bytes:
    with connection.told():
        return response.read1(_PIECE)

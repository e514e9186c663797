"""The agent's unix socket: threads that each take one call after the other.

A call is short and mostly spent in the kernel, so the thread that the kernel
wakes for a connection does all of its work: nothing is handed over, and nothing
waits for the event loop. Nobody but root (or whom the agent runs as) may
connect: the socket has mode 0600, and each peer's credentials are checked
besides. Requests are bounded in size and time, and as many are worked on at once
as there are threads; the others wait in the kernel's queue.

May import: cni.dispatch, errors, agent.protocol.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from array import array
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Protocol

from dari.agent.protocol import Answer, Call, CallReader, encode_answer
from dari.cni.dispatch import refusal
from dari.errors import DariError, IOFailure, TryAgain, Undecodable

_THREADS = 8
_QUEUE = 512  # connections that wait for a thread
_SECONDS = 5.0  # that a client may take to ask, and to take its answer
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_TIME = struct.Struct("ll")  # struct timeval
_DESCRIPTOR = array("i").itemsize
_MOST_DESCRIPTORS = 4  # that are taken, so as to be closed; two are allowed
_CHUNK = 65536


class Handler(Protocol):
    """What one thread does with its calls."""

    def turn(self, call: Call) -> AbstractContextManager[None]:
        """Is entered before a call is worked on, and left once all is done.

        Raises:
            DariError: it cannot be worked on now.
        """

    def answer(self, call: Call, netns: int | None, pod: int | None) -> Answer:
        """Do what is asked; a `DariError` becomes status 1.

        Args:
            call: the request.
            netns: descriptor of a network namespace that came with it.
            pod: descriptor of a route netlink socket from inside, if that came too.
        """

    def answered(self, call: Call, answer: Answer, *, delivered: bool, at: float) -> None:
        """Is told afterwards, so that counting and logging hold nobody up.

        Args:
            call: the request.
            answer: what was answered.
            delivered: whether the client took it.
            at: the moment by `time.perf_counter` when it was written.
        """

    def close(self) -> None:
        """The thread ends."""


class AgentServer:
    """Serves between `start` and `stop`.

    Args:
        path: where the socket is; one that a dead agent left is replaced.
        make_handler: called once in each thread.
        failed: is told in words of what was wrong with a client.
    """

    def __init__(
        self, path: str, make_handler: Callable[[], Handler], failed: Callable[[str], None]
    ) -> None:
        self._path = path
        self._make_handler = make_handler
        self._failed = failed
        self._listener: socket.socket | None = None
        self._made: tuple[int, int] = (0, 0)
        self._deaf: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._stopping = False

    def start(self) -> None:
        """Listen.

        Raises:
            IOFailure: the socket cannot be made.
        """
        self._listen()
        for number in range(_THREADS):
            thread = threading.Thread(target=self._serve, name=f"calls-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def listen_again(self) -> bool:
        """Listen anew, if somebody removed the socket, or its folder; True if so.

        Raises:
            IOFailure: the socket cannot be made.
        """
        before = self._listener
        if before is None or self._stopping or _identity(self._path) == self._made:
            return False
        self._listen()
        self._deaf.append(before)  # closed at the end: a thread may be about to ask it
        with suppress(OSError):
            before.shutdown(socket.SHUT_RDWR)
        return True

    def _listen(self) -> None:
        self._listener = listen_on(self._path)
        self._made = _identity(self._path)

    def stop(self) -> None:
        """Take no more calls, and return once those under way are answered."""
        if self._listener is None:
            return
        self._stopping = True
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._deaf):
            each.close()
        self._listener = None

    def _serve(self) -> None:
        handler = self._make_handler()
        try:
            while not self._stopping and (listener := self._listener) is not None:
                try:
                    connection, _ = listener.accept()
                except OSError as error:
                    if not self._stopping and listener is self._listener:
                        self._failed(f"agent's socket: accept: {error.strerror}")
                        time.sleep(0.1)  # out of descriptors or memory: others may give some back
                    continue
                self._attend(connection, handler)
        finally:
            handler.close()

    def _attend(self, connection: socket.socket, handler: Handler) -> None:
        descriptors: list[int] = []
        try:
            _converse(connection, handler, descriptors)
        except (DariError, OSError) as error:
            self._failed(str(error))
        except Exception as error:
            # A fault of ours in one call must not end the thread that serves the next.
            self._failed(f"internal error: {error!r}")
        finally:
            connection.close()
            for descriptor in descriptors:
                os.close(descriptor)


def _identity(path: str) -> tuple[int, int]:
    """Device and inode of what is there now; zeros where nothing is."""
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def listen_on(path: str) -> socket.socket:
    """A listening socket that never had another mode than 0600.

    Raises:
        IOFailure: it cannot be made.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        listener.bind(temporary)
        os.chmod(temporary, 0o600)
        listener.listen(_QUEUE)
        os.rename(temporary, path)
    except OSError as error:
        listener.close()
        raise IOFailure(f"listen on {path}: {error.strerror or error}") from None
    return listener


def _converse(connection: socket.socket, handler: Handler, descriptors: list[int]) -> None:
    _check_peer(connection)
    patience = _TIME.pack(int(_SECONDS), int(_SECONDS % 1 * 1e6))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, patience)
    try:
        call = _read_call(connection, descriptors)
    except Undecodable as error:
        # The native entry would ask again and again if it were only sent away.
        connection.sendall(encode_answer(Answer(status=1, stdout=refusal(error))))
        raise
    with ExitStack() as turn:
        try:
            turn.enter_context(handler.turn(call))
            if call.environ.get("CNI_COMMAND") == "ADD" and _has_left(connection):
                return  # its DEL may have come already, and would not come again
            netns, pod = (*descriptors, None, None)[:2]
            answer = handler.answer(call, netns, pod)
        except DariError as error:
            answer = Answer(status=1, stdout=refusal(error))
        delivered = True
        try:
            connection.sendall(encode_answer(answer))
        except OSError:
            delivered = False
        written = time.perf_counter()  # the client, who is woken now, may take our turn
        connection.close()
        handler.answered(call, answer, delivered=delivered, at=written)


def _has_left(connection: socket.socket) -> bool:
    """Did the client end, rather than only its asking?"""
    poll = select.poll()
    poll.register(connection, 0)  # which still tells of POLLHUP
    return bool(poll.poll(0))


def _check_peer(connection: socket.socket) -> None:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    if uid not in (0, os.geteuid()):
        raise Undecodable(f"agent's socket: process {pid} of user {uid} is not allowed to ask")


def _read_call(connection: socket.socket, descriptors: list[int]) -> Call:
    """Read one request, and the descriptors that came with it.

    Raises:
        Undecodable: it is none.
        TryAgain: it took too long.
    """
    parser = CallReader()
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            data = _receive(connection, descriptors)
        except BlockingIOError:
            data, deadline = b"", 0.0
        if time.monotonic() > deadline:
            raise TryAgain(f"agent's socket: a client took longer than {_SECONDS:g} s to ask")
        if not data:
            raise Undecodable("agent's socket: a request ended early")
        call = parser.feed(data)
        if call is not None:
            return call


def _receive(connection: socket.socket, descriptors: list[int]) -> bytes:
    space = socket.CMSG_SPACE(_MOST_DESCRIPTORS * _DESCRIPTOR)
    data, ancillary, _, _ = connection.recvmsg(_CHUNK, space, socket.MSG_CMSG_CLOEXEC)
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            passed = array("i")
            passed.frombytes(content[: len(content) - len(content) % _DESCRIPTOR])
            descriptors.extend(passed)
    if len(descriptors) > 2:
        raise Undecodable("agent's socket: more than two descriptors came with a request")
    return data

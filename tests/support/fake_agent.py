"""A stateful fake of the agent's socket, for whoever talks to it.

`FakeAgent` listens, remembers every request it was sent (with the namespace and
the peer it came from) and behaves, connection by connection, as it is told: it
can answer well, slowly, in pieces, with garbage, not at all, or go away at any
moment. It knows the protocol from its description and shares no code with either
side.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import socket
import struct
import termios
import threading
from collections.abc import Callable, Iterator, Sequence

from dari.record import Record

MAGIC = b"DARI"
VERSION = 1
SIOCGSKNS = 0x894C  # linux/sockios.h: a descriptor of the namespace that a socket is in


class Heard(Record):
    """One request as it arrived.

    Attributes:
        variables: in the order sent, as bytes.
        config: what the runtime had on stdin.
        namespaces: device and inode of the descriptor that came along first.
        inside: those of the namespaces of the sockets that came along behind.
        pid, uid: who asks.
    """

    variables: tuple[tuple[bytes, bytes], ...]
    config: bytes
    namespaces: tuple[tuple[int, int], ...]
    inside: tuple[tuple[int, int], ...]
    pid: int
    uid: int

    def __getitem__(self, key: str) -> str:
        return dict(self.variables)[key.encode()].decode()

    def __contains__(self, key: str) -> bool:
        return key.encode() in dict(self.variables)


def encode_answer(output: bytes, status: int = 0) -> bytes:
    return MAGIC + bytes([VERSION, status]) + struct.pack(">I", len(output)) + output


class Conversation:
    """One connection. A behaviour hears, sends, and leaves when it likes."""

    def __init__(self, connection: socket.socket, agent: FakeAgent) -> None:
        self.agent = agent
        self.connection = connection
        self._passed: list[int] = []

    def receive(self, size: int) -> bytes:
        """Exactly `size` bytes, or fewer where the other side stopped."""
        got = bytearray()
        while len(got) < size:
            piece, control, _flags, _address = self.connection.recvmsg(
                min(size - len(got), 1 << 16), socket.CMSG_SPACE(64), socket.MSG_CMSG_CLOEXEC
            )
            self._take(control)
            if not piece:
                break
            got += piece
        return bytes(got)

    def _take(self, control: list[tuple[int, int, bytes]]) -> None:
        for level, kind, data in control:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            self._passed.extend(array.array("i", data))

    def _identities(self) -> Iterator[tuple[int, int]]:
        """Of the namespace that came along, and of those that sockets behind it are in."""
        for place, descriptor in enumerate(self._passed):
            seen = os.fstat(descriptor)
            if place:
                namespace = fcntl.ioctl(descriptor, SIOCGSKNS)
                seen = os.fstat(namespace)
                os.close(namespace)
            os.close(descriptor)
            yield seen.st_dev, seen.st_ino
        self._passed = []

    def hear(self) -> Heard:
        head = self.receive(9)
        assert head[:5] == MAGIC + bytes([VERSION]), head
        body = self.receive(int.from_bytes(head[5:], "big"))
        strings, end, config = body.partition(b"\0\0")
        assert end, body[:200]
        pairs = [string.partition(b"=")[::2] for string in strings.split(b"\0")]
        peer = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid, uid, _gid = struct.unpack("3i", peer)
        identities = tuple(self._identities())
        heard = Heard(
            variables=tuple(pairs),
            config=config,
            namespaces=identities[:1],
            inside=identities[1:],
            pid=pid,
            uid=uid,
        )
        self.agent.heard.append(heard)
        return heard

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def until_read(self) -> None:
        """Wait until the other side has taken what was sent."""
        unread = array.array("i", [1])
        while unread[0] and not self.agent.stopping.wait(0.0005):
            fcntl.ioctl(self.connection, termios.TIOCOUTQ, unread)

    def until_left(self) -> None:
        """Wait until the other side goes away, or the agent is stopped."""
        hangup = select.poll()
        hangup.register(self.connection, select.POLLRDHUP)
        while not hangup.poll(20) and not self.agent.stopping.is_set():
            pass


Behaviour = Callable[[Conversation], None]


def answering(output: bytes = b"{}\n", status: int = 0) -> Behaviour:
    """Answer as an agent should."""
    return sending([encode_answer(output, status)])


def sending(pieces: Sequence[bytes], *, then_leave: bool = True) -> Behaviour:
    """Send these bytes, each piece once the one before it was read."""

    def behave(conversation: Conversation) -> None:
        conversation.hear()
        for piece in pieces:
            conversation.send(piece)
            conversation.until_read()
        if not then_leave:
            conversation.until_left()

    return behave


def leaving(after: int = 1 << 30) -> Behaviour:
    """Go away without a word, once `after` bytes of the request were read."""

    def behave(conversation: Conversation) -> None:
        if after < 1 << 30:
            conversation.receive(after)
        else:
            conversation.hear()

    return behave


def silent(conversation: Conversation) -> None:
    """Hear the request and never answer."""
    conversation.hear()
    conversation.until_left()


def deaf(conversation: Conversation) -> None:
    """Read nothing and say nothing."""
    conversation.until_left()


def dying(conversation: Conversation) -> None:
    """Hear the request, and be killed: refuse all others."""
    conversation.hear()
    conversation.agent.stop_listening()


class FakeAgent:
    """Listens at `path`; connection n is served by behaviour n, further ones by the last.

    Args:
        path: of the unix socket; what is there is replaced.
        behaviours: what to do with each connection.
        backlog: how many connections wait before they are accepted.
    """

    def __init__(self, path: str, *behaviours: Behaviour, backlog: int = 128) -> None:
        self.path = path
        self.behaviours = behaviours or (answering(),)
        self.backlog = backlog
        self.heard: list[Heard] = []
        self.failures: list[BaseException] = []
        self.stopping = threading.Event()
        self.connections = 0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> FakeAgent:
        self.listener = listen(self.path, self.backlog)
        self.listener.settimeout(0.02)
        self._spawn(self._accept)
        return self

    def __exit__(self, *_failure: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join()
        self.listener.close()
        os.unlink(self.path)
        if self.failures:
            raise self.failures[0]

    def stop_listening(self) -> None:
        """Refuse connections from now on, as the socket of a killed agent does."""
        self.listener.shutdown(socket.SHUT_RDWR)

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="fake agent")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _address = self.listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return  # it does not listen any more
            connection.settimeout(None)
            self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        behave = self.behaviours[min(self.connections, len(self.behaviours) - 1)]
        self.connections += 1

        def work() -> None:
            with connection:
                try:
                    behave(Conversation(connection, self))
                except (BrokenPipeError, ConnectionResetError):
                    pass  # who asks may go at any moment
                except BaseException as failure:
                    self.failures.append(failure)

        self._spawn(work)


def listen(path: str, backlog: int) -> socket.socket:
    """A listening unix socket at `path`, which replaces what is there."""
    if os.path.lexists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.bind(path)
    listener.listen(backlog)
    return listener

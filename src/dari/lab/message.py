"""What the processes of a lab tell each other, and whose word it is.

A channel carries whole messages (SOCK_SEQPACKET), so that many processes can
share one end without mixing their words. The kernel vouches for the sender: a
lab's processes do not know their own numbers outside of the lab, and whoever
receives a message does (SCM_CREDENTIALS, unix(7)).

May import: errors, record.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress

from dari.errors import Undecodable
from dari.lab.messages import _
from dari.record import Record

LARGEST = 128 * 1024  # bytes of one message; 200 pods with two addresses take 20 KB
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid
_NOTHING: Mapping[str, tuple[str, ...]] = {}


class Message(Record):
    """One thing said.

    Attributes:
        kind: what it is about; each conversation has its own words.
        name: the machine or pod that it is about, or empty.
        text: for a person: progress, or what failed.
        details: for a person: what to do about a failure.
        values: texts by name, such as a pod's addresses.
        sender: the sender's process number as the receiver sees it; 0 until received.
    """

    kind: str
    name: str = ""
    text: str = ""
    details: str = ""
    values: Mapping[str, tuple[str, ...]] = _NOTHING
    sender: int = 0


def encode(message: Message) -> bytes:
    """The bytes of one packet."""
    fields = {"kind": message.kind, "name": message.name, "text": message.text}
    return json.dumps({**fields, "details": message.details, "values": message.values}).encode()


def decode(packet: bytes, sender: int = 0) -> Message:
    """Read one packet.

    Raises:
        Undecodable: it is not what `encode` writes.
    """
    try:
        fields = json.loads(packet)
        texts = {key: str(fields[key]) for key in ("kind", "name", "text", "details")}
        values = {str(key): tuple(map(str, list_)) for key, list_ in fields["values"].items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Undecodable(_("message within the lab: {error!r}").format(error=error)) from None
    return Message(
        kind=texts["kind"],
        name=texts["name"],
        text=texts["text"],
        details=texts["details"],
        values=values,
        sender=sender,
    )


class Channel:
    """One end of a conversation. A forked child may go on speaking through it."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        end.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    @classmethod
    def from_descriptor(cls, descriptor: int) -> Channel:
        """Take over an inherited descriptor."""
        return cls(socket.socket(fileno=descriptor))

    def send(self, message: Message) -> None:
        """Say something; nobody listening any more is no error."""
        try:
            self._end.send(encode(message), socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self, *, wait: bool = True) -> Message | None:
        """The next message; None when every other end is closed.

        Args:
            wait: whether to wait for one; otherwise None where none has come.

        Raises:
            Undecodable: what came is no message.
        """
        space = socket.CMSG_SPACE(_CREDENTIALS.size)
        try:
            flags = 0 if wait else socket.MSG_DONTWAIT
            packet, ancillary, _, _ = self._end.recvmsg(LARGEST, space, flags)
        except (ConnectionResetError, BlockingIOError):
            return None
        return decode(packet, _sender(ancillary)) if packet else None

    def fileno(self) -> int:
        """The descriptor, to be waited on or passed on."""
        return self._end.fileno()

    def hang_up(self) -> None:
        """Say nothing more: whoever listens at the other end hears that it is over."""
        with suppress(OSError):  # the others may have closed theirs already
            self._end.shutdown(socket.SHUT_WR)

    def wait_for_end(self) -> None:
        """Wait until no process holds the other end any more, whatever they still say."""
        with suppress(ConnectionResetError):
            while self._end.recv(1):
                continue

    def close(self) -> None:
        """Hang up; other processes that share this end may go on."""
        self._end.close()


def pair() -> tuple[Channel, Channel]:
    """Two ends of a new conversation."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), Channel(theirs)


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid: int = _CREDENTIALS.unpack(content)[0]
            return pid
    return 0

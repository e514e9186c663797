"""A netlink socket, of rtnetlink or any other protocol.

It belongs to the network namespace of the thread that opened it, for as long as
it lives: see `namespace.Namespace.socket` for one that works inside a pod.

`_socket` is the part of :mod:`socket` written in C; the part in Python takes
2 ms to import, for nothing that is used here.

May import: errors, conversation, codec, constants.
"""

from __future__ import annotations

import errno
from _socket import (
    AF_NETLINK,
    MSG_DONTWAIT,
    MSG_TRUNC,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SOCK_CLOEXEC,
    SOCK_RAW,
    SOL_SOCKET,
)
from _socket import socket as RawSocket
from struct import pack

from dari.errors import TryAgain, Undecodable, kernel_error
from dari.netlink.codec import parse_messages
from dari.netlink.constants import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
    NETLINK_ROUTE,
    SOL_NETLINK,
)
from dari.netlink.conversation import Conversation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from dari.netlink.codec import Message

# Parts of a dump have up to 32 KiB (net/netlink/af_netlink.c), a single message less than
# the 64 KiB that its attributes can tell of; asking for the size first would take as long
# as the receiving.
_LARGEST = 65536
# Events of a burst wait here until they are read; the kernel doubles it, and
# holds it to net.core.rmem_max.
_EVENT_BUFFER = 1 << 20
# The kernel answers before `send` returns. Only a lost answer takes longer, and
# must not hang a runtime.
_ANSWER_SECONDS = 10
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_INSTRUCTION = 8  # bytes of struct sock_filter


class Overrun(TryAgain):
    """Messages were dropped because they were not read in time: look at it all anew."""


class _Carrier:
    """Datagrams to and from the kernel; see `conversation.Carrier`."""

    def __init__(self, socket: RawSocket) -> None:
        self._socket = socket

    def send(self, datagram: bytes) -> None:
        try:
            self._socket.sendmsg([datagram])
        except OSError as error:
            raise kernel_error("send a netlink request", error.errno or 0) from None

    def receive(self) -> bytes:
        try:
            return self.datagram(0)
        except BlockingIOError:
            raise TryAgain(f"netlink: no answer within {_ANSWER_SECONDS} s") from None

    def datagram(self, flags: int) -> bytes:
        """One whole datagram, if the kernel sent it."""
        try:
            data, _, seen, sender = self._socket.recvmsg(_LARGEST, 0, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise Overrun("netlink: the kernel dropped messages") from None
            raise kernel_error("receive from netlink", error.errno or 0) from None
        if seen & MSG_TRUNC:
            raise Undecodable("netlink: a message was cut short")
        if sender[0] != 0:
            raise Undecodable(f"netlink: a message from port {sender[0]}, not the kernel")
        return data


class NetlinkSocket(Conversation):
    """Talks with the kernel, or listens to groups of events.

    Args:
        protocol: NETLINK_ROUTE, or another NETLINK_* number.
        groups: multicast groups (RTNLGRP_*) to hear of. A socket with groups is
            for `receive` alone, since events would come between answers.
        deaf: a program that says which messages are not for it (`deaf.deaf_to`).
        opened: descriptor of a new socket of this protocol, to be used; None to open one.

    Raises:
        KernelRefused: the kernel lacks the protocol, or forbids the group.
    """

    def __init__(
        self,
        protocol: int = NETLINK_ROUTE,
        groups: Sequence[int] = (),
        deaf: bytes = b"",
        opened: int | None = None,
    ) -> None:
        try:
            self._socket = RawSocket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol, opened)
        except OSError as error:
            raise kernel_error("open a netlink socket", error.errno or 0) from None
        self._datagrams = _Carrier(self._socket)
        super().__init__(self._datagrams)
        try:
            if deaf:
                self._attach(deaf)
            self._prepare(groups)
        except OSError as error:
            self._socket.close()
            raise kernel_error("prepare a netlink socket", error.errno or 0) from None

    def receive(self, *, wait: bool = True) -> list[Message]:
        """The events of one datagram.

        Args:
            wait: whether to wait for one; otherwise none gives an empty list.

        Raises:
            Overrun: the kernel dropped events.
            Undecodable: it is no message of the kernel's.
        """
        try:
            return parse_messages(self._datagrams.datagram(0 if wait else MSG_DONTWAIT))
        except BlockingIOError:
            return []

    @property
    def port(self) -> int:
        """By which the kernel's notifications name this socket as what they are due to."""
        return int(self._socket.getsockname()[0])

    def fileno(self) -> int:
        """The descriptor, to wait on; -1 once it is closed."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it; again is harmless."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def _prepare(self, groups: Sequence[int]) -> None:
        for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
            self._wish(option)
        self._socket.bind((0, 0))
        if not groups:
            limit = pack("@ll", _ANSWER_SECONDS, 0)
            self._socket.setsockopt(SOL_SOCKET, SO_RCVTIMEO, limit)
            return
        self._socket.setsockopt(SOL_SOCKET, SO_RCVBUF, _EVENT_BUFFER)
        for group in groups:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def _attach(self, program: bytes) -> None:
        """Have the kernel run a program on each message: struct sock_fprog, socket(7)."""
        from array import array  # the agent's listeners alone have a program

        code = array("B", program)
        place, size = code.buffer_info()
        what = pack("@HP", size // _INSTRUCTION, place)
        self._socket.setsockopt(SOL_SOCKET, _SO_ATTACH_FILTER, what)

    def _wish(self, option: int) -> None:
        """Switch an option on; kernels before 4.20 lack the strict check."""
        try:
            self._socket.setsockopt(SOL_NETLINK, option, 1)
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise

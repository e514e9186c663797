"""What becomes of a datagram that is sent to a UDP port: as much as the sender can know.

A port that is open need not answer, so that silence alone does not tell it from one that a
filter guards. A refusal is an ICMP error; the kernel keeps it with who sent it, which tells
the port's own host from a router on the way.

Source: ip(7) and ipv6(7), IP_RECVERR; RFC 792, RFC 4443 (destination unreachable);
linux/errqueue.h.
May import: model, record.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from ipaddress import ip_address
from struct import Struct
from typing import TYPE_CHECKING

from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress

OPEN, REFUSED, FORBIDDEN, SILENT = "open", "refused", "forbidden", "silent"
_TRIES = 2
_SECONDS = 1.0
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_RECVERR = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}
_MSG_ERRQUEUE = 0x2000
# struct sock_extended_err, then the sockaddr of who sent the error
_ERROR = Struct("=IBBBxII")
_SOCKADDR = {4: (Struct("=HH4s"), 2), 6: (Struct("=HHI16s"), 3)}
_ICMP_ORIGINS = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
_PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}
_PROHIBITED = {4: ((3, 9), (3, 10), (3, 13)), 6: ((1, 1), (1, 5), (1, 6))}
_ROOM = 512


class Outcome(Record):
    """What became of it.

    Attributes:
        state: `OPEN`: something answered; `REFUSED`: nobody listens, or a filter says so;
            `FORBIDDEN`: a filter says that it forbids it; `SILENT`: taken, or dropped.
        by: who refused or forbade it.
    """

    state: str
    by: IPAddress | None = None


def send(address: IPAddress, port: int, payload: bytes) -> Outcome:
    """Send a datagram, twice where nothing comes of the first, and wait for what comes back.

    Args:
        payload: such that no program takes it for an order.
    """
    try:
        with socket.socket(_FAMILY[address.version], socket.SOCK_DGRAM) as opened:
            opened.setsockopt(*_RECVERR[address.version], 1)
            opened.connect((str(address), port))
            return _tried(opened, address.version, payload)
    except OSError:
        return Outcome(state=SILENT)  # no route, or not allowed: nothing left this machine


def _tried(opened: socket.socket, version: int, payload: bytes) -> Outcome:
    for _ in range(_TRIES):
        _send_at_all(opened, payload)
        waiting = select.poll()
        waiting.register(opened, select.POLLIN)
        if waiting.poll(_SECONDS * 1000):
            told = _told(opened, version)
            if told is not None:
                return told
    return Outcome(state=SILENT)


def _send_at_all(opened: socket.socket, payload: bytes) -> None:
    """An error that came meanwhile is told by the first call after it, whatever that is."""
    with suppress(OSError):
        opened.send(payload)


def _told(opened: socket.socket, version: int) -> Outcome | None:
    """What the error queue says, or else an answer; None where it is of no meaning here."""
    try:
        _data, controls, _flags, _from = opened.recvmsg(_ROOM, _ROOM, _MSG_ERRQUEUE)
    except BlockingIOError:
        controls = []
    for level, kind, said in controls:
        if (level, kind) == _RECVERR[version]:
            return outcome(said, version)
    try:
        opened.recv(_ROOM, socket.MSG_DONTWAIT)
    except OSError:
        return None
    return Outcome(state=OPEN)


def outcome(said: bytes, version: int) -> Outcome | None:
    """Read an error of the kernel's queue; None where it is neither a refusal nor forbidding."""
    if len(said) < _ERROR.size:
        return None
    _errno, origin, kind, code, _info, _data = _ERROR.unpack_from(said)
    if origin not in _ICMP_ORIGINS:
        return None
    if (kind, code) == _PORT_UNREACHABLE[version]:
        return Outcome(state=REFUSED, by=_sender(said[_ERROR.size :], version))
    if (kind, code) in _PROHIBITED[version]:
        return Outcome(state=FORBIDDEN, by=_sender(said[_ERROR.size :], version))
    return None


def _sender(sockaddr: bytes, version: int) -> IPAddress | None:
    layout, place = _SOCKADDR[version]
    if len(sockaddr) < layout.size:
        return None
    return ip_address(layout.unpack_from(sockaddr)[place])

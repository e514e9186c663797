"""Echo requests from every place to every other at once, and where each was last seen.

Packet sockets watch in every place of a lab. A packet is known by its payload, which no
rewriting changes and tunnels carry along; the kernel's timestamps tell which place was last.

Source: packet(7), socket(7) for SO_TIMESTAMPNS.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from ipaddress import ip_address

from dari.explain.echo import PROTOCOL, echo_in, echo_request, replied
from dari.netlink.namespace import Namespace
from dari.record import Record

_ETH_P_ALL, _PACKET_OTHERHOST = 3, 3
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33  # asm-generic/socket.h
_TIMESTAMP = struct.Struct("qq")
_ROOM = 32 << 20  # bytes that may wait in a watching socket
_CHUNK = 256  # bytes of each packet that are looked at
_AGAIN = 0.3  # seconds until what was not answered is sent again
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_PAYLOAD = struct.Struct("!II")  # of this storm; number of the packet


class Ping(Record):
    """One to be sent: from a place to another's address."""

    source: str
    target: str
    address: str


class Fate(Record):
    """What became of one.

    Attributes:
        answered: the target's answer came in at the source; nobody else's counts.
        last: the last place that saw the answer of the target, or else the request.
        back: was it the answer that was seen there?
    """

    answered: bool
    last: str
    back: bool


class _Seen(Record):
    """A packet in a place at a time, in nanoseconds."""

    place: str
    at: int
    reply: bool


def send(
    pings: Sequence[Ping],
    pids: Mapping[str, int],
    ports: Mapping[str, Collection[str]],
    seconds: float,
) -> list[Fate]:
    """Send all of them, again and again until answered.

    Args:
        pids: of the processes that hold the places; all of these are watched.
        ports: names of a place's bridge ports. What is not for a place itself counts as seen
            there where it came in by one of these: elsewhere a switch merely flooded it.
        seconds: how long they are tried.
    """
    with ExitStack() as stack:
        doors = {
            name: stack.enter_context(Namespace.open(f"/proc/{pid}/ns/net"))
            for name, pid in pids.items()
        }
        storm = _Storm(pings, doors, ports, stack)
        storm.run(seconds)
        return storm.fates()


class _Storm:
    def __init__(
        self,
        pings: Sequence[Ping],
        doors: Mapping[str, Namespace],
        ports: Mapping[str, Collection[str]],
        stack: ExitStack,
    ) -> None:
        self._pings = pings
        self._ports = ports
        self._mark = int.from_bytes(os.urandom(4), "big")
        self._seen: list[list[_Seen]] = [[] for _one in pings]
        self._home: set[int] = set()
        self._watching = stack.enter_context(selectors.DefaultSelector())
        for name, door in doors.items():
            tap = stack.enter_context(door.run(_tap))
            self._watching.register(tap, selectors.EVENT_READ, name)
        self._raw = {}
        for name, version in {(one.source, _version(one)) for one in pings}:
            raw = stack.enter_context(doors[name].run(partial(_raw, version)))
            self._raw[name, version] = raw
            self._watching.register(raw, selectors.EVENT_READ, "")

    def run(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        number = 0
        while self._waiting and time.monotonic() < deadline:
            number += 1
            for place, one in enumerate(self._pings):
                if place not in self._home:
                    self._send(one, number, _PAYLOAD.pack(self._mark, place))
                    self._watch(0)
            self._watch(min(deadline, time.monotonic() + _AGAIN))

    @property
    def _waiting(self) -> bool:
        return len(self._home - {-1}) < len(self._pings)

    def _send(self, one: Ping, number: int, payload: bytes) -> None:
        raw = self._raw[one.source, _version(one)]
        with suppress(OSError):  # no route, or an earlier packet's error
            raw.sendto(
                echo_request(int(raw.family), self._mark & 0xFFFF, number, payload),
                (one.address, 0),
            )

    def _watch(self, until: float) -> None:
        """Read what was seen until a time, or until all is answered; 0: what is there."""
        while True:
            left = max(until - time.monotonic(), 0) if self._waiting else 0
            ready = self._watching.select(left)
            for key, _events in ready:
                assert isinstance(key.fileobj, socket.socket)
                with suppress(OSError):  # all is read, or there was an earlier packet's error
                    while True:
                        self._read(key.data, key.fileobj)
            if not (left or ready):
                return

    def _read(self, place: str, source: socket.socket) -> None:
        """One packet of a socket; one without a place is a sender's own, which gets answers."""
        if not place:
            payload = replied(int(source.family), source.recv(_CHUNK))
            self._home.add(self._number(payload or b""))
            return
        frame, notes, _flags, (link, _protocol, kind, *_rest) = source.recvmsg(_CHUNK, 64)
        found = echo_in(frame)
        passing = kind == _PACKET_OTHERHOST and link not in self._ports.get(place, ())
        if found is None or passing:
            return
        reply, payload = found
        if (number := self._number(payload)) >= 0:
            self._seen[number].append(_Seen(place=place, at=_time_of(notes), reply=reply))

    def _number(self, payload: bytes) -> int:
        """Which ping a payload is of; -1: none of this storm."""
        if len(payload) < _PAYLOAD.size:
            return -1
        mark, number = _PAYLOAD.unpack_from(payload)
        return number if mark == self._mark else -1

    def fates(self) -> list[Fate]:
        return [
            _fate(ping, number in self._home, seen)
            for number, (ping, seen) in enumerate(zip(self._pings, self._seen, strict=True))
        ]


def _fate(ping: Ping, home: bool, seen: Sequence[_Seen]) -> Fate:
    replies = [one for one in seen if one.reply]
    back = any(one.place == ping.target for one in replies)
    told = replies if back else [one for one in seen if not one.reply]
    last = max(told, key=lambda one: one.at, default=None)
    return Fate(answered=home and back, last=last.place if last else ping.source, back=back)


def _version(one: Ping) -> int:
    return ip_address(one.address).version


def _tap() -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    with suppress(PermissionError):  # root of its own user namespace alone may not
        tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    tap.setblocking(False)
    return tap


def _raw(version: int) -> socket.socket:
    family = _FAMILY[version]
    raw = socket.socket(family, socket.SOCK_RAW, PROTOCOL[family])
    raw.setblocking(False)
    return raw


def _time_of(notes: Sequence[tuple[int, int, bytes]]) -> int:
    for level, kind, data in notes:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESTAMP.unpack(data[: _TIMESTAMP.size])
            return int(seconds * 1_000_000_000 + nanoseconds)
    return 0

"""Sends a real packet where a journey was read, and watches where it comes by.

Packet sockets watch in every place of the journey; nothing is set in any kernel, so that
nothing is left even where this process is killed. Sockets are opened by threads that
enter the places' namespaces, and stay there.

Source: packet(7), raw(7), ip(7).
May import: errors, netlink.namespace, record, and within explain: echo, journey, messages.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from dari.errors import BadNamespace
from dari.explain.echo import PROTOCOL, echo_request
from dari.explain.journey import ICMP, TCP, Journey
from dari.explain.messages import _
from dari.netlink.namespace import Namespace
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress, Json

_ETH_P_ALL = 3
_PACKET_OTHERHOST, _PACKET_OUTGOING = 3, 4  # the first: flooded by a switch, but for bridges
_TRIES, _INTERVAL = 4, 0.35  # the kernel takes up to a second to find a neighbour out
_CHUNK = 65536
_MOST = 20_000  # packets that are kept to look for ours among them
_FAMILY: Mapping[int, int] = {4: socket.AF_INET, 6: socket.AF_INET6}
_LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
_MTU_DISCOVER = {4: 10, 6: 23}  # IP_MTU_DISCOVER, IPV6_MTU_DISCOVER (linux/in.h, in6.h)
_WHOLE = 2  # IP_PMTUDISC_DO: never cut up
_HEADERS = {4: 28, 6: 48}  # bytes of IP and ICMP headers
_PORTS = struct.Struct("!HH")


class Live(Record):
    """What became of real packets.

    Attributes:
        answered: an answer came back to the source.
        there, back: places where the packet, and its answer, came by, in that order.
        large: did a packet as large as the first link takes, not to be cut up, get an answer
            too? None: it was not tried.
        error: what the sender's kernel said, if it did.
    """

    answered: bool
    there: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    large: bool | None = None
    error: str = ""

    def last(self, source: str) -> str:
        """The last place that saw it: the packet, or the answer where there was one."""
        return next(reversed([*self.there, *self.back]), source)

    def as_json(self) -> Json:
        """Its fields by name."""
        return {
            "answered": self.answered,
            "there": list(self.there),
            "back": list(self.back),
            "large": self.large,
            "error": self.error,
        }


def agrees(journey: Journey, live: Live) -> bool:
    """Did the packets do what the tables say, and get as far?"""
    large_lost = live.large is False and journey.largest > 0
    if journey.depends:
        return True  # whatever they do, it was said that they might
    if journey.answered != live.answered or large_lost:
        return False
    last = live.last(journey.source.name)
    placed = live.answered or not journey.complete
    return placed or journey.ends_with(last, answer=bool(live.back))


def send(journey: Journey, doors: Mapping[str, str]) -> Live:
    """Send what the journey is about.

    Args:
        doors: the namespace's file of each place that may be watched, by name.

    Raises:
        BadNamespace: the source's cannot be entered.
    """
    places = [journey.source.name, *(hop.where for hop in (*journey.there, *journey.back))]
    names = dict.fromkeys([*places, journey.target.name])
    with ExitStack() as stack:
        watchers = {}
        for name in names:
            with suppress(BadNamespace, KeyError, OSError):
                namespace = stack.enter_context(Namespace.open(doors[name]))
                watchers[name] = stack.enter_context(namespace.run(_watcher))
        source = stack.enter_context(Namespace.open(doors[journey.source.name]))
        trial = _Trial(journey, source, watchers)
        live = trial.run(0)
        if live.answered and journey.flow.protocol == ICMP:
            size = source.run(partial(_first_mtu, journey.target.address))
            live = live.replace(large=trial.run(size).answered if size else None)
        return live


def _watcher() -> socket.socket:
    watching = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    watching.setblocking(False)
    return watching


def _first_mtu(address: IPAddress) -> int:
    """MTU of the way to an address as the sender's kernel knows it, in bytes."""
    family, level = _FAMILY[address.version], _LEVEL[address.version]
    option = {4: 14, 6: 24}[address.version]  # IP_MTU, IPV6_MTU
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect((str(address), 9))
        return asking.getsockopt(level, option)
    return 0


class _Trial:
    """One kind of packet, sent a few times; `watchers` are read meanwhile."""

    def __init__(
        self, journey: Journey, source: Namespace, watchers: Mapping[str, socket.socket]
    ) -> None:
        self._journey = journey
        self._source = source
        self._watchers = watchers
        hops = (*journey.there, *journey.back)
        self._bridging = {hop.where for hop in hops if hop.step in ("fdb", "link")}

    def run(self, size: int) -> Live:
        """Send, and tell what was seen.

        Args:
            size: bytes of the IP packet; 0: small.
        """
        version = self._journey.target.address.version
        nonce = os.urandom(8)
        room = max(size - _HEADERS[version], len(nonce)) & ~1 if size else len(nonce)
        payload = nonce.ljust(room, b"\0")
        with self._source.run(self._open) as sender:
            ports = _PORTS.pack(sender.getsockname()[1], self._journey.flow.port)
            seen = self._seen = _Seen(self._journey.flow.protocol, nonce, ports)
            error = ""
            for number in range(_TRIES):
                error = self._send(sender, number, payload) or error
                self._watch(time.monotonic() + _INTERVAL)
                if self._seen.came_home(self._journey.source.name):
                    break
        order = list(self._watchers)
        sightings = seen.sightings()
        there = {name for name, answer, _in in sightings if not answer}
        back = {name for name, answer, _in in sightings if answer}
        return Live(
            answered=seen.came_home(self._journey.source.name),
            there=tuple(sorted(there, key=order.index)),
            back=tuple(sorted(back, key=order.index, reverse=True)),
            error=error,
        )

    def _open(self) -> socket.socket:
        flow, address = self._journey.flow, self._journey.target.address
        family = _FAMILY[address.version]
        if flow.protocol == ICMP:
            sender = socket.socket(family, socket.SOCK_RAW, PROTOCOL[family])
            level = _LEVEL[address.version]
            sender.setsockopt(level, _MTU_DISCOVER[address.version], _WHOLE)
            return sender
        kind = socket.SOCK_STREAM if flow.protocol == TCP else socket.SOCK_DGRAM
        sender = socket.socket(family, kind)
        sender.setblocking(False)
        sender.bind(("", 0))
        return sender

    def _send(self, sender: socket.socket, number: int, payload: bytes) -> str:
        flow, address = self._journey.flow, str(self._journey.target.address)
        try:
            if flow.protocol == ICMP:
                packet = echo_request(int(sender.family), os.getpid() & 0xFFFF, number, payload)
                sender.sendto(packet, (address, 0))
            elif flow.protocol == TCP:
                sender.connect((address, flow.port))
            else:
                sender.sendto(payload, (address, flow.port))
        except BlockingIOError:
            return ""  # TCP goes on by itself
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _watch(self, until: float) -> None:
        with selectors.DefaultSelector() as selector:
            for name, watching in self._watchers.items():
                selector.register(watching, selectors.EVENT_READ, name)
            while (left := until - time.monotonic()) > 0:
                for key, _events in selector.select(left):
                    self._read(key.data, self._watchers[key.data])
                if self._seen.came_home(self._journey.source.name):
                    # Where it came by on the way may have been read before it was there.
                    for name, watching in self._watchers.items():
                        self._read(name, watching)
                    return

    def _read(self, name: str, watching: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                packet, (_ifname, _protocol, kind, *_rest) = watching.recvfrom(_CHUNK)
                if kind != _PACKET_OTHERHOST or name in self._bridging:
                    self._seen.note(name, packet, kind)


class _Seen:
    """Where packets came by.

    Args:
        protocol: theirs.
        nonce: bytes that an echo request or a UDP packet carries, and its answer too.
        ports: of TCP, as they leave the source: the first packet with them tells the
            sequence number, by which it is known wherever its ports are rewritten.
    """

    def __init__(self, protocol: str, nonce: bytes, ports: bytes) -> None:
        self._protocol = protocol
        self._nonce = nonce
        self._ports = ports
        self._packets: list[tuple[str, bytes, int]] = []

    def note(self, name: str, packet: bytes, kind: int) -> None:
        """A packet was seen in a place."""
        if len(self._packets) < _MOST:
            self._packets.append((name, packet, kind))

    def sightings(self) -> list[tuple[str, bool, bool]]:
        """Place, is it the answer, and did it come in there?"""
        marks = self._tcp_marks() if self._protocol == TCP else (self._nonce, self._nonce)
        found = []
        for name, packet, kind in self._packets:
            answer = marks is not None and _is_answer(self._protocol, packet, *marks)
            if marks is not None and (answer or marks[0] in packet):
                found.append((name, answer, kind != _PACKET_OUTGOING))
        return found

    def _tcp_marks(self) -> tuple[bytes, bytes] | None:
        for _name, packet, _kind in self._packets:
            place = packet.find(self._ports)
            if place >= 0 and len(packet) >= place + 8:
                number = int.from_bytes(packet[place + 4 : place + 8], "big")
                following = (number + 1) % (1 << 32)
                return number.to_bytes(4, "big"), following.to_bytes(4, "big")
        return None

    def came_home(self, source: str) -> bool:
        """Did an answer come in where the packet was sent?"""
        return any(each == (source, True, True) for each in self.sightings())


def _is_answer(protocol: str, packet: bytes, mark: bytes, answer: bytes) -> bool:
    if protocol == TCP:
        return answer in packet and mark not in packet
    place = packet.find(mark)
    if place < 0:
        return False
    if protocol == ICMP:
        return place >= 8 and packet[place - 8] in (0, 129)  # echo replies
    icmp = {4: packet[23:24] == b"\x01", 6: packet[20:21] == b"\x3a"}
    return icmp.get(packet[14] >> 4, False)  # port unreachable: it arrived


def lines(journey: Journey, live: Live) -> Sequence[str]:
    """What was seen, in words; and whether it is what the tables say."""
    arrow = " → "
    found = [_("seen there: {places}").format(places=arrow.join(live.there) or "-")]
    if live.back:
        found.append(_("seen back: {places}").format(places=arrow.join(live.back)))
    if live.error:
        found.append(_("the sender's kernel says: {error}").format(error=live.error))
    if live.answered:
        found.append(_("A real packet was answered."))
    else:
        last = live.last(journey.source.name)
        found.append(
            _("No real packet was answered; the last was seen at {last}.").format(last=last)
        )
    if live.large is False:
        found.append(_("The largest packet was not answered."))
    if not agrees(journey, live):
        found.append(_("The packets do otherwise than the tables say."))
    return found

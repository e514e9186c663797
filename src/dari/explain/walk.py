"""Walks there and back again: the door to explaining. Pure.

May import: causes, snapshot, and within explain: all but show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dari.causes.finding import Finding
from dari.causes.paths import NEIGHBOUR_STALE, NEXT_HOP_SILENT
from dari.explain.chance import Chances, each
from dari.explain.ends import find_ends
from dari.explain.journey import ICMP, PASSES, UNREAD, End, Flow, Hop, Journey
from dari.explain.judge import Judges
from dari.explain.judge_links import pod_address, same_address
from dari.explain.layer3 import Walker
from dari.explain.packet import Memory, Packet
from dari.explain.source import source_for
from dari.explain.stops import Delivered, Stopped
from dari.explain.world import Spot, World
from dari.record import Record
from dari.snapshot.model import Snapshot

if TYPE_CHECKING:
    from dari.model import IPAddress

_ANY = Flow()
# What a packet that was led astray meets at last: not a cause of its own.
_CONSEQUENCES = (NEXT_HOP_SILENT.code, NEIGHBOUR_STALE.code)
_SOURCE_PORT = 40000
_LONG = 100  # hops, as no way has that leads anywhere
_SMALLEST = 576  # bytes that every IPv4 host takes (RFC 791)


class _Way(Record):
    """One direction: its hops, and where it ended, or why it stopped."""

    hops: tuple[Hop, ...]
    end: Delivered | None
    finding: Finding | None
    suspects: tuple[Finding, ...]
    too_big: int = 0


def walk(snapshot: Snapshot, source: str, target: str, flow: Flow = _ANY) -> Journey:
    """What becomes of a packet from one end to the other, and of its answer.

    Args:
        snapshot: of all machines on the way, as far as there is one.
        source, target: as `ends.find_ends` takes them.
        flow: which packets.

    Raises:
        BadConfig: an end is not known, or they have no family in common.
    """
    world = World(snapshot)
    return walk_between(world, *find_ends(world, source, target, flow.version), flow)


def walk_between(world: World, source: End, target: End, flow: Flow = _ANY) -> Journey:
    """The same for ends already found, in a world that serves many walks.

    Args:
        world: of the snapshot.
        source: has to be in one of its places.
    """
    outcomes = list(each(lambda chances: _Walk(world, source, target, flow, chances).done()))
    now, _chances = outcomes[0]
    if len({journey.answered for journey, _chances in outcomes}) == 1:
        return now
    reasons = [one for _journey, chances in outcomes for one in chances.reasons]
    found = [one for journey, _chances in outcomes for one in journey.findings]
    return now.replace(depends=tuple(dict.fromkeys(reasons)), findings=_unique(found))


class _Walk:
    """One journey under way."""

    def __init__(
        self, world: World, source: End, target: End, flow: Flow, chances: Chances
    ) -> None:
        self._world = world
        self._source = source
        self._target = target
        self._flow = flow
        self._judges = Judges()
        self._memory = Memory()
        self._chances = chances

    def done(self) -> Journey:
        start = self._world.spot(self._source.machine, self._source.pod)
        journey = Journey(source=self._source, target=self._target, flow=self._flow)
        if start is None:
            return journey.replace(complete=False)
        meant = self._source.address
        self._source = self._source.replace(address=self._own_address(start))
        journey = journey.replace(source=self._source)
        packet = Packet(
            src=self._source.address,
            dst=self._target.address,
            protocol=self._flow.protocol,
            sport=0 if self._flow.protocol == ICMP else _SOURCE_PORT,
            dport=self._flow.port,
            bound=self._source.name == str(self._source.address),
        )
        there = self._go(start, packet)
        findings = [*self._unaddressed(start, meant), *_findings(there)]
        journey = journey.replace(there=there.hops, findings=_unique(findings))
        arrived = there.end is not None and self._is_target(there.end)
        if there.end is not None and not arrived:
            journey = self._with_twin(journey, there.end, self._target)
        if there.end is None or not arrived:
            return _complete(journey)
        journey = journey.replace(arrives=True, seen_as=there.end.packet.src)
        answer = Packet(
            src=there.end.packet.dst,
            dst=there.end.packet.src,
            protocol=packet.protocol,
            sport=packet.dport,
            dport=packet.sport,
            reply=True,
            link=there.end.link.name if there.end.packet.src.is_link_local else "",
        )
        back = self._go(there.end.spot, answer)
        answered = back.end is not None and back.end.spot is start
        journey = journey.replace(
            back=back.hops,
            answered=answered,
            findings=_unique([*journey.findings, *_findings(back)]),
        )
        if back.end is not None and not answered:
            journey = self._with_twin(journey, back.end, self._source)
        if answered:
            journey = self._with_size(journey, start, packet, there.end, answer)
        return _complete(journey)

    def _with_twin(self, journey: Journey, end: Delivered, meant: End) -> Journey:
        """It came to another place than was meant, which has the same address."""
        other = self._world.spot(meant.machine, meant.pod)
        address = end.packet.dst
        if other is None or not other.holds(address):
            return journey
        twins = same_address(address, [other, end.spot])
        return journey.replace(findings=_unique([*journey.findings, twins]))

    def _own_address(self, start: Spot) -> IPAddress:
        """The address that it sends from: of a machine the one that its route says.

        Of a pod its own; where it has lost that, whatever its kernel finds instead.
        """
        source = self._source
        fixed = bool(source.pod) or source.name == str(source.address)
        if fixed and start.holds(source.address):
            return source.address
        return source_for(start, self._target.address) or source.address

    def _unaddressed(self, start: Spot, address: IPAddress) -> list[Finding]:
        """A pod that lacks the address which its lease names."""
        if start.pod is None or start.holds(address) or not start.pod.attachments:
            return []
        ifname = start.pod.attachments[0].ifname
        return [pod_address(self._judges.of(start), start, ifname, address)]

    def _is_target(self, end: Delivered) -> bool:
        wanted = self._target
        if not wanted.machine:
            return True
        return self._world.spot(wanted.machine, wanted.pod) is end.spot

    def _go(self, spot: Spot, packet: Packet) -> _Way:
        hops: list[Hop] = []
        walker = Walker(self._world, hops.append, self._judges, self._memory, self._chances)
        try:
            end = walker.send(spot, packet)
        except Stopped as stopped:
            return _Way(
                hops=_one_round(hops),
                end=None,
                finding=stopped.finding,
                suspects=tuple(walker.suspects),
                too_big=stopped.too_big,
            )
        return _Way(hops=tuple(hops), end=end, finding=None, suspects=tuple(walker.suspects))

    def _with_size(
        self, journey: Journey, start: Spot, packet: Packet, end: Delivered, answer: Packet
    ) -> Journey:
        """The largest packets that each end sends: they must pass, or their sender be told."""
        found: list[Finding] = []
        sizes = []
        for spot, one in ((start, packet), (end.spot, answer)):
            way, size = self._largest(spot, one)
            sizes.append(size)
            found += [way.finding] if way.end is None and way.finding else []
            if way.end is None:
                hops = "there" if spot is start else "back"
                lost = [hop for hop in way.hops if hop.verdict != PASSES]
                journey = journey.replace(**{hops: (*getattr(journey, hops), *lost)})
        return journey.replace(findings=_unique([*journey.findings, *found]), largest=min(sizes))

    def _largest(self, spot: Spot, packet: Packet) -> tuple[_Way, int]:
        """As large as its first link takes; where a router says less, as large as that."""
        size = max((link.mtu for link in spot.place.links if link.name != "lo"), default=1500)
        way = self._go(spot, packet.replace(size=size))
        while way.end is None and _SMALLEST <= way.too_big < size:
            size = way.too_big
            way = self._go(spot, packet.replace(size=size))
        return way, size if way.end else 0


def _one_round(hops: Sequence[Hop]) -> tuple[Hop, ...]:
    """A way in circles is told once around, and where it ended."""
    known: set[tuple[str, str, str]] = set()
    for place, hop in enumerate(hops if len(hops) > _LONG else ()):
        if (hop.where, hop.step, hop.row) in known:
            return (*hops[:place], hops[-1])
        known.add((hop.where, hop.step, hop.row))
    return tuple(hops)


def _findings(way: _Way) -> tuple[Finding, ...]:
    """What contradicts the records comes first: it is why the rest went as it did."""
    own = [way.finding] if way.finding else []
    if way.suspects and own and own[0].code in _CONSEQUENCES:
        own = []
    return _unique([*way.suspects, *own])


def _unique(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple({(one.code, one.where, one.subject): one for one in findings}.values())


def _complete(journey: Journey) -> Journey:
    hops = (*journey.there, *journey.back)
    return journey.replace(complete=not any(hop.verdict == UNREAD for hop in hops))

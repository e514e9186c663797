"""What `dari explain` says of every pair of ends, beside what real packets do."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from bench.faults import storm
from bench.faults.storm import Fate, Ping
from dari.errors import DariError
from dari.explain.ends import find_ends
from dari.explain.journey import Flow, Journey
from dari.explain.walk import walk_between
from dari.explain.world import World
from dari.lab.faults import inside
from dari.lab.faults.scene import Scene
from dari.lab.state import State
from dari.lab.survey import survey
from dari.record import Record
from dari.snapshot.codec import decode, encode
from dari.snapshot.model import SWITCH, Snapshot

_SECONDS = 1.5
_AT_MOST = 400  # packets under way at once


class Agreement(Record):
    """How explain's word compares with real packets.

    Attributes:
        compared: pairs of ends of which explain said that a ping is answered or lost.
        differing: in words, each where it was the other.
        open: pairs of which explain said that it depends on who speaks last.
        answered: how many of those were answered.
        placed: pairs that were said to be lost, and were.
        misplaced: in words, each of them that got further, or less far, than was said.
    """

    compared: int = 0
    differing: tuple[str, ...] = ()
    open: int = 0
    answered: int = 0
    placed: int = 0
    misplaced: tuple[str, ...] = ()


class _Case(Record):
    """One pair: what explain says, and what became of the packets.

    Attributes:
        journey: None where explain says that an end is not there; `refused` then says why.
    """

    ping: Ping
    fate: Fate
    journey: Journey | None = None
    refused: str = ""

    @property
    def told(self) -> bool:
        """Does explain say that it is answered?"""
        return self.journey is not None and self.journey.answered

    @property
    def open(self) -> bool:
        """Does it say that this depends on who speaks last?"""
        return self.journey is not None and bool(self.journey.depends)

    @property
    def differs(self) -> bool:
        return not self.open and self.told != self.fate.answered

    @property
    def placed(self) -> bool:
        """Do both say that it is lost, so that the places can be compared?"""
        lost = not (self.told or self.fate.answered or self.open)
        return lost and self.journey is not None and self.journey.complete

    @property
    def misplaced(self) -> bool:
        """Is it lost elsewhere than explain says?"""
        if not self.placed or self.journey is None:
            return False
        return not self.journey.ends_with(self.fate.last, answer=self.fate.back)

    @property
    def wrong(self) -> bool:
        return self.differs or self.misplaced


def compare(state: State, scene: Scene, snapshot: Snapshot) -> Agreement:
    """Ask explain of a ping for every ordered pair of ends in every family, and send it.

    Where they differ, packets are sent once more between two readings of the tables, as a
    lab settles and neighbours are forgotten: one of the readings has to say what they did.
    """
    asked = list(pings(scene))
    cases = _read(snapshot, asked, _sent(state, asked, snapshot))
    again = [each.ping for each in cases if each.wrong]
    if again:
        before = survey(state)
        fates = _sent(state, again, before)
        readings = (_read(one, again, fates) for one in (before, survey(state)))
        better = {
            one.ping: other if one.wrong else one for one, other in zip(*readings, strict=True)
        }
        cases = [better.get(each.ping, each) for each in cases]
    return _summed(cases)


def pings(scene: Scene) -> Iterator[Ping]:
    """All pods and nodes ask; all pods, nodes and the host outside are asked."""
    nodes = [one.name for one in scene.topology.nodes]
    ends = [*(pod for one in scene.topology.nodes for pod in one.pods), *nodes]
    for source in ends:
        for target in (*ends, "outside"):
            if source != target:
                for version in scene.versions:
                    address = str(scene.address(target, version))
                    yield Ping(source=source, target=target, address=address)


def _read(snapshot: Snapshot, asked: Sequence[Ping], fates: Sequence[Fate]) -> list[_Case]:
    world = World(snapshot)
    return [_case(world, *each) for each in zip(asked, fates, strict=True)]


def _sent(state: State, asked: Sequence[Ping], snapshot: Snapshot) -> list[Fate]:
    """Send them, in a child process inside of the lab."""
    holders = {**state.holders, SWITCH: state.first}
    pids = {name: holder.pid for name, holder in holders.items()}
    ports = {
        machine.name: {one.name for one in machine.place.links if one.master}
        for machine in snapshot.machines
    }
    fates: list[Fate] = []
    for start in range(0, len(asked), _AT_MOST):
        part = asked[start : start + _AT_MOST]
        work = partial(_told_of, part, pids, ports)
        told = inside.attempt(state, work)
        fates += [decode(Fate, json.loads(text), "a packet's fate") for text in told]
    return fates


def _told_of(
    part: Sequence[Ping], pids: Mapping[str, int], ports: Mapping[str, Collection[str]]
) -> list[str]:
    return [json.dumps(encode(one)) for one in storm.send(part, pids, ports, _SECONDS)]


def _case(world: World, ping: Ping, fate: Fate) -> _Case:
    version = 6 if ":" in ping.address else 4
    try:
        ends = find_ends(world, ping.source, ping.address, version)
        journey = walk_between(world, *ends, Flow(version=version))
    except DariError as error:
        return _Case(ping=ping, fate=fate, refused=error.message)
    return _Case(ping=ping, fate=fate, journey=journey)


def _summed(cases: Sequence[_Case]) -> Agreement:
    opened = [each for each in cases if each.open]
    return Agreement(
        compared=len(cases) - len(opened),
        differing=tuple(_words(each) for each in cases if each.differs),
        open=len(opened),
        answered=sum(each.fate.answered for each in opened),
        placed=sum(each.placed for each in cases),
        misplaced=tuple(_words(each) for each in cases if each.misplaced),
    )


def _words(case: _Case) -> str:
    ping, fate, journey = case.ping, case.fate, case.journey
    said = case.refused
    if journey is not None:
        said = _word(case.told, *journey.ends_at)
        stop = next((hop for hop in (*journey.there, *journey.back) if hop.code), None)
        said += f" ({stop.code} at {stop.where}: {stop.row})" if stop else ""
    really = _word(fate.answered, fate.last, fate.back)
    return f"{ping.source} -> {ping.address} ({ping.target}): told {said}, really {really}"


def _word(answered: bool, last: str, back: bool) -> str:
    way = "the answer" if back else "the request"
    return "answered" if answered else f"lost, {way} at {last}"

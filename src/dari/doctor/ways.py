"""Walks over a covering selection of ways, for what no look at a single node can see.

Each pair of nodes once in each direction, by their first pods; each pod to the node
itself, and one pod of each node to the outside.

May import: causes, explain, errors, snapshot, doctor.report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations

from dari.causes.finding import Finding
from dari.errors import BadConfig
from dari.explain.ends import find_ends
from dari.explain.journey import End
from dari.explain.walk import walk_between
from dari.explain.world import World
from dari.snapshot.model import OUTSIDE, Machine, Snapshot

MOST = 400  # walks; a large cluster is covered by each node's way to the next few


def further(snapshot: Snapshot, known: Iterable[Finding]) -> Iterator[Finding]:
    """What walks find that is not known already, each cause once for each machine.

    Args:
        snapshot: of several machines; of one alone the other ends are not to be seen.
        known: what the checks found. Where they found a cause on a machine, a walk that
            meets the same there adds nothing.
    """
    told = {(each.where, each.code) for each in known}
    for finding in _walked(snapshot) if len(snapshot.nodes) > 1 else ():
        if (finding.where, finding.code) not in told:
            told.add((finding.where, finding.code))
            yield finding


def _walked(snapshot: Snapshot) -> Iterator[Finding]:
    world = World(snapshot)
    for source, target in _selection(world):
        yield from walk_between(world, source, target).findings


def _selection(world: World) -> Iterator[tuple[End, End]]:
    """Pairs of ends, once for each family that they have in common."""
    number = 0
    for source, target in _names(world.snapshot.nodes):
        for version in (4, 6):
            try:
                pair = find_ends(world, source, target, version)
            except BadConfig:
                continue  # nobody there has an address of this family
            number += 1
            if number > MOST:
                return
            yield pair


def _names(nodes: Sequence[Machine]) -> Iterator[tuple[str, str]]:
    firsts = {each.name: each.pods[0].name for each in nodes if each.pods}
    for node in nodes:
        for pod in node.pods:
            yield pod.name, node.name
    for name in firsts.values():
        yield name, OUTSIDE
    yield from permutations(firsts.values(), 2)

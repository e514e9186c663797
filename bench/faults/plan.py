"""Which cases are measured: every fault alone, random pairs, and healthy labs."""

from __future__ import annotations

import random
from collections.abc import Iterator

from bench.faults.shapes import SHAPES
from dari.lab.faults.catalogue import possible
from dari.lab.faults.choice import cast_for
from dari.lab.faults.exercise import Exercise
from dari.lab.topology import BACKENDS, Options, plan

# Two that cannot be told apart, or of which one makes the other impossible to break.
_ALIKE = (
    {"range-full", "lease-leaked"},
    {"conf-missing", "conf-broken"},
    {"executable-missing", "executable-broken"},
    {"bridge-missing", "bridge-down"},
    {"bridge-missing", "bridge-without-address"},
    {"tunnel-missing", "tunnel-settings"},
    {"tunnel-missing", "tunnel-fdb-stale"},
)


def alone(shape: str, seed: int) -> list[list[Exercise]]:
    """Every fault that the shape can have, one at a time."""
    topology = plan(SHAPES[shape])
    found = []
    for fault in possible(topology):
        dice = random.Random(f"{seed} {shape} {fault.name}")
        found.append([Exercise(fault=fault.name, cast=cast_for(topology, "", dice))])
    return found


def pairs(shape: str, seed: int) -> Iterator[list[Exercise]]:
    """Random pairs of faults without end, each fault somewhere of its own."""
    topology = plan(SHAPES[shape])
    dice = random.Random(f"{seed} {shape} pairs")
    names = [fault.name for fault in possible(topology)]
    while True:
        two = dice.sample(names, 2)
        if set(two) not in _ALIKE:
            yield [Exercise(fault=name, cast=cast_for(topology, "", dice)) for name in two]


def healthy(seed: int, count: int) -> Iterator[Options]:
    """Labs of varying shape."""
    dice = random.Random(f"{seed} healthy")
    for _number in range(count):
        yield Options(
            nodes=dice.choice((1, 2, 2, 3, 3, 4, 5)),
            pods=dice.choice((0, 1, 2, 3, 5)),
            ipv6=dice.random() < 0.5,
            routed=dice.random() < 0.4,
            backend=dice.choice(BACKENDS),
            store=dice.choice(("local", "local", "local", "etcd")),
        )

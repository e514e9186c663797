"""Everything that is measured, in the document's order. A new measurement is a line here.

May import: every module that measures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench import bursts, chains, peers, phases, scale, singles, traffic
from bench.figures import Section
from bench.sizes import Setup

Measurement = Callable[[Setup], list[Section]]

MEASUREMENTS: Mapping[str, Measurement] = {
    "singles": singles.measure,
    "chain": chains.measure,
    "bursts": bursts.measure,
    "scale": scale.measure,
    "peers": peers.measure,
    "phases": phases.measure,
    "traffic": traffic.measure,
}

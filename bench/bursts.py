"""Bursts: many pods that start, and end, at about the same time.

May import: crowd, figures, harness, quiet, scenarios, sizes, record.
"""

from __future__ import annotations

from contextlib import ExitStack

from bench.crowd import call_all
from bench.figures import Bar, Section, at_most
from bench.harness import Node
from bench.quiet import settle
from bench.scenarios import (
    DARI_FOLDER,
    Contestant,
    bridge_conf,
    start_agent,
    start_nothing,
)
from bench.sizes import Setup
from dari.record import Record

# What the design promises of 200 pods from 16 callers, for ADD and for DEL.
BUDGET = 0.1
BUDGET_CALLERS = 16
NOTE = (
    "ipMasq, theirs with iptables, ours through the agent; the time from the first start to "
    "the last end. The pods' namespaces are made before."
)


class Burst(Record):
    """What one burst took, on both sides, in milliseconds as a whole."""

    pods: int
    callers: int
    verb: str
    reference: float
    dari: float

    @property
    def ratio(self) -> float:
        """dari's time over the reference's."""
        return self.dari / self.reference


def measure(setup: Setup) -> list[Section]:
    """A burst of ADDs and one of DELs for each number of callers, on nodes of their own.

    Raises:
        BenchFailed: an executable ended with an error.
    """
    found: list[Burst] = []
    every = setup.sizes.callers
    for done, callers in enumerate(every, start=1):
        theirs, ours = (run(who, setup.sizes.burst, callers) for who in contestants(setup))
        found += [
            Burst(pods=setup.sizes.burst, callers=callers, verb=v, reference=t, dari=o)
            for v, t, o in zip(("ADD", "DEL"), theirs, ours, strict=True)
        ]
        setup.say(f"bursts of {setup.sizes.burst} pods", done, len(every))
    return [section(found)]


def contestants(setup: Setup) -> tuple[Contestant, Contestant]:
    """Theirs with iptables, ours with an agent."""
    conf = bridge_conf(masquerade=True)
    return (
        Contestant(folder=setup.reference, conf=conf, prepare=start_nothing),
        Contestant(folder=DARI_FOLDER, conf=conf, prepare=start_agent),
    )


def run(who: Contestant, number: int, callers: int) -> tuple[float, float]:
    """All ADDs, then all DELs, on a fresh node with one pod running; milliseconds of each."""
    settle()
    with ExitStack() as stack:
        node = Node()
        stack.callback(node.close)
        stop = node.do(who.prepare)
        stack.callback(lambda: node.do(stop))
        node.time("ADD", node.new_pod(), who.conf, who.folder)
        pods = node.new_pods(number)
        added, deleted = (
            node.do(call_all, verb, pods, who.conf, who.folder, callers) for verb in ("ADD", "DEL")
        )
    return added, deleted


def section(bursts: list[Burst]) -> Section:
    """The table. Pure."""
    pods = bursts[0].pods if bursts else 0
    return Section(
        key="bursts",
        title=f"Bursts of {pods} pods",
        headings=("callers at once", "", "reference, ms", "dari, ms", "ratio", "budget"),
        lines=tuple(_line(each) for each in bursts),
        note=NOTE,
        facts=[_fact(each) for each in bursts],
        bars=tuple(_bar(each) for each in bursts if each.callers == BUDGET_CALLERS),
    )


def _budget(burst: Burst) -> float | None:
    return BUDGET if burst.callers == BUDGET_CALLERS else None


def _line(burst: Burst) -> tuple[str, ...]:
    return (
        str(burst.callers),
        burst.verb,
        f"{burst.reference:.0f}",
        f"{burst.dari:.0f}",
        f"{burst.ratio:.3f}",
        at_most(burst.ratio, _budget(burst)),
    )


def _fact(burst: Burst) -> dict[str, object]:
    return {
        "pods": burst.pods,
        "callers": burst.callers,
        "verb": burst.verb,
        "unit": "ms",
        "reference": round(burst.reference, 2),
        "dari": round(burst.dari, 2),
        "ratio": round(burst.ratio, 4),
        "budget": _budget(burst),
    }


def _bar(burst: Burst) -> Bar:
    label = f"{burst.pods} {burst.verb}s, {burst.callers} at once"
    return Bar(label=label, theirs=burst.reference, ours=burst.dari)

"""Many pods on one node: what one more costs, and the agent's memory.

May import: bursts (for its contestants), crowd, figures, floor, harness, quiet, scenarios,
sizes, watch, record.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median

from bench.bursts import contestants
from bench.crowd import call_all
from bench.figures import Section, at_most
from bench.floor import floor
from bench.harness import Node, Pod
from bench.quiet import settle
from bench.scenarios import Contestant
from bench.sizes import Setup
from bench.watch import resident_mb, until_settled
from dari.record import Record

GROWTH_BUDGET = 1.2
MEMORY_BUDGET = 64.0  # MB
_FILLERS = 4  # callers that start the pods between two windows
_ENDERS = 16  # callers that end all of them
NOTE = (
    "ipMasq, theirs with iptables, ours through the agent. Medians of {window} ADDs, one after "
    "the other, around each; the pods in between come from {fillers} callers at once. The kernel "
    "floor is what the kernel alone takes to wire a pod, on a bridge with as many ports."
)
MEMORY_NOTE = "Resident memory (VmRSS); after deleting, once every cable is gone."


class Climb(Record):
    """What ADDs cost on the way up.

    Attributes:
        marks: which pods' ADDs.
        added: milliseconds of each, a median of a few around it.
    """

    marks: tuple[int, ...]
    added: tuple[float, ...]

    @property
    def growth(self) -> float:
        """The last mark's cost over the first's."""
        return self.added[-1] / self.added[0]


class Footprint(Record):
    """The agent's memory in MB, and the end of all pods, each in milliseconds."""

    pods: int
    empty: float
    full: float
    after: float
    deleted: float


def measure(setup: Setup) -> list[Section]:
    """Ours up, measured and down again; theirs up.

    Raises:
        BenchFailed: an executable ended with an error.
    """
    theirs_who, ours_who = contestants(setup)
    pods, window = setup.sizes.pods, setup.sizes.window
    ours, footprint = _ours(ours_who, pods, window)
    setup.say(f"{pods} pods on one node", 1, 2)
    theirs = _theirs(theirs_who, pods, window)
    settle()
    alone = climb_of(floor(pods), window)
    setup.say(f"{pods} pods on one node", 2, 2)
    return [section(theirs, ours, alone, window), memory_section(footprint)]


def marks_of(pods: int, window: int) -> tuple[int, ...]:
    """The tenth pod, the hundredth and the thousandth, then the last one.

    A mark whose window would reach into the last one's is left out. Pure.
    """
    room = pods - window - window // 2
    return (*(mark for mark in (10, 100, 1000) if mark <= room), pods)


def window_of(mark: int, window: int, pods: int) -> tuple[int, int]:
    """First pod of a mark's window, and the one after the last, counted from 0. Pure."""
    end = min(mark + window // 2, pods)
    return end - window, end


def _ours(who: Contestant, number: int, window: int) -> tuple[Climb, Footprint]:
    with ExitStack() as stack:
        node, pods = _get_ready(stack, who, number)
        empty = node.do(resident_mb)
        climb = _climb(node, pods, who, window)
        full = node.do(resident_mb)
        start = time.perf_counter()
        node.do(call_all, "DEL", pods, who.conf, who.folder, _ENDERS)
        node.do(until_settled)
        deleted = (time.perf_counter() - start) * 1000 / number
        after = node.do(resident_mb)
    return climb, Footprint(pods=number, empty=empty, full=full, after=after, deleted=deleted)


def _theirs(who: Contestant, number: int, window: int) -> Climb:
    with ExitStack() as stack:
        node, pods = _get_ready(stack, who, number)
        return _climb(node, pods, who, window)


def _get_ready(stack: ExitStack, who: Contestant, number: int) -> tuple[Node, list[Pod]]:
    settle()
    node = Node()
    stack.callback(node.close)
    stop = node.do(who.prepare)
    stack.callback(lambda: node.do(stop))
    return node, node.new_pods(number)


def _climb(node: Node, pods: list[Pod], who: Contestant, window: int) -> Climb:
    marks = marks_of(len(pods), window)
    added, done = [], 0
    for mark in marks:
        begin, end = window_of(mark, window, len(pods))
        node.do(call_all, "ADD", pods[done:begin], who.conf, who.folder, _FILLERS)
        added.append(median(node.time("ADD", pod, who.conf, who.folder) for pod in pods[begin:end]))
        done = end
    return Climb(marks=marks, added=tuple(added))


def climb_of(samples: Sequence[float], window: int) -> Climb:
    """The same of times that are known of each pod. Pure."""
    marks = marks_of(len(samples), window)
    windows = (window_of(mark, window, len(samples)) for mark in marks)
    return Climb(marks=marks, added=tuple(median(samples[begin:end]) for begin, end in windows))


def section(theirs: Climb, ours: Climb, alone: Climb, window: int) -> Section:
    """The table of what one more pod costs. Pure."""
    ordinals = tuple(f"{mark}th ADD, ms" for mark in ours.marks)
    return Section(
        key="scale",
        title=f"{ours.marks[-1]:,} pods on one node",
        headings=("", *ordinals, "last / first", "budget"),
        lines=(
            ("reference", *_cells(theirs), f"{theirs.growth:.2f}", ""),
            ("dari", *_cells(ours), f"{ours.growth:.2f}", at_most(ours.growth, GROWTH_BUDGET)),
            ("kernel floor", *_cells(alone), f"{alone.growth:.2f}", ""),
        ),
        note=NOTE.format(window=window, fillers=_FILLERS),
        facts={
            "marks": list(ours.marks),
            "unit": "ms",
            "reference": [round(each, 3) for each in theirs.added],
            "dari": [round(each, 3) for each in ours.added],
            "kernel floor": [round(each, 3) for each in alone.added],
            "growth": round(ours.growth, 4),
            "budget": GROWTH_BUDGET,
        },
    )


def _cells(climb: Climb) -> tuple[str, ...]:
    return tuple(f"{each:.1f}" for each in climb.added)


def memory_section(found: Footprint) -> Section:
    """The table of the agent's memory, and of the end of all pods. Pure."""
    return Section(
        key="memory",
        title="The agent's memory",
        headings=("", "figure", "budget"),
        lines=(
            ("no pods", f"{found.empty:.1f} MB", ""),
            (
                f"{found.pods:,} pods",
                f"{found.full:.1f} MB",
                at_most(found.full, MEMORY_BUDGET, "MB"),
            ),
            ("all of them deleted", f"{found.after:.1f} MB", ""),
            (f"DEL of all, {_ENDERS} callers, until gone", f"{found.deleted:.2f} ms each", ""),
        ),
        note=MEMORY_NOTE,
        facts={
            "pods": found.pods,
            "unit": "MB",
            "empty": round(found.empty, 2),
            "full": round(found.full, 2),
            "after": round(found.after, 2),
            "budget": MEMORY_BUDGET,
            "deleted_ms_each": round(found.deleted, 4),
        },
    )

"""Where the time of one ADD through the agent goes, beside the kernel floor.

Outside, a process is timed; inside, the agent's own metrics are read after each
call, so that each call's parts are known. What starting and ending the native entry
takes is measured on a copy of it that refuses its settings, and so asks nobody.

May import: bursts (for its contestants), figures, floor, harness, quiet, scenarios, sizes, summary,
watch, record.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from statistics import median

from bench.bursts import contestants
from bench.figures import Section, at_most, samples_fact, spread_text
from bench.floor import floor
from bench.harness import FOLDER, BenchFailed, Node, Pod, call_environ, timed
from bench.quiet import settle
from bench.scenarios import DARI_FOLDER, WARM_UPS, Contestant
from bench.sizes import Setup
from bench.summary import spread
from bench.watch import figures_after
from dari.native import entry_path
from dari.native.settings import FILE_NAME
from dari.record import Record

BUDGET = 2.0
_IDLE = f"{FOLDER}/idle"
_OWN = 'dari_cni_seconds_sum{command="ADD"}'
_COUNT = 'dari_cni_seconds_count{command="ADD"}'
_PHASE = 'dari_cni_phase_seconds_sum{{command="ADD",phase="{}"}}'
NOTE = (
    "ipMasq, native entry. Medians (quartiles) of {rounds} calls; parts are computed call by "
    "call. The kernel floor is a veth pair into the pod and onto the bridge, then address, link up "
    "and default route in one datagram, then the host end up, in a tight loop, half before the "
    "calls and half after."
)


class Parts(Record):
    """One ADD in milliseconds.

    Attributes:
        whole: from the process's start to its end.
        own: the agent's, request read to answer written.
        lease, wire: of that, the address and the kernel's work.
    """

    whole: float
    own: float
    lease: float
    wire: float


class Anatomy(Record):
    """All calls' parts, starts of the entry alone, and the kernel floor; milliseconds."""

    calls: tuple[Parts, ...]
    starts: tuple[float, ...]
    floor: tuple[float, ...]


def measure(setup: Setup) -> list[Section]:
    """One ADD at a time, taken apart.

    Raises:
        BenchFailed: an executable ended with an error, or the native entry is not built.
    """
    rounds = setup.sizes.rounds
    settle()
    before = floor(rounds // 2)
    calls, starts = _calls(contestants(setup)[1], rounds)
    found = Anatomy(calls=calls, starts=starts, floor=(*before, *floor(rounds - rounds // 2)))
    setup.say("phases of an ADD", rounds, rounds)
    return [section(found)]


def _calls(who: Contestant, rounds: int) -> tuple[tuple[Parts, ...], tuple[float, ...]]:
    with ExitStack() as stack:
        node = Node()
        stack.callback(node.close)
        stop = node.do(who.prepare)
        stack.callback(lambda: node.do(stop))
        node.do(_make_idle_entry)
        pods = node.new_pods(WARM_UPS + rounds)
        for pod in pods[:WARM_UPS]:
            node.time("ADD", pod, who.conf, who.folder)
        starts = [node.do(_start_alone, pod, who) for pod in pods[WARM_UPS:]]
        return _taken_apart(node, who, pods[WARM_UPS:]), tuple(starts)


def _taken_apart(node: Node, who: Contestant, pods: Sequence[Pod]) -> tuple[Parts, ...]:
    calls = []
    last = node.do(figures_after, "ADD", WARM_UPS)
    for pod in pods:
        whole = node.time("ADD", pod, who.conf, who.folder)
        now = node.do(figures_after, "ADD", last[_COUNT] + 1)
        calls.append(parts_between(whole, last, now))
        last = now
    return tuple(calls)


def parts_between(whole: float, last: Mapping[str, float], now: Mapping[str, float]) -> Parts:
    """What one call added to the agent's metrics. Pure."""

    def added(name: str) -> float:
        return (now[name] - last.get(name, 0.0)) * 1000

    return Parts(
        whole=whole,
        own=added(_OWN),
        lease=added(_PHASE.format("lease")),
        wire=added(_PHASE.format("wire")),
    )


def _make_idle_entry() -> None:
    if entry_path() is None:
        raise BenchFailed("the native entry is not built: `make bench` builds it")
    os.makedirs(_IDLE)
    shutil.copy(f"{DARI_FOLDER}/bridge", f"{_IDLE}/bridge")
    with open(f"{_IDLE}/{FILE_NAME}", "w", encoding="utf-8") as file:
        file.write("refuse this\n")
    os.chmod(f"{_IDLE}/{FILE_NAME}", 0o644)


def _start_alone(pod: Pod, who: Contestant) -> float:
    took, status = timed(f"{_IDLE}/bridge", call_environ("ADD", pod, _IDLE), who.conf)
    if os.waitstatus_to_exitcode(status) != 1:
        raise BenchFailed("the native entry took settings that it should refuse")
    return took


def section(found: Anatomy) -> Section:
    """The table. Pure."""
    rows = _rows(found)
    own, alone = median(rows["the agent's own time"]), median(found.floor)
    ratio = own / alone
    lines = [(name, spread_text(spread(samples), 2), "", "") for name, samples in rows.items()]
    lines.append(("kernel floor", spread_text(spread(found.floor), 2), "", ""))
    lines.append(
        ("the agent's own time / kernel floor", "", f"{ratio:.2f}", at_most(ratio, BUDGET))
    )
    return Section(
        key="phases",
        title="Where the time of one ADD goes",
        headings=("", "ms", "ratio", "budget"),
        lines=tuple(lines),
        note=NOTE.format(rounds=len(found.calls)),
        facts={
            "unit": "ms",
            **{name: samples_fact(samples) for name, samples in rows.items()},
            "kernel floor": samples_fact(found.floor),
            "ratio": round(ratio, 4),
            "budget": BUDGET,
        },
    )


def _rows(found: Anatomy) -> dict[str, list[float]]:
    start = median(found.starts)
    calls = found.calls
    return {
        "whole process": [each.whole for each in calls],
        "start and end of the process": list(found.starts),
        "socket: asking, and waking each other": [each.whole - each.own - start for each in calls],
        "the agent's own time": [each.own for each in calls],
        "— lease": [each.lease for each in calls],
        "— wire (netlink)": [each.wire for each in calls],
        "— the rest: request, record, answer": [
            each.own - each.lease - each.wire for each in calls
        ],
    }

"""Pod to pod, on one node and across two, beside the same topology built by hand.

May import: echo, figures, harness, quiet, sizes, summary, topology, turns, record.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from statistics import median

from bench import echo
from bench.figures import Section, at_least, samples_fact, spread_text
from bench.harness import BOUND, BenchFailed
from bench.quiet import settle
from bench.sizes import Setup
from bench.summary import spread
from bench.topology import Place, Topology, by_dari, by_hand
from bench.turns import in_turn
from dari.record import Record

BUDGET = 0.98
_PATIENCE = 30.0  # seconds
_SIDES = ("by hand", "masquerading", "dari")
NOTE = (
    "By hand: a bridge, veth pairs and a route to the other node, made with `ip`, and no rule; "
    "masquerading: with one rule for it, so that the kernel tracks connections as for dari. "
    "Medians (quartiles) of {runs} runs in turn; iperf3 with one TCP stream for {seconds:g} s; "
    "requests of 64 bytes over one TCP connection, each sent when the one before is answered. "
    "The ratio is the median of the pairs' ratios; more is better."
)


class Pull(Record):
    """One kind of traffic over one path, all sides in turn, more is better."""

    path: str
    unit: str
    by_hand: tuple[float, ...]
    masquerading: tuple[float, ...]
    dari: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """To what was made by hand: the median of the pairs' ratios."""
        return _ratio(self.dari, self.by_hand)

    @property
    def ratio_masquerading(self) -> float:
        """The same to what masquerades."""
        return _ratio(self.dari, self.masquerading)


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return median(one / other for one, other in zip(ours, theirs, strict=True))


Run = Callable[[Place, Place], float]


def measure(setup: Setup) -> list[Section]:
    """All topologies stand at the same time; one sends while the others rest.

    Raises:
        BenchFailed: a program ended with an error.
    """
    settle()
    with ExitStack() as stack:
        sides = by_hand(stack), by_hand(stack, masquerading=True), by_dari(stack)
        pulls = [
            _pull(setup, sides, path, unit)
            for path in ("one node", "two nodes")
            for unit in _runs(setup)
        ]
    return [section(pulls, setup.sizes.transfers, setup.sizes.seconds)]


def _runs(setup: Setup) -> Mapping[str, Run]:
    sizes = setup.sizes
    return {
        "Gbit/s": lambda source, target: throughput(source, target, sizes.seconds),
        "requests/s": lambda source, target: answers(source, target, sizes.questions),
    }


def _pull(setup: Setup, topologies: Sequence[Topology], path: str, unit: str) -> Pull:
    run = _runs(setup)[unit]
    times = setup.sizes.transfers
    found: tuple[list[float], list[float], list[float]] = ([], [], [])

    def side(topology: Topology, samples: list[float]) -> Callable[[], None]:
        target = topology.near if path == "one node" else topology.far
        return lambda: samples.append(run(topology.client, target))

    sides = [side(topology, into) for topology, into in zip(topologies, found, strict=True)]
    in_turn(sides, times, lambda done: setup.say(f"{unit} on {path}", done, times))
    hand, masquerading, ours = map(tuple, found)
    return Pull(path=path, unit=unit, by_hand=hand, masquerading=masquerading, dari=ours)


def throughput(source: Place, target: Place, seconds: float) -> float:
    """Gbit/s of one TCP stream, as iperf3's receiver saw it."""
    server = ("iperf3", "--server", "--one-off", "--forceflush")
    # iperf3 takes whole seconds; a shorter run is one of so many bytes.
    length = ("--time", f"{seconds:g}") if seconds >= 1 else ("--bytes", "50M")
    client = ("iperf3", "--client", target.address, "--json", *length)
    return parse_iperf(_converse(source, target, server, client))


def parse_iperf(text: str) -> float:
    """Gbit/s from iperf3's JSON. Pure.

    Raises:
        BenchFailed: it tells an error instead.
    """
    document = json.loads(text)
    if "error" in document:
        raise BenchFailed(f"iperf3: {document['error']}")
    return float(document["end"]["sum_received"]["bits_per_second"]) / 1e9


def answers(source: Place, target: Place, questions: int) -> float:
    """Requests that are answered in a second, one after the other."""
    program = (sys.executable, "-I", echo.__file__)
    client = (*program, "ask", target.address, str(questions))
    return float(_converse(source, target, (*program, "serve"), client))


def _converse(source: Place, target: Place, server: Sequence[str], client: Sequence[str]) -> str:
    serving = target.node.do(_start_server, _inside(target, server))
    try:
        said = source.node.do(_run_client, _inside(source, client))
        serving.wait(_PATIENCE)
    finally:
        serving.kill()  # does nothing to one that ended
        serving.communicate()
    return said


def _inside(place: Place, command: Sequence[str]) -> list[str]:
    return ["ip", "netns", "exec", place.name, *command]


def _start_server(command: Sequence[str]) -> subprocess.Popen[str]:
    serving = subprocess.Popen(
        [*BOUND, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in serving.stdout or ():
        if "listening" in line:
            return serving
    raise BenchFailed(f"{command[4]} ended early, with status {serving.wait()}")


def _run_client(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    if done.returncode != 0:
        raise BenchFailed(f"{' '.join(command[4:])}: {done.stdout}{done.stderr}")
    return done.stdout


def section(pulls: Sequence[Pull], runs: int, seconds: float) -> Section:
    """The table. Pure."""
    return Section(
        key="traffic",
        title="Pod to pod",
        headings=("", "", *_SIDES, "dari / masquerading", "ratio", "budget"),
        lines=tuple(_line(each) for each in pulls),
        note=NOTE.format(runs=runs, seconds=seconds),
        facts=[
            {
                "path": each.path,
                "unit": each.unit,
                "by_hand": samples_fact(each.by_hand),
                "masquerading": samples_fact(each.masquerading),
                "dari": samples_fact(each.dari),
                "ratio": round(each.ratio, 4),
                "ratio_masquerading": round(each.ratio_masquerading, 4),
                "budget": BUDGET,
            }
            for each in pulls
        ],
    )


def _line(pull: Pull) -> tuple[str, ...]:
    digits = 1 if pull.unit == "Gbit/s" else 0
    sides = (pull.by_hand, pull.masquerading, pull.dari)
    return (
        pull.path,
        pull.unit,
        *(spread_text(spread(each), digits) for each in sides),
        f"{pull.ratio_masquerading:.3f}",
        f"{pull.ratio:.3f}",
        at_least(pull.ratio, BUDGET),
    )

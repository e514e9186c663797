"""`dari lab demo`: builds a lab, shows that it works and why, and takes it down.

1. Every pod pings every other pod.
2. Every pod asks a pod on another node, and the outside host, whose address they see.
3. Each node prints its tables, each row with what it is for.

May import: errors, tables.layout, and within lab: build, enter, interrupts, journey,
look, messages, probe, programs, state, topology.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from dari.errors import DariError
from dari.lab import enter, journey, probe, programs
from dari.lab.build import attached
from dari.lab.interrupts import deferred
from dari.lab.journey import Arrival, Pair
from dari.lab.look import Seen, look
from dari.lab.messages import _
from dari.lab.probe import Report, Visit
from dari.lab.state import Records, State
from dari.lab.topology import Options
from dari.tables.layout import Style, columns

_AT_ONCE = 8  # programs under way
_WIDEST = 12  # pods whose round trips are shown side by side


class Clock:
    """Prints what happens, and when."""

    def __init__(self, style: Style) -> None:
        self._began = time.monotonic()
        self._style = style

    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Print one line with the time before it."""
        print(f"{self._style.faint(f'{self.seconds():5.1f} s')}  {text}", flush=True)


def demo(options: Options, records: Records, style: Style) -> bool:
    """Do all of it; True if everything was reached, and from the right address.

    Raises:
        DariError: the lab could not be built, or a program in it failed.
    """
    clock = Clock(style)
    print(
        style.strong(
            _("A lab of {nodes} nodes with {pods} pods each").format(
                nodes=options.nodes, pods=options.pods
            )
        )
    )
    with attached(options, records, clock.say) as state:
        seen = look(state)
        clock.say(
            _("all is up: {number} pods, and a host outside of the cluster").format(
                number=len(seen.pods)
            )
        )
        reports = _visit_all(state, seen)
        good = _show_pairs(journey.pairs(seen, reports), style)
        good = _show_arrivals(journey.arrivals(seen, reports), style) and good
        print()
        _show_tables(state, seen, style)
    clock.say(_("the lab is down, and nothing of it is left"))
    verdict = style.good(_("everything was reached"))
    if not good:
        verdict = style.bad(_("NOT all was reached"))
    print(_("{verdict}, in {seconds:.1f} s").format(verdict=verdict, seconds=clock.seconds()))
    return good


def _visit_all(state: State, seen: Seen) -> dict[str, Report]:
    wanted = journey.itinerary(seen)
    with _servers(state, [*wanted, "outside"]), ThreadPoolExecutor(_AT_ONCE) as callers:
        found = callers.map(lambda name: _visit(state, name, wanted[name]), wanted)
        return dict(zip(wanted, found, strict=True))


def _visit(state: State, name: str, wanted: Visit) -> Report:
    done = subprocess.run(
        _probe(state, name, "visit"),
        input=json.dumps({"ping": wanted.ping, "ask": wanted.ask}),
        capture_output=True,
        text=True,
        start_new_session=True,  # Ctrl-C is for the demo, which ends the probes itself
        env=programs.environment(os.environ),
    )
    if done.returncode != 0:
        said = done.stderr.strip()
        raise DariError(_("{name}: the probe failed: {said}").format(name=name, said=said))
    told = json.loads(done.stdout)
    seen = {address: (tcp, udp) for address, (tcp, udp) in told["seen"].items()}
    return Report(seconds=told["seconds"], seen=seen)


@contextmanager
def _servers(state: State, names: Sequence[str]) -> Iterator[None]:
    """Let each of these answer whoever asks; a server ends when its stdin is closed."""
    with ExitStack() as running:
        with deferred():
            servers = [running.enter_context(_start_server(state, name)) for name in names]
        for name, server in zip(names, servers, strict=True):
            assert server.stdout is not None  # it is a pipe
            if server.stdout.readline().decode().strip() != probe.READY:
                raise DariError(_("{name}: the server of the demo did not start").format(name=name))
        yield


def _start_server(state: State, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _probe(state, name, "serve"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=programs.environment(os.environ),
    )


def _probe(state: State, name: str, verb: str) -> list[str]:
    return enter.command(state, name, programs.python("dari.lab.probe", [verb]))


def _show_pairs(found: Sequence[Pair], style: Style) -> bool:
    """Print round trips, from the pod at the left to the pod above; True if all were made."""
    for version in sorted({pair.version for pair in found}):
        own = [pair for pair in found if pair.version == version]
        reached = [pair for pair in own if pair.seconds is not None]
        title = _("Every pod pings every other, IPv{version}: {reached} of {number} pairs").format(
            version=version, reached=len(reached), number=len(own)
        )
        print(f"\n{style.strong(title)}")
        names = list(dict.fromkeys(pair.source for pair in own))
        if len(names) <= _WIDEST:
            print("\n".join(_matrix(own, names)))
        for pair in own:
            if pair.seconds is None:
                silent = _("{source} got no answer from {target}").format(
                    source=pair.source, target=pair.target
                )
                print(style.bad(f"  {silent}"))
    return all(pair.seconds is not None for pair in found)


def _matrix(own: Sequence[Pair], names: Sequence[str]) -> list[str]:
    times = {(pair.source, pair.target): pair.seconds for pair in own}

    def cell(source: str, target: str) -> str:
        seconds = times.get((source, target))
        if source == target:
            return "-"
        return _("none") if seconds is None else f"{seconds * 1000:.2f} ms"

    rows = [[source, *(cell(source, target) for target in names)] for source in names]
    return [f"  {line}" for line in columns([[_("from \\ to"), *names], *rows])]


def _show_arrivals(found: Sequence[Arrival], style: Style) -> bool:
    """Print with whose address packets arrived; True if each had the one that it should."""
    title = _("Pods see pods as they are; the outside host sees their node")
    print(f"\n{style.strong(title)}")
    rows = [
        (
            *(one.asker, "->", one.asked),
            _("arrived from {address}").format(address=_seen(one)),
            _("which is {owner}'s").format(owner=one.owner),
        )
        for one in found
    ]
    for line, one in zip(columns(rows) if rows else [], found, strict=True):
        wrong = _("WRONG: should be {address}").format(address=one.expected)
        print(f"  {line}" if one.right else style.bad(f"  {line}  {wrong}"))
    return all(one.right for one in found)


def _seen(one: Arrival) -> str:
    tcp, udp = (text or _("nowhere") for text in one.seen)
    return tcp if tcp == udp else f"{tcp} (TCP), {udp} (UDP)"


def _show_tables(state: State, seen: Seen, style: Style) -> None:
    """Let each node print its own; on a terminal it may use colour itself."""
    for node in seen.nodes:
        title = _("Tables of {node}").format(node=node.name)
        print(f"{style.strong(title)}\n", flush=True)
        line = enter.command(state, node.name, programs.python("dari", ["tables"]))
        with deferred():
            done = subprocess.run(
                line, start_new_session=True, env=programs.environment(os.environ)
            )
        print(flush=True)  # fails, as it should, where `| head` has read enough
        if done.returncode != 0:
            raise DariError(_("{node}: `dari tables` failed").format(node=node.name))

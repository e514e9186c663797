"""What one case comes to: broken, named, mended as printed, and checked."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from bench.faults.agreement import Agreement, compare
from bench.faults.shapes import records
from dari.causes.finding import Finding
from dari.doctor.checks import examine
from dari.errors import DariError
from dari.explain.journey import Flow
from dari.explain.walk import walk
from dari.lab import enter, programs
from dari.lab.faults.catalogue import find
from dari.lab.faults.choice import scene_of
from dari.lab.faults.desk import Desk
from dari.lab.faults.exercise import Exercise
from dari.lab.faults.sights import PING, Trial
from dari.lab.state import State
from dari.lab.survey import survey
from dari.record import Record
from dari.snapshot.model import Snapshot

_ROUNDS = 4  # times that the doctor is asked, and what it prints is run
_SETTLE = 1.0  # seconds between two rounds, for agents and neighbours
_MEND_SECONDS = 60


class Case(Record):
    """One or two faults in one lab.

    Attributes:
        shape: of the lab.
        faults: their names.
        named: for each, who named its cause: ``doctor``, ``explain``, or nobody.
        mended: for each, whether `dari lab check` said so after the printed mends.
        rounds: how often the doctor was asked until it found nothing.
        trouble: in words, what else went wrong, such as a fault that did not show.
        findings: all that was told at first, for who looks into a miss.
        hidden: one of the faults makes the other impossible to see, so that they are no pair.
    """

    shape: str
    faults: tuple[str, ...]
    named: tuple[str, ...] = ()
    mended: tuple[bool, ...] = ()
    rounds: int = 0
    trouble: str = ""
    findings: tuple[Finding, ...] = ()
    agreement: Agreement = Agreement()
    seconds: float = 0.0
    hidden: bool = False

    @property
    def good(self) -> bool:
        """Was every fault named and mended?"""
        return not self.trouble and all(self.named) and all(self.mended)


def run(shape: str, state: State, exercises: Sequence[Exercise], *, pairs: bool) -> Case:
    """Break, diagnose, mend as printed, check; then take back what is left.

    Args:
        pairs: compare explain with packets for every pair of ends as well.
    """
    began = time.monotonic()
    desk = Desk(records(), state)
    case = Case(shape=shape, faults=tuple(one.fault for one in exercises))
    broken: list[Exercise] = []
    try:
        for one in exercises:
            if _breaks(desk, one, broken):
                broken.append(one)
        case = case.replace(hidden=len(broken) < len(exercises))
        if not case.hidden:
            case = _diagnosed(case, state, desk, broken, pairs=pairs)
    except DariError as error:
        case = case.replace(trouble=error.message)
    finally:
        for one in reversed(broken):
            desk.mend(one)
    return case.replace(seconds=time.monotonic() - began)


def _breaks(desk: Desk, one: Exercise, others: Sequence[Exercise]) -> bool:
    """Break it; False where another fault hides it, so that it would not be seen.

    Raises:
        DariError: it is the first, and cannot be broken.
    """
    try:
        desk.break_(one)
    except DariError:
        if not others:
            raise
        return False
    return True


def _diagnosed(
    case: Case, state: State, desk: Desk, exercises: Sequence[Exercise], *, pairs: bool
) -> Case:
    named = [""] * len(exercises)
    rounds = 0
    while rounds < _ROUNDS:
        snapshot = survey(state, thorough=True)
        told = examine(snapshot, ())
        findings = list(told.findings)
        explained = list(explain(snapshot, state, exercises))
        if rounds == 0:
            case = case.replace(findings=(*findings, *explained))
            if pairs:
                agreement = compare(state, scene_of(state, exercises[0].cast), snapshot)
                case = case.replace(agreement=agreement)
        _note(named, exercises, findings, "doctor")
        _note(named, exercises, explained, "explain")
        rounds += 1
        mends = findings or explained
        if not mends:
            break
        mend(state, mends)
        time.sleep(_SETTLE)
    mended = tuple(not desk.check(one).wrong for one in exercises)
    return case.replace(named=tuple(named), mended=mended, rounds=rounds)


def _note(
    named: list[str], exercises: Sequence[Exercise], findings: Sequence[Finding], by: str
) -> None:
    codes = {one.code for one in findings}
    for place, one in enumerate(exercises):
        if not named[place] and codes & set(find(one.fault).codes):
            named[place] = by


def explain(snapshot: Snapshot, state: State, exercises: Sequence[Exercise]) -> Iterator[Finding]:
    """What explain finds on the ways that the faults are seen on."""
    for one in exercises:
        fault, scene = find(one.fault), scene_of(state, one.cast)
        for sight in fault.sights(scene):
            if isinstance(sight, Trial) and sight.way != "arp":
                protocol = "icmp" if sight.way == PING else "tcp"
                flow = Flow(
                    protocol=protocol,
                    port=sight.port or (0 if sight.way == PING else 7),
                    version=6 if ":" in sight.address else 4,
                )
                with suppress(DariError):  # an end that has lost its address has no way
                    yield from walk(snapshot, sight.source, sight.address, flow).findings


def mend(state: State, findings: Sequence[Finding]) -> None:
    """Run each printed line as it is, in a root shell where it is to be run."""
    done: set[tuple[str, str]] = set()
    for one in findings:
        for line in one.mend:
            if (one.where, line) not in done:
                done.add((one.where, line))
                subprocess.run(
                    enter.command(state, one.where, ["sh", "-c", line]),
                    env=programs.environment(os.environ),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=_MEND_SECONDS,
                )

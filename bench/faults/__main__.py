"""``python -m bench.faults``: measure, and put the tables into docs/measure.md and its twin."""

from __future__ import annotations

import json
import random
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path

from bench.faults import case, plan, report
from bench.faults.agreement import Agreement, compare
from bench.faults.jobs import at_once
from bench.faults.korean import tables_in_korean
from bench.faults.shapes import SHAPES, lab, silent
from bench.machine import this_machine
from dari.causes.finding import Finding
from dari.doctor.checks import examine
from dari.errors import DariError
from dari.lab.faults.choice import cast_for, scene_of
from dari.lab.faults.exercise import Exercise
from dari.lab.state import State
from dari.lab.survey import survey
from dari.lab.topology import Options
from dari.lab.topology import plan as planned

_SETTLE = 5.0  # seconds; routing daemons take some to greet each other
REFERENCE = "/usr/lib/cni"
CHECKOUT = Path(__file__).resolve().parent.parent.parent
DOCUMENT, KOREAN = CHECKOUT / "docs" / "measure.md", CHECKOUT / "docs" / "ko" / "measure.md"
RESULTS = CHECKOUT / "bench" / "results" / "faults.jsonl"


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for; 1 where anything was missed."""
    options = _parser().parse_args(words)
    if not options.only_report:
        with options.results.open("a" if options.append else "w", encoding="utf-8") as stream:
            for one in _measured(options):
                print(json.dumps(one), file=stream, flush=True)
                print(_short(one), flush=True)
    lines = report.read(options.results.read_text(encoding="utf-8"))
    tables = report.markdown(lines, this_machine(REFERENCE), options.seed)
    for document, said in ((DOCUMENT, tables), (KOREAN, tables_in_korean(tables))):
        before = document.read_text(encoding="utf-8")
        document.write_text(report.spliced(before, said), encoding="utf-8")
    return 0 if all(one["good"] and not report.total([one], *report.WRONG) for one in lines) else 1


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m bench.faults", description="Measure the doctor and explain (root)."
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="these alone")
    parser.add_argument("--fault", action="append", default=[], help="these alone, no pairs")
    parser.add_argument("--no-alone", action="store_true", help="pairs and healthy labs alone")
    parser.add_argument("--pairs", type=int, default=20, metavar="N", help="for each shape")
    parser.add_argument("--healthy", type=int, default=100, metavar="N", help="healthy labs")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="labs at a time")
    parser.add_argument("--append", action="store_true", help="keep the results there are")
    parser.add_argument("--only-report", action="store_true", help="write the tables anew")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE")
    return parser


def _measured(options: Namespace) -> Iterator[report.Line]:
    shapes = options.shape or SHAPES
    parts = [partial(_broken, options, shape) for shape in shapes]
    yield from at_once([*parts, partial(_well, options)], options.jobs)


def _broken(options: Namespace, shape: str) -> Iterator[report.Line]:
    wanted = [] if options.no_alone else plan.alone(shape, options.seed)
    if options.fault:
        wanted = [each for each in wanted if each[0].fault in options.fault]
    yield from _cases("alone", shape, wanted)
    if not options.fault:
        yield from islice(_cases("pair", shape, plan.pairs(shape, options.seed)), options.pairs)


def _well(options: Namespace) -> Iterator[report.Line]:
    for one in plan.healthy(options.seed, options.healthy):
        yield _healthy(one)


def _cases(kind: str, shape: str, wanted: Iterable[Sequence[Exercise]]) -> Iterator[report.Line]:
    """In one lab, as long as nothing spoils it. Two of which one hides the other are no case."""
    with ExitStack() as held:
        state: State | None = None
        for exercises in wanted:
            if state is None:
                state = held.enter_context(lab(SHAPES[shape], silent))
            done = case.run(shape, state, exercises, pairs=kind == "alone")
            if not done.hidden:
                yield report.line(kind, done)
            if not (done.good or done.hidden) or not _is_well(state):
                held.close()
                state = None


def _is_well(state: State) -> bool:
    try:
        return not examine(survey(state, thorough=True), ()).findings
    except DariError:
        return False


def _healthy(options: Options) -> report.Line:
    shape = _shape(options)
    try:
        with lab(options, silent) as state:
            snapshot = survey(state, thorough=True)
            told = [f"{one.code}@{one.where}: {one.what}" for one in _found(state)]
            agreement = Agreement()
            topology = planned(state.options)
            if options.pods and options.nodes > 1:
                scene = scene_of(state, cast_for(topology, "", random.Random(1)))
                agreement = compare(state, scene, snapshot)
            return report.healthy_line(shape, told, "", agreement)
    except DariError as error:
        return report.healthy_line(shape, [], error.message, Agreement())


def _found(state: State) -> Sequence[Finding]:
    """What is found twice, some seconds apart: a lab that was just built still settles."""
    found = examine(survey(state, thorough=True), ()).findings
    if not found:
        return found
    time.sleep(_SETTLE)
    again = {
        (one.code, one.where, one.subject)
        for one in examine(survey(state, thorough=True), ()).findings
    }
    return [one for one in found if (one.code, one.where, one.subject) in again]


def _shape(options: Options) -> str:
    words = [f"{options.nodes} nodes × {options.pods} pods", options.backend, options.store]
    words += ["both families"] if options.ipv6 else []
    words += ["routed"] if options.routed else []
    return ", ".join(words)


def _short(one: report.Line) -> str:
    faults = one.get("faults", "healthy")
    told = one.get("told") or one.get("named")
    verdict = "ok " if one["good"] else "BAD"
    counts = " ".join(f"{key} {report.total([one], key)}" for key in report.COUNTED)
    return f"{verdict} {one['shape']}: {faults} {told} {one['trouble']} {counts}"


if __name__ == "__main__":
    sys.exit(main())

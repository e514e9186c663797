"""``python -m bench``: measure, show the tables, and put them where they are quoted."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Section
from bench.harness import BenchFailed
from bench.machine import Machine, this_machine
from bench.measurements import MEASUREMENTS
from bench.plot import plot
from bench.quotes import PICTURE, put
from bench.report import as_json, markdown, missed, terminal_text
from bench.sizes import FULL, QUICK, Setup, Sizes

CHECKOUT = Path(__file__).resolve().parent.parent


def main(words: Sequence[str] | None = None) -> int:
    """Measure; 0 when all was measured, 1 when an executable failed."""
    options = _parser().parse_args(words)
    if options.quote:
        return _quote((options.results / "latest.md").read_text(encoding="utf-8"))
    setup = Setup(reference=options.reference, sizes=_sizes(options), say=_say)
    wanted = options.only or list(MEASUREMENTS)
    try:
        sections = [each for name in wanted for each in MEASUREMENTS[name](setup)]
    except BenchFailed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    machine = this_machine(options.reference)
    print(terminal_text(machine, sections), end="")
    for line in missed(sections):
        print(f"bench: over the budget: {line}", file=sys.stderr)
    return _save(options, machine, sections)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m bench", description="Measure dari (root).")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small numbers: shows that all works, in seconds; no figures to quote",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=MEASUREMENTS,
        help="this measurement alone; may be repeated; leaves the documents as they are",
    )
    parser.add_argument(
        "--reference",
        default="/usr/lib/cni",
        metavar="DIR",
        help="folder of the plugins to compare with (default /usr/lib/cni)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=CHECKOUT / "bench" / "results",
        metavar="DIR",
        help="where latest.json, latest.md and figures.svg go (default bench/results)",
    )
    parser.add_argument(
        "--keep-readme", action="store_true", help="leave the documents and their plot as they are"
    )
    parser.add_argument(
        "--quote",
        action="store_true",
        help="measure nothing: put the figures of latest.md into the documents again",
    )
    return parser


def _sizes(options: Namespace) -> Sizes:
    return QUICK if options.quick else FULL


def _say(what: str, done: int, number: int) -> None:
    if sys.stderr.isatty() or done == number:
        end = "\n" if done == number else ""
        print(f"\r{what}: {done}/{number}", end=end, file=sys.stderr, flush=True)


def _save(options: Namespace, machine: Machine, sections: Sequence[Section]) -> int:
    picture = plot([bar for section in sections for bar in section.bars])
    folder = options.results
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(as_json(machine, sections), encoding="utf-8")
    (folder / "latest.md").write_text(markdown(machine, sections, "figures.svg"), encoding="utf-8")
    (folder / "figures.svg").write_text(picture, encoding="utf-8")
    if options.keep_readme or options.quick or options.only:
        return 0
    (CHECKOUT / PICTURE).write_text(picture, encoding="utf-8")
    return _quote(markdown(machine, sections, PICTURE))


def _quote(document: str) -> int:
    try:
        put(document, CHECKOUT)
    except (OSError, ValueError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    # An exception, so that agents and nodes are ended before this program is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())

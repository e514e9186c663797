"""Single ADDs and DELs in pairs: all of `scenarios`, and dari's Python entry besides.

May import: figures, quiet, scenarios, sizes, summary.
"""

from __future__ import annotations

from bench.figures import Bar, Section, pair_section, row_bar
from bench.quiet import settle
from bench.scenarios import (
    ALONE_BUDGETS,
    DARI_FOLDER,
    Contestant,
    Scenario,
    Stop,
    bridge_conf,
    install_dari,
    run_pairs,
    scenarios,
    start_nothing,
)
from bench.sizes import Setup
from bench.summary import Row
from dari.agent.install import Executable, install_executables, script
from dari.native import bundle
from dari.native.settings import this_python

NOTE = (
    "bridge + host-local. Medians (quartiles) of {pairs} pairs, run in turn; the ratio is the "
    "median of the pairs' ratios. Without an agent the native entry starts Python, unless the "
    "Python entry itself is installed."
)
DRAWN = "ipMasq (theirs: iptables), agent"


def measure(setup: Setup) -> list[Section]:
    """All pairs, as one table.

    Raises:
        BenchFailed: an executable ended with an error.
    """
    rows: list[Row] = []
    for scenario in (*scenarios(setup.reference), python_entry(setup.reference)):
        rows += _run(setup, scenario)
    return [section(rows)]


def section(rows: list[Row]) -> Section:
    """Rows as a table; the pairs that a cluster has are drawn. Pure."""
    pairs = min((len(row.dari) for row in rows), default=0)
    note = NOTE.format(pairs=pairs)
    return pair_section("singles", "Single calls", rows, note, _bars(rows))


def _bars(rows: list[Row]) -> list[Bar]:
    return [row_bar(f"one {row.verb}", row) for row in rows if row.scenario == DRAWN]


def _run(setup: Setup, scenario: Scenario) -> list[Row]:
    pairs = setup.sizes.pairs
    settle()
    return run_pairs(scenario, pairs, lambda done: setup.say(scenario.title, done, pairs))


def python_entry(folder: str) -> Scenario:
    """As without an agent, where no C compiler was at hand."""
    conf = bridge_conf(masquerade=True)
    return Scenario(
        title="ipMasq (theirs: iptables), no agent, Python entry",
        reference=Contestant(folder=folder, conf=conf, prepare=start_nothing),
        dari=Contestant(folder=DARI_FOLDER, conf=conf, prepare=_install_script),
        budgets=ALONE_BUDGETS,
    )


def _install_script() -> Stop:
    stop = install_dari()
    program = Executable(content=script(*this_python()), bundle=bundle.pack())
    install_executables(DARI_FOLDER, ("bridge", "host-local"), program)
    return stop

"""What a measurement hands over: a small table, the same for programs, and bars for the plot.

Pure.

May import: summary, record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.summary import Row, Spread, paired_ratios, spread
from dari.record import Record

MISSED = "**missed**"


class Bar(Record):
    """One operation in the plot, in milliseconds."""

    label: str
    theirs: float
    ours: float


class Section(Record):
    """One table of the document.

    Attributes:
        key: its name in the JSON.
        title: its heading.
        headings: of its columns.
        lines: its cells, in Markdown.
        note: how it was measured, below the table.
        facts: the same for other programs, JSON-able.
        bars: what of it goes into the plot.
    """

    key: str
    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    note: str
    facts: object
    bars: tuple[Bar, ...] = ()


def at_most(value: float, budget: float | None, unit: str = "") -> str:
    """The budget's cell: what was promised, and plainly where that was not kept."""
    return _promise("at most", budget, unit, budget is not None and value > budget)


def at_least(value: float, budget: float | None) -> str:
    """The same for a figure that should be large."""
    return _promise("at least", budget, "", budget is not None and value < budget)


def _promise(words: str, budget: float | None, unit: str, missed: bool) -> str:
    if budget is None:
        return ""
    promised = f"{words} {budget:g}{unit and ' '}{unit}"
    return f"{MISSED}: {promised}" if missed else promised


def spread_text(value: Spread, digits: int = 1) -> str:
    """A median with its quartiles."""
    return f"{value.median:.{digits}f} ({value.low:.{digits}f} to {value.high:.{digits}f})"


def row_ratio(row: Row) -> float:
    """The median of the pairs' ratios."""
    return spread(paired_ratios(row)).median


PAIR_HEADINGS = ("", "reference, ms", "dari, ms", "ratio", "budget")


def pair_line(row: Row) -> tuple[str, ...]:
    """A row of a table under `PAIR_HEADINGS`, with a first column before it for the scenario."""
    ratio = row_ratio(row)
    return (
        row.scenario,
        row.verb,
        spread_text(spread(row.reference)),
        spread_text(spread(row.dari)),
        f"{ratio:.3f}",
        at_most(ratio, row.budget),
    )


def pair_fact(row: Row) -> Mapping[str, object]:
    """The same with every sample, in milliseconds."""
    return {
        "scenario": row.scenario,
        "verb": row.verb,
        "unit": "ms",
        "reference": samples_fact(row.reference),
        "dari": samples_fact(row.dari),
        "ratio": round(row_ratio(row), 4),
        "budget": row.budget,
    }


def samples_fact(samples: Sequence[float]) -> Mapping[str, object]:
    """Samples with their median and quartiles."""
    value = spread(samples)
    return {
        "median": round(value.median, 4),
        "quartiles": [round(value.low, 4), round(value.high, 4)],
        "samples": [round(sample, 4) for sample in samples],
    }


def pair_section(
    key: str, title: str, rows: Sequence[Row], note: str, bars: Iterable[Bar] = ()
) -> Section:
    """Rows of paired runs as a table."""
    return Section(
        key=key,
        title=title,
        headings=("whole processes", *PAIR_HEADINGS),
        lines=tuple(pair_line(row) for row in rows),
        note=note,
        facts=[pair_fact(row) for row in rows],
        bars=tuple(bars),
    )


def row_bar(label: str, row: Row) -> Bar:
    """A bar of a row's medians."""
    return Bar(label=label, theirs=spread(row.reference).median, ours=spread(row.dari).median)

"""Cells, rows and budgets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import (
    MISSED,
    PAIR_HEADINGS,
    Bar,
    at_least,
    at_most,
    pair_fact,
    pair_line,
    pair_section,
    row_bar,
)
from bench.summary import Row

ADD = Row(scenario="ipMasq", verb="ADD", reference=(40.0, 50.0), dari=(10.0, 20.0), budget=0.5)
DEL = Row(scenario="ipMasq", verb="DEL", reference=(100.0, 100.0), dari=(25.0, 25.0))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (at_most(0.1, 0.1), "at most 0.1"),
        (at_most(0.11, 0.1), "**missed**: at most 0.1"),
        (at_most(65.0, 64.0, "MB"), "**missed**: at most 64 MB"),
        (at_most(5.0, None), ""),
        (at_least(0.98, 0.98), "at least 0.98"),
        (at_least(0.97, 0.98), "**missed**: at least 0.98"),
        (at_least(0.1, None), ""),
    ],
)
def test_a_budget_says_plainly_where_it_is_missed(cell: str, text: str) -> None:
    assert cell == text


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_what_is_not_exactly_the_budget_misses_one_of_the_two(value: float, budget: float) -> None:
    missed = [MISSED in at_most(value, budget), MISSED in at_least(value, budget)]
    assert missed.count(True) == (value != budget)


def test_a_pairs_line_fits_its_headings() -> None:
    assert pair_line(ADD) == (
        "ipMasq",
        "ADD",
        "45.0 (42.5 to 47.5)",
        "15.0 (12.5 to 17.5)",
        "0.325",
        "at most 0.5",
    )
    section = pair_section("key", "Title", [ADD, DEL], "note", [row_bar("one", ADD)])
    assert section.headings[1:] == PAIR_HEADINGS
    assert {len(line) for line in section.lines} == {len(section.headings)}
    assert section.bars == (Bar(label="one", theirs=45.0, ours=15.0),)


def test_other_programs_get_every_sample() -> None:
    fact = pair_fact(ADD)
    assert fact["dari"] == {"median": 15.0, "quartiles": [12.5, 17.5], "samples": [10.0, 20.0]}
    assert (fact["ratio"], fact["budget"]) == (0.325, 0.5)
    assert pair_fact(DEL)["budget"] is None

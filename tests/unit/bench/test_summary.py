"""Medians, quartiles and paired ratios."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.summary import Row, paired_ratios, spread

SAMPLES = st.lists(st.floats(min_value=0.001, max_value=1e6), min_size=2, max_size=60)


def test_a_spread_is_median_and_quartiles() -> None:
    value = spread([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (value.low, value.median, value.high) == (2.0, 3.0, 4.0)


@given(SAMPLES)
def test_quartiles_enclose_the_median_and_stay_among_the_samples(samples: list[float]) -> None:
    value = spread(samples)
    slack = 1e-9 * max(samples)
    assert min(samples) - slack <= value.low <= value.median + slack
    assert value.median <= value.high + slack
    assert value.high <= max(samples) + slack


def test_each_pair_is_compared_with_itself() -> None:
    row = Row(scenario="s", verb="ADD", reference=(10.0, 40.0), dari=(5.0, 10.0))
    assert paired_ratios(row) == [0.5, 0.25]

"""Bursts and many pods: their tables, and what is looked at on the way up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.bursts import Burst
from bench.bursts import section as bursts_section
from bench.figures import MISSED, Bar
from bench.harness import BenchFailed
from bench.scale import Climb, Footprint, climb_of, marks_of, memory_section, window_of
from bench.scale import section as scale_section
from bench.watch import parse_metrics, parse_resident


def test_a_burst_by_sixteen_callers_has_a_budget_and_a_bar() -> None:
    four = Burst(pods=200, callers=4, verb="ADD", reference=1000.0, dari=900.0)
    sixteen = four.replace(callers=16)
    section = bursts_section([four, sixteen])
    assert section.lines == (
        ("4", "ADD", "1000", "900", "0.900", ""),
        ("16", "ADD", "1000", "900", "0.900", f"{MISSED}: at most 0.1"),
    )
    assert section.bars == (Bar(label="200 ADDs, 16 at once", theirs=1000.0, ours=900.0),)


def test_a_thousand_pods_are_looked_at_thrice() -> None:
    assert marks_of(1000, 9) == (10, 100, 1000)
    assert marks_of(20, 3) == (10, 20)
    assert marks_of(20, 9) == (20,)
    assert window_of(10, 9, 1000) == (5, 14)
    assert window_of(1000, 9, 1000) == (991, 1000)


@given(st.integers(min_value=11, max_value=3000), st.integers(min_value=1, max_value=9))
def test_windows_are_whole_and_follow_each_other(pods: int, window: int) -> None:
    done = 0
    for begin, end in (window_of(mark, window, pods) for mark in marks_of(pods, window)):
        assert done <= begin and end - begin == window and end <= pods
        done = end
    assert done == pods


def test_growth_is_the_last_cost_over_the_first() -> None:
    flat = Climb(marks=(10, 1000), added=(5.0, 5.5))
    steep = Climb(marks=(10, 1000), added=(40.0, 80.0))
    theirs, ours, alone = scale_section(steep, flat, steep, 9).lines
    assert theirs == ("reference", "40.0", "80.0", "2.00", "")
    assert ours == ("dari", "5.0", "5.5", "1.10", "at most 1.2")
    assert alone == ("kernel floor", "40.0", "80.0", "2.00", "")
    assert MISSED in scale_section(flat, steep, flat, 9).lines[1][-1]


def test_a_climb_of_known_times_takes_the_same_windows() -> None:
    found = climb_of([float(each) for each in range(200)], 9)
    assert found.marks == (10, 100, 200)
    assert found.added == (9.0, 99.0, 195.0)


def test_memory_with_all_pods_has_the_budget() -> None:
    found = Footprint(pods=1000, empty=30.0, full=65.0, after=40.0, deleted=0.5)
    cells = [line[-1] for line in memory_section(found).lines]
    assert cells == ["", f"{MISSED}: at most 64 MB", "", ""]


def test_a_process_tells_its_memory() -> None:
    assert parse_resident("Name:\tx\nVmRSS:\t    1000 kB\nVmX:\t1 kB\n") == 1.024
    with pytest.raises(BenchFailed):
        parse_resident("Name:\tx\n")


def test_metrics_are_read_by_name_and_labels() -> None:
    text = '# HELP a b\na_sum{command="ADD",phase="wire"} 0.25\na_total 3.0\n\n'
    assert parse_metrics(text) == {'a_sum{command="ADD",phase="wire"}': 0.25, "a_total": 3.0}

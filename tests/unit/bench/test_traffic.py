"""What programs print about traffic, and turns."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import MISSED
from bench.harness import BenchFailed
from bench.topology import address_in
from bench.traffic import Pull, parse_iperf, section
from bench.turns import in_turn


def test_iperf_tells_what_the_receiver_saw() -> None:
    ends = {"sum_sent": {"bits_per_second": 9e9}, "sum_received": {"bits_per_second": 8e9}}
    assert parse_iperf(json.dumps({"end": ends})) == 8.0
    with pytest.raises(BenchFailed, match="no route"):
        parse_iperf('{"error": "no route"}')


def test_a_pods_address_is_the_results_first() -> None:
    assert address_in('{"ips": [{"address": "10.244.1.7/24"}, {"address": "fd00::1/64"}]}') == (
        "10.244.1.7"
    )


def test_less_than_by_hand_misses_the_budget() -> None:
    even = Pull(
        path="one node",
        unit="Gbit/s",
        by_hand=(10.0, 20.0),
        masquerading=(8.0, 16.0),
        dari=(10.0, 20.0),
    )
    slow = even.replace(unit="requests/s", dari=(9.0, 18.0))
    lines = section([even, slow], 2, 2.0).lines
    assert lines[0][-3:] == ("1.250", "1.000", "at least 0.98")
    assert lines[1][-3:] == ("1.125", "0.900", f"{MISSED}: at least 0.98")


@given(st.integers(min_value=1, max_value=5), st.integers(min_value=0, max_value=20))
def test_each_takes_its_turn_as_often_as_the_others(sides: int, times: int) -> None:
    order: list[int] = []
    ticks: list[int] = []
    in_turn([partial(order.append, side) for side in range(sides)], times, ticks.append)
    rounds = [order[start : start + sides] for start in range(0, len(order), sides)]
    assert len(rounds) == times and ticks == list(range(1, times + 1))
    for number, found in enumerate(rounds):
        assert found == sorted(found, reverse=bool(number % 2))

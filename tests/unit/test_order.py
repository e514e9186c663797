"""The order of tests: none is lost, and each worker begins with a long one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.order import spread

COUNTS = st.integers(0, 30)


@given(COUNTS, COUNTS, st.integers(1, 8))
def test_no_test_is_lost_and_the_others_stay_in_order(long: int, others: int, workers: int) -> None:
    names = [f"long{number}" for number in range(long)]
    ordered = spread(names, [f"{number:03}" for number in range(others)], workers)
    assert sorted(ordered) == sorted([*names, *(f"{number:03}" for number in range(others))])
    short = [each for each in ordered if each not in names]
    assert short == sorted(short)


def test_each_worker_s_piece_begins_with_its_share_of_the_long_ones() -> None:
    ordered = spread(["churn", "etcd", "kills"], list("abcdefg"), 3)
    assert ordered == ["churn", "a", "b", "etcd", "c", "d", "kills", "e", "f", "g"]

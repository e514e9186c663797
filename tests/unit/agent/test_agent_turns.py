"""Calls for one attachment follow each other; those for others do not wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from dari.agent.turns import Turns
from dari.errors import TryAgain


def test_each_waits_for_the_one_before_it() -> None:
    turns, within, most = Turns(), [0], [0]

    def work(_: int) -> None:
        with turns.of("c1"):
            within[0] += 1
            most[0] = max(most[0], within[0])
            within[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))
    assert most == [1]


def test_others_do_not_wait_and_one_who_waits_too_long_is_told() -> None:
    turns = Turns()
    with turns.of("c1"), turns.of("c2"), pytest.raises(TryAgain), turns.of("c1", 0.01):
        pass
    with turns.of("c1"):
        pass

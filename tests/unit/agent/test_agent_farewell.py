"""What an old backend received by goes when nobody has sent by it for a while."""

from __future__ import annotations

from dari.agent.farewell import LINGER, LONGEST, Farewell


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_lingers_when_nobody_speaks_it() -> None:
    clock = Clock()
    farewell = Farewell(clock)
    assert farewell.over({"old": False}) == set()
    clock.now += LINGER - 0.1
    assert farewell.over({"old": False}) == set()
    clock.now += 0.1
    assert farewell.over({"old": False}) == {"old"}


def test_it_stays_for_as_long_as_another_node_speaks_it_and_lingers_after_that() -> None:
    clock = Clock()
    farewell = Farewell(clock)
    for _ in range(5):
        clock.now += LINGER
        assert farewell.over({"old": True}) == set()
    clock.now += LINGER
    assert farewell.over({"old": False}) == set()
    clock.now += LINGER - 0.1
    assert farewell.over({"old": False}) == set()
    clock.now += 0.1
    assert farewell.over({"old": False}) == {"old"}


def test_what_was_in_use_again_lingers_anew() -> None:
    clock = Clock()
    farewell = Farewell(clock)
    farewell.over({"old": False})
    clock.now += LINGER
    assert farewell.over({}) == set()
    assert farewell.over({"old": False}) == set()


def test_each_has_its_own_time() -> None:
    clock = Clock()
    farewell = Farewell(clock)
    farewell.over({"old": False})
    clock.now += LINGER
    assert farewell.over({"old": False, "other": True}) == {"old"}


def test_in_a_cluster_that_stays_mixed_it_goes_after_a_time() -> None:
    clock = Clock()
    farewell = Farewell(clock)
    farewell.over({"old": True})
    clock.now += LONGEST - 0.1
    assert farewell.over({"old": True}) == set()
    clock.now += 0.1
    assert farewell.over({"old": True}) == {"old"}

"""Contestants in turn, each one first as often as the other. Pure.

May import: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


def in_turn(sides: Sequence[Callable[[], None]], times: int, tick: Callable[[int], None]) -> None:
    """Let all of them do their work so many times.

    Args:
        sides: the work of each, called in this order and the other way round by turns.
        times: how often.
        tick: is told after each turn how many are done.
    """
    for done in range(times):
        for side in sides if done % 2 == 0 else reversed(sides):
            side()
        tick(done + 1)

"""What depends on who spoke last: each possibility, one journey after the other. Pure.

Where two machines have one MAC, a switch sends to whichever it heard last; where two have
one address, whichever answers first is believed. No table tells what it will be when the
next packet comes. So a journey is walked once for each way that chance can take.

May import: nothing of dari.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

MOST = 24  # journeys that are walked for one question
_Outcome = TypeVar("_Outcome")


class Chances:
    """The choices of one journey.

    Args:
        script: what to choose at each of the first places where chance decides; after them
            the first possibility is taken, which is what the tables say now.

    Attributes:
        taken: what was chosen, and of how many, in the order of the journey.
        reasons: what decides at each of these places, in words.
    """

    def __init__(self, script: tuple[int, ...] = ()) -> None:
        self._script = script
        self.taken: list[tuple[int, int]] = []
        self.reasons: list[str] = []

    def pick(self, count: int, reason: str) -> int:
        """Which of several possibilities comes true in this journey.

        Args:
            count: of possibilities; with one there is nothing to choose.
            reason: what decides, in words.
        """
        if count < 2:
            return 0
        place = len(self.taken)
        chosen = self._script[place] if place < len(self._script) else 0
        self.taken.append((chosen, count))
        self.reasons.append(reason)
        return chosen

    def others(self) -> Iterator[tuple[int, ...]]:
        """Scripts of journeys that part from this one after its own script."""
        chosen = [one for one, _count in self.taken]
        for place in range(len(self._script), len(self.taken)):
            for other in range(1, self.taken[place][1]):
                yield (*chosen[:place], other)


def each(run: Callable[[Chances], _Outcome]) -> Iterator[tuple[_Outcome, Chances]]:
    """Every outcome that chance allows, `MOST` of them; what the tables say now is the first."""
    scripts: list[tuple[int, ...]] = [()]
    for _number in range(MOST):
        if not scripts:
            return
        chances = Chances(scripts.pop(0))
        yield run(chances), chances
        scripts += chances.others()

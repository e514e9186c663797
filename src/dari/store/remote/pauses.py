"""How long to wait before the next attempt: longer each time, and never in step.

Thousands of agents lose the same server at the same moment. What keeps them from
coming back at the same moment too is that each pause is drawn at random.

May import: record.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from dari.record import Record


class Timing(Record):
    """What a remote store waits for, all in seconds.

    Attributes:
        connect: for a connection to stand.
        request: for a whole answer to be there.
        probe: between questions whether the server is still there and sane.
        lifetime: of one watch; then it is begun anew where it was.
        relist: after which everything is read again when a watch is begun.
        first_pause: the most to wait before the second attempt.
        longest_pause: the most to wait before any.
    """

    connect: float = 3.0
    request: float = 5.0
    probe: float = 10.0
    lifetime: float = 300.0
    relist: float = 3600.0
    first_pause: float = 0.25
    longest_pause: float = 30.0


class Pauses:
    """Pauses that double, each drawn from the upper half of what it may be.

    Args:
        first: the most that the first may be, in seconds.
        longest: the most that any may be.
        draw: a number from 0 to 1.
    """

    def __init__(
        self, first: float, longest: float, draw: Callable[[], float] = random.random
    ) -> None:
        self._first = first
        self._longest = longest
        self._draw = draw
        self._most = first

    def next(self) -> float:
        """The pause before the next attempt."""
        pause = self._most * (0.5 + 0.5 * self._draw())
        self._most = min(self._most * 2, self._longest)
        return pause

    def reset(self) -> None:
        """An attempt went well: begin with short ones again."""
        self._most = self._first

    def spread(self, seconds: float) -> float:
        """A time around the given one, so that many agents do not act at once."""
        return seconds * (0.75 + 0.5 * self._draw())

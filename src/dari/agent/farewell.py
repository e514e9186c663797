"""Tells when what an old backend received by (its tunnel, its BGP sessions) may go.

A node may go on sending by a backend for as long as its record names it: only when it sends
by another one does it tell of that. So an agent that is away, or slow, loses nothing.

May import: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

# Seconds that it stays when no other node speaks it any more: what was sent last is under way.
LINGER = 5.0


class Farewell:
    """Keeps since when nobody has had a use for things.

    Args:
        clock: seconds from any fixed moment.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def over(self, unused: Mapping[str, bool]) -> frozenset[str]:
        """Those that may go.

        Args:
            unused: all that this node has no use for: do others still speak it? What is not
                named any more is in use again.
        """
        now = self._clock()
        self._since = {
            each: now if spoken else self._since.get(each, now) for each, spoken in unused.items()
        }
        return frozenset(each for each, since in self._since.items() if now - since >= LINGER)

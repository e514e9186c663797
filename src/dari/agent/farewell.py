"""Tells when what an old backend received by (its tunnel, its BGP sessions) may go.

A node may go on sending by a backend for as long as its record names it: only when it sends
by another one does it tell of that. So an agent that is away, or slow, loses nothing.

May import: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

# Seconds that it stays when no other node speaks it any more: what was sent last is under way.
LINGER = 5.0
# Seconds that it stays at most: in a cluster that stays mixed, nobody waits for the others.
LONGEST = 600.0


class Farewell:
    """Keeps since when things have been of no use.

    Args:
        clock: seconds from any fixed moment.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._unused: dict[str, float] = {}
        self._unspoken: dict[str, float] = {}

    def over(self, unused: Mapping[str, bool]) -> frozenset[str]:
        """Those that may go.

        Args:
            unused: all that this node has no use for: do others still speak it? What is not
                named any more is in use again.
        """
        now = self._clock()
        self._unused = {each: self._unused.get(each, now) for each in unused}
        self._unspoken = {
            each: self._unspoken.get(each, now) for each, spoken in unused.items() if not spoken
        }
        return frozenset(
            each
            for each, since in self._unused.items()
            if now - self._unspoken.get(each, now) >= LINGER or now - since >= LONGEST
        )

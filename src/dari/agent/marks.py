"""What has to be looked at again: everything, for a reason, or some nodes' records.

May import: model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Set
from contextlib import suppress
from math import inf

from dari.model import NodeName


class Marks:
    """Set by whoever notices something, taken by the one task that acts on it."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()
        self._names: set[NodeName] = set()
        self._due = inf
        self._any = asyncio.Event()

    def mark(self, reason: str, settle: float = 0.0) -> None:
        """Ask for another pass over everything.

        Args:
            settle: seconds that a burst of events is given, from its first.
        """
        self._reasons.add(reason)
        self._due = min(self._due, time.monotonic() + settle)
        self._any.set()

    def mark_nodes(self, names: Set[NodeName]) -> None:
        """Ask for a look at these nodes' records."""
        self._names |= names
        self._any.set()

    async def wait(self, rested: float) -> None:
        """Return once a node is marked, or everything is and the time has come.

        Args:
            rested: the moment, in seconds of the monotonic clock, before which no pass
                over everything may begin.
        """
        while not self._names:
            pause = max(rested, self._due) - time.monotonic() if self._reasons else None
            if pause is not None and pause <= 0:
                return
            self._any.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._any.wait()

    def is_due(self, rested: float) -> bool:
        """May and should a pass over everything begin now?

        Args:
            rested: see `wait`.
        """
        return bool(self._reasons) and time.monotonic() >= max(rested, self._due)

    def take_nodes(self) -> frozenset[NodeName]:
        """The nodes that are marked, which they are no longer then."""
        names, self._names = frozenset(self._names), set()
        return names

    def take(self) -> set[str]:
        """All reasons for a pass over everything, which looks at all nodes too."""
        reasons, self._reasons = self._reasons, set()
        self._names, self._due = set(), inf
        return reasons

"""What a reader of snapshots is just about, told to whoever waits.

May import: nothing of dari.
"""

from __future__ import annotations

from collections.abc import Callable

TABLES, RUNTIMES, PEERS, MACHINES = "tables", "runtimes", "peers", "machines"
Tell = Callable[[str, int, int], None]
"""Is told a step, and how many of how many are done; 0 of 0 where nothing is counted."""


def silently(_step: str, _done: int, _number: int) -> None:
    """Tell nobody."""

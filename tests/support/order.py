"""In which order tests are begun: those that take long first, each worker having its share.

pytest-xdist (``--dist worksteal``) cuts the list into as many pieces as there are workers,
all of one size, and gives a worker that is done the end of another's. A long test that is
begun last has all but one worker wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def spread(long: Sequence[T], others: Sequence[T], workers: int) -> list[T]:
    """The whole list, so that each worker's piece begins with its share of the long ones.

    Args:
        long: what takes long, the longest first.
        others: all else, in the order in which it belongs together.
        workers: how many there are.
    """
    ordered: list[T] = []
    left, remaining = iter(others), len(long) + len(others)
    for worker in range(workers):
        size = remaining // (workers - worker)
        remaining -= size
        own = long[worker::workers]
        ordered += [*own, *islice(left, max(0, size - len(own)))]
    return [*ordered, *left]

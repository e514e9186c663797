"""Chance in tests: the same examples each time, or with `make explore` such as nobody has tried.

So a suite that passes says something about the change, and looking for what nobody thought of
is work of its own.
"""

from __future__ import annotations

import os
import random

EXPLORING = "DARI_TEST_EXPLORE" in os.environ


def dice(seed: int) -> random.Random:
    """A source of random numbers; its seed is printed, and pytest shows it where a test fails.

    Args:
        seed: what it begins with, unless new examples are wanted.
    """
    chosen = random.randrange(2**32) if EXPLORING else seed
    print(f"seed {chosen}")
    return random.Random(chosen)

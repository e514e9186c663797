"""Signals that end a command, held back while it must not be ended half-way.

A program that was being started when Ctrl-C came would be one that nobody knows of,
and so nobody ends.

May import: nothing of dari.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_tidily() -> None:
    """Let SIGTERM and SIGHUP unwind the stack, as Ctrl-C does, so that all is cleared up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))


@contextmanager
def deferred() -> Iterator[None]:
    """Let these signals wait until the block is done. For the main thread only."""
    waiting: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: waiting.append(number))
        for number in _ENDING
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if waiting:
            os.kill(os.getpid(), waiting[0])

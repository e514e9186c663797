"""Several parts of the measure at once, each in a process of its own with labs of its own."""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from multiprocessing.process import BaseProcess

from bench.faults.report import Line

Part = Callable[[], Iterable[Line]]
_LOOK_AGAIN = 1.0  # seconds


def at_once(parts: Sequence[Part], jobs: int) -> Iterator[Line]:
    """What all parts yield, as it comes.

    Raises:
        RuntimeError: a part ended by an error, which it printed.
    """
    context = multiprocessing.get_context("fork")
    lines = context.Queue()
    waiting, running, failed = list(parts), list[BaseProcess](), 0
    while waiting or running:
        while waiting and len(running) < jobs:
            part = waiting.pop(0)
            running.append(context.Process(target=partial(_put_all, part, lines.put), daemon=True))
            running[-1].start()
        try:
            yield lines.get(timeout=_LOOK_AGAIN)
        except queue.Empty:
            failed += sum(bool(one.exitcode) for one in running)
            running = [one for one in running if one.exitcode is None]
    if failed:
        raise RuntimeError(f"{failed} parts of the measure did not come to their end")


def _put_all(part: Part, put: Callable[[Line], None]) -> None:
    for line in part():
        put(line)

"""Lets calls for one attachment be worked on one after the other.

A runtime calls for one attachment at a time; but where it ends an executable that takes
too long, the agent is still at that call when the next one comes. A DEL that ran beside
such an ADD would say that nothing is left, of a pod that is being made.

May import: errors.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from dari.errors import TryAgain

_PATIENCE = 10.0  # seconds


class Turns:
    """Who has which attachment's turn; shared by the threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: set[Hashable] = set()

    @contextmanager
    def of(self, attachment: Hashable, patience: float = _PATIENCE) -> Iterator[None]:
        """Wait for the attachment's turn, and have it meanwhile.

        Args:
            attachment: anything that tells one from another.
            patience: seconds to wait for it.

        Raises:
            TryAgain: another call for it takes longer than that.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: attachment not in self._taken, patience):
                raise TryAgain(
                    f"another call for this attachment has taken more than {patience:g} s",
                    "the agent's log names it once it ends",
                )
            self._taken.add(attachment)
        try:
            yield
        finally:
            with self._changed:
                self._taken.remove(attachment)
                self._changed.notify_all()

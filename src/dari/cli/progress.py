"""Tells on a terminal what a command is about, while that takes long; elsewhere nothing.

It is one line of stderr, written over and taken away at the end, so that what a command
prints is the same with it and without.

May import: language, snapshot.steps.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from dari.cli.messages import _
from dari.language import N_
from dari.snapshot.steps import MACHINES, PEERS, RUNTIMES, TABLES, Tell, silently

JUDGING = "judging"
_WORDS: Mapping[str, str] = {
    TABLES: N_("reading tables, pods and records"),
    RUNTIMES: N_("reading what runtimes use, and asking plugins for their versions"),
    PEERS: N_("sending packets to peers: {done} of {number}"),
    MACHINES: N_("reading machines: {done} of {number}"),
    JUDGING: N_("comparing with what should be"),
}
_TAKE_AWAY = "\r\x1b[K"


@contextmanager
def progress(stream: TextIO | None = None) -> Iterator[Tell]:
    """Within the block, what is told is shown; after it, nothing is left of that.

    Args:
        stream: None: stderr. Where it is no terminal, nothing is ever written.
    """
    out = stream or sys.stderr
    if not out.isatty():
        yield silently
        return

    def tell(step: str, done: int, number: int) -> None:
        text = _(_WORDS[step]).format(done=done, number=number)
        out.write(f"{_TAKE_AWAY}{text[: shutil.get_terminal_size().columns - 1]}")
        out.flush()

    try:
        yield tell
    finally:
        out.write(_TAKE_AWAY)
        out.flush()

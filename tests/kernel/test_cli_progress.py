"""What `dari doctor` shows while it works: on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress

_DOCTOR = [sys.executable, "-P", "-m", "dari", "doctor", "--no-probe", "--lang", "en"]


def everything(terminal: int) -> str:
    """All that was written to the other end, which is closed."""
    parts = []
    with suppress(OSError):  # EIO: that was all
        while part := os.read(terminal, 65536):
            parts.append(part)
    return b"".join(parts).decode()


def test_on_a_terminal_the_steps_are_shown_and_taken_away_again() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(_DOCTOR, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = everything(ours)
    os.close(ours)
    assert "reading tables, pods and records" in shown
    assert "asking plugins for their versions" in shown
    assert "comparing with what should be" in shown
    assert shown.endswith("\r\x1b[K")
    assert "reading tables" not in done.stdout and "\x1b" not in done.stdout


def test_elsewhere_nothing_of_it_is_written() -> None:
    done = subprocess.run(_DOCTOR, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout

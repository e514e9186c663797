"""Processes that are born of others by fork, and never return into their parent's code.

A child that fails says so on the report channel to `dari lab up`, which then ends
the whole lab.

May import: errors, and within lab: message, syscalls.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from dari.errors import DariError
from dari.lab import syscalls
from dari.lab.message import Channel, Message


def bear(work: Callable[[], object], report: Channel, name: str) -> int:
    """Fork a child that does `work` and ends; return its process number.

    Args:
        work: what the child does.
        report: where it says why it failed.
        name: what `ps -o comm` shows of it.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)  # what the parent does then is its own affair
        syscalls.set_process_name(name)
        work()
        os._exit(0)
    except BaseException as error:
        report.send(failure(error, name))
        if not isinstance(error, DariError):
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(1)


def failure(error: BaseException, name: str) -> Message:
    """What to tell `dari lab up` of an error in the process called `name`."""
    if isinstance(error, DariError):
        return Message(kind="failed", name=name, text=error.message, details=error.details)
    return Message(kind="failed", name=name, text=f"{type(error).__name__}: {error}")


def reap() -> None:
    """Wait for children, own and adopted, until there are none."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def hold() -> NoReturn:
    """Do nothing, for ever: what this process is in lasts as long as it does."""
    while True:
        signal.pause()

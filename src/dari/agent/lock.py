"""One agent for each node: a lock held for as long as the process lives.

May import: errors, paths.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from dari.agent.messages import _
from dari.errors import DariError, IOFailure
from dari.paths import Paths


class AgentRunning(DariError):
    """Another process holds this node's agent lock."""


@contextmanager
def only_agent(paths: Paths, doing: str) -> Iterator[None]:
    """Hold the lock; a process that dies gives it back, however it dies.

    Args:
        doing: what fails where one runs, for the error: ``cannot start``.

    Raises:
        AgentRunning: an agent runs on this node; its process id is named.
        IOFailure: the run folder cannot be written.
    """
    path = _path(paths)
    try:
        os.makedirs(paths.run, mode=0o755, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise IOFailure(
            _("open {path}: {reason}").format(path=path, reason=error.strerror), _("run as root")
        ) from None
    try:
        _take(descriptor, doing)
        yield
    finally:
        os.close(descriptor)


def is_locked(paths: Paths) -> bool:
    """Is there a lock at all? Whoever removes it does not end the agent that holds it."""
    return os.path.exists(_path(paths))


def _path(paths: Paths) -> str:
    return f"{paths.run}/agent.lock"


def _take(descriptor: int, doing: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "?"
        raise AgentRunning(
            _("{doing}: an agent runs on this node already (process {holder})").format(
                doing=doing, holder=holder
            ),
            _("see it with: dari status; stop it with: kill {holder}").format(holder=holder),
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

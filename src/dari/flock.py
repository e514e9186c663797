"""The locks that processes on a node take: on a folder of leases, on the rules, on records.

Each is flock(2) on a file, which host-local executables, theirs and ours, take on a folder's
`lock`. Waiting is bounded, since a process that hangs while it holds the lock would
otherwise hang every pod's start on the node. It is also fair: the kernel hands an flock from
waiter to waiter in the order in which they came, and one that only looked now and then would
never get its turn behind a queue of others. So a contended lock is waited for with a
blocking flock, in a thread that may be left behind.

May import: errors.
"""

from __future__ import annotations

import fcntl
import os
from _thread import allocate_lock, start_new_thread
from contextlib import contextmanager

from dari.errors import IOFailure, TryAgain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
"""Without O_NONBLOCK, a pipe in the lock's place would be waited on for ever."""

PATIENCE = 10.0
"""How long to wait for the lock, in seconds; a holder needs it for milliseconds."""


@contextmanager
def exclusively(path: str, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock file at `path`, which is made if it is not there.

    Equivalent to: ``flock -x -w PATIENCE PATH``.

    Args:
        path: of the lock file; its folder must be there.
        patience: how long to wait, in seconds.

    Raises:
        TryAgain: others held it all the time; the message names a holder.
        IOFailure: it cannot be opened or locked.
    """
    try:
        descriptor = _locked_file(path, patience)
    except OSError as error:
        raise IOFailure(f"lock {path}: {error.strerror}") from None
    try:
        yield
    finally:
        # By name, since a child born meanwhile may share the open file.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _locked_file(path: str, patience: float) -> int:
    while True:
        descriptor = os.open(path, _FLAGS, 0o600)
        if not _lock(descriptor, patience):
            # The descriptor now belongs to the thread that still waits on it.
            held_by = holder(path)
            raise TryAgain(
                f"lock {path}: held for over {patience:g} s by {held_by or 'another process'}",
                "see what its holder waits for",
            )
        if _is_at(descriptor, path):
            return descriptor
        # Somebody removed the folder meanwhile; who comes next locks another file.
        os.close(descriptor)


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(descriptor: int, patience: float) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _Waiter(descriptor).wait(patience)
    except OSError:
        os.close(descriptor)
        raise
    return True


class _Waiter:
    """A thread in flock(2), and whether anybody still wants what it gets."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._guard = allocate_lock()
        self._arrived = allocate_lock()
        self._arrived.acquire()
        self._finished = False
        self._given_up = False
        self._failure: OSError | None = None

    def wait(self, patience: float) -> bool:
        """Wait up to `patience` seconds; after False the descriptor is no longer ours."""
        try:
            start_new_thread(self._block, ())
        except RuntimeError:  # no thread to be had: as good as a lock not to be had
            os.close(self._descriptor)
            return False
        try:
            self._arrived.acquire(timeout=patience)
        finally:
            with self._guard:
                self._given_up = not self._finished
        if self._failure is not None and not self._given_up:
            os.close(self._descriptor)
            raise self._failure
        return not self._given_up

    def _block(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError as error:
            self._failure = error
        with self._guard:
            self._finished = True
            if self._given_up:
                os.close(self._descriptor)
        self._arrived.release()


def holder(path: str) -> str:
    """Who holds an flock on the file, such as ``host-local (process 4711)``; or empty.

    Source: proc_locks(5). A best guess for a message: some file systems show
    another device number there, and a process of another namespace has no number.
    """
    try:
        status = os.stat(path)
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        with open("/proc/locks", encoding="ascii") as lines:
            for line in lines:
                _, kind, _, _, process, file, *_ = line.split()
                if kind == "FLOCK" and file == f"{device}:{status.st_ino}":
                    return f"{_name_of(process)} (process {process})"
    except (OSError, ValueError):
        pass
    return ""


def _name_of(process: str) -> str:
    try:
        with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as comm:
            return comm.read().strip()
    except OSError:
        return "a process"

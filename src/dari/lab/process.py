"""A process that is never mistaken for a later one of the same number.

May import: errors, record.
"""

from __future__ import annotations

import os
import select
import signal
import time

from dari.errors import TryAgain
from dari.lab.messages import _
from dari.record import Record

_START_TIME = 19  # field 22 of /proc/PID/stat (proc(5)), counted from after the name
_ENDED = (b"Z", b"X")
_REAPER_SECONDS = 2.0


class Process(Record):
    """A process, told from a later one of the same number by when it began.

    `started` is in clock ticks after the boot that `boot` names.
    """

    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        """Is it still there, and not only waiting to be reaped?"""
        return observe(self.pid) == self

    def end(self, seconds: float = 20.0) -> None:
        """Kill it and wait until it has ended, and a moment longer until it is reaped.

        Args:
            seconds: how long to wait for its end.

        Raises:
            TryAgain: it is still there after that time.
        """
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                _wait_for_end(descriptor, self.pid, seconds)
                _wait_for_reaper(self.pid)
        except ProcessLookupError:
            return
        finally:
            os.close(descriptor)


def observe(pid: int) -> Process | None:
    """The living process of this number, or None."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in _ENDED:
        return None
    return Process(pid=pid, started=int(fields[_START_TIME]), boot=_boot())


def encode(process: Process) -> list[object]:
    """A process as a JSON list."""
    return [process.pid, process.started, process.boot]


def decode(fields: list[object]) -> Process:
    """Read such a list.

    Raises:
        ValueError, TypeError: it is none.
    """
    pid, started, boot = fields
    return Process(pid=int(str(pid)), started=int(str(started)), boot=str(boot))


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


def _wait_for_end(descriptor: int, pid: int, seconds: float) -> None:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    if not poller.poll(seconds * 1000):
        raise TryAgain(
            _("process {pid} is still there {seconds:g} s after SIGKILL").format(
                pid=pid, seconds=seconds
            ),
            _("try again; `dmesg` may say what the kernel waits for"),
        )


def _wait_for_reaper(pid: int) -> None:
    """Whoever adopted it reaps it, some sooner than others, and in a container maybe never."""
    deadline = time.monotonic() + _REAPER_SECONDS
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.005)

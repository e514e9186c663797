"""Takes back the leases of an earlier boot.

When a node dies, its pods die without a DEL, and their leases stay in host-local's
folder, which is on disk. After some boots the range is full and no pod starts.

The first time that we use a folder in a boot, under its lock, every lease older
than the boot is taken away. A marker in the run folder, which is in memory, says
that this was done. It is made last: a process killed half-way leaves the work to
the next one, and doing it twice takes away nothing more. Leases that the
reference made in this boot before we came are younger than the boot, and stay.

**To take a lease from a running pod is far worse than to keep one of a dead pod**,
so what counts is never to think this boot younger than it is. Wall clocks jump
after a boot (a node without a battery, a clock kept in local time), and folders'
times move as files come and go in them. This boot is held to have begun at the
*earliest* of:

- the moment at which the evidence folder (``/run``) was made, by the clock of
  that moment: its birth time, which never moves;
- the moment at which the first process started, by the clock of now; asked only
  where that process has the same ``/run``: a container or a laboratory's node
  has booted when *its* ``/run`` was made, however long the machine has been up;
- the time of change of the oldest entry there: more evidence of what the clock
  showed since.

If the clock jumped once, one of the first two knows the time before the jump and
the other the time after it. Where there is no birth time (tmpfs has had it since
Linux 6.1), entries must stand for it; where nothing does, nothing is taken. Where
``/run`` is not in memory, it is ancient, and nothing is taken either; nor where the
run folder is of another file system, as in a container, which knows nothing of the
node's boot.

May import: errors, ipam.folder, paths.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from dari.errors import IOFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.ipam.folder import LeaseFolder
    from dari.paths import Paths

_SECOND = 10**9
_STATX_BTIME = 0x800  # linux/stat.h, as are the offsets in _born
_AT_FDCWD = -100


def reclaim_earlier_boot(folder: LeaseFolder, paths: Paths) -> None:
    """Take away leases of an earlier boot, once in this one; the lock must be held.

    Args:
        folder: of leases.
        paths: for the marker, and for evidence of when this boot began.

    Raises:
        IOFailure: a lease cannot be removed, or the marker not be made.
    """
    marker = f"{paths.run}/boot/{folder.digest}"
    in_memory = folder.path.startswith(f"{paths.run}/")
    if in_memory or os.path.exists(marker):
        return
    if _is_the_nodes_own(paths):
        for name in folder.written_before(boot_began(paths.boot_evidence)):
            folder.drop(name)
    try:
        os.makedirs(os.path.dirname(marker), mode=0o755, exist_ok=True)
        os.close(os.open(marker, os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise IOFailure(f"make {marker}: {error.strerror}", "is /run writable?") from None


def _is_the_nodes_own(paths: Paths) -> bool:
    """Is the evidence of the boot that the run folder is of?

    A container has a ``/run`` of its own, as young as itself, to which the node's run
    folder was added. That tells nothing about the node's boot.
    """
    try:
        return os.stat(paths.run).st_dev == os.stat(paths.boot_evidence).st_dev
    except FileNotFoundError:
        return True  # it is yet to be made there


def boot_began(evidence: str) -> int:
    """When this boot began, or earlier: nanoseconds of the wall clock.

    Args:
        evidence: a folder in memory that is made at boot, such as ``/run``.

    Returns:
        0 where it cannot be told.
    """
    born, started = _born(evidence), _init_started(evidence)
    changed = _entries_changed(evidence)
    # What the clock says now of the first process must not stand alone.
    if not born and not (started and changed):
        return 0
    return min([moment for moment in (born, started) if moment] + changed)


def _born(path: str) -> int:
    """The birth time of a file, 0 where it has none. Source: statx(2)."""
    # Needed once a boot; os.stat does not tell it.
    from ctypes import CDLL, create_string_buffer
    from struct import unpack_from

    answer = create_string_buffer(256)
    try:
        failed = CDLL(None).statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, answer)
    except (AttributeError, OSError):  # a C library of before 2018
        return 0
    told, seconds, nanoseconds = (
        *unpack_from("=I", answer, 0),
        *unpack_from("=qI", answer, 80),
    )
    return 0 if failed or not told & _STATX_BTIME else seconds * _SECOND + nanoseconds


def _init_started(evidence: str) -> int:
    """When the first process started, by the present clock; 0 where it has another folder.

    Source: proc_pid_stat(5), field 22, in ticks since the machine's boot.
    """
    try:
        if not _is_mounted_for_init(evidence):
            return 0
        with open("/proc/1/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    # A second's grace for the rounding of both clocks.
    return int((time.time() - age - 1) * _SECOND)


def _is_mounted_for_init(folder: str) -> bool:
    """Whether the first process sees the same file system there. Source: proc_pid_mountinfo(5)."""
    device = os.stat(folder).st_dev
    ours = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/1/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        fields = (line.split(" ", 5) for line in mounts)
        return any((number, point) == (ours, folder) for _, _, number, _, point, _ in fields)


def _entries_changed(folder: str) -> list[int]:
    try:
        device = os.stat(folder).st_dev
        names = os.listdir(folder)
    except OSError:
        return []
    moments = []
    for name in names:
        with suppress(OSError):  # it went meanwhile
            status = os.lstat(f"{folder}/{name}")
            # What is mounted there has a history of its own.
            if status.st_dev == device:
                moments.append(status.st_mtime_ns)
    return moments

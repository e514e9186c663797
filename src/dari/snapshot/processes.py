"""Reads processes from procfs: their names, arguments, and what they hold.

Source: proc(5).
May import: nothing of dari.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

PROC = "/proc"


def pids(proc: str = PROC) -> list[int]:
    """All processes that procfs shows, in order."""
    try:
        return sorted(int(name) for name in os.listdir(proc) if name.isdecimal())
    except OSError:
        return []


def in_own_network(proc: str = PROC) -> Iterator[int]:
    """Those in the network namespace of the calling thread."""
    own = link(f"{proc}/thread-self/ns/net")
    return (pid for pid in pids(proc) if link(f"{proc}/{pid}/ns/net") == own)


def arguments(pid: int, proc: str = PROC) -> tuple[str, ...]:
    """A process's command line; empty for the kernel's own, and where it ended."""
    return tuple("".join(lines(f"{proc}/{pid}/cmdline")).split("\0")[:-1])


def name(pid: int, proc: str = PROC) -> str:
    """A process's name: of its command line's first word, where that begins with its comm.

    The kernel keeps only 15 characters of ``kube-controller-manager``.
    """
    comm = "".join(lines(f"{proc}/{pid}/comm")[:1]).rstrip("\n")
    called = os.path.basename(next(iter(arguments(pid, proc)), ""))
    return called if comm and called.startswith(comm) else comm


def sockets(pid: int, proc: str = PROC) -> set[int]:
    """Inodes of the sockets that a process holds; none where it ended or may not be read."""
    found = set()
    folder = f"{proc}/{pid}/fd"
    with suppress(OSError):
        for descriptor in os.listdir(folder):
            target = link(f"{folder}/{descriptor}")
            if target.startswith("socket:["):
                found.add(int(target[8:-1]))
    return found


def lines(path: str) -> list[str]:
    """A file's lines; none where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.readlines()
    except OSError:
        return []


def link(path: str) -> str:
    """Where a symbolic link leads; empty where it cannot be read."""
    try:
        return os.readlink(path)
    except OSError:
        return ""

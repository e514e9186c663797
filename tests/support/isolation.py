"""A node of one's own: fresh network and mount namespaces around a piece of work.

`isolated(work)` runs `work` in a thread that is thrown away afterwards. The
thread has a network namespace with only `lo` (up), and a mount namespace in
which `/run`, `/var/lib/cni`, `/var/lib/dari`, `/etc/cni`, `/etc/dari` and `/opt/cni` are empty
folders in memory and `/sys` shows the new network. Programs that the work starts are born
in the same namespaces. When the thread and its children end, so does all of it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

CLONE_FS, CLONE_NEWNS, CLONE_NEWNET = 0x200, 0x20000, 0x40000000
PRIVATE_FOLDERS = ("/run", "/var/lib/cni", "/var/lib/dari", "/etc/cni", "/etc/dari", "/opt/cni")

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    if _libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), f"unshare({flags:#x})")


def mount(source: str, target: str, kind: str, flags: int = 0) -> None:
    encoded = [text.encode() for text in (source, target, kind)]
    if _libc.mount(*encoded, ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {kind} on {target}")


def enter_fresh_namespaces() -> None:
    """Give the calling thread (never the main one) a node of its own."""
    unshare(CLONE_FS)
    unshare(CLONE_NEWNS | CLONE_NEWNET)
    mount("none", "/", "none", 0x4000 | 0x40000)  # MS_REC | MS_PRIVATE
    for folder in PRIVATE_FOLDERS:
        os.makedirs(folder, exist_ok=True)
        mount("tmpfs", folder, "tmpfs")
    os.makedirs("/run/netns")
    mount("sysfs", "/sys", "sysfs")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def isolated(work: Callable[[], T]) -> T:
    """Run `work` on a node of its own and give back what it returns or raises."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            enter_fresh_namespaces()
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=body, name="isolated")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def add_namespace(name: str) -> str:
    """Make a named network namespace (a pod's sandbox) and return its path."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    return f"/run/netns/{name}"

"""The few system calls of namespaces that Python 3.11 lacks.

Each raises OSError with the call in words, so that whoever knows what it was for
can say what to do next.

May import: nothing of dari.
"""

from __future__ import annotations

import ctypes
import os
import signal

# linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# linux/mount.h
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_RDONLY = 0x2, 0x4, 0x8, 0x1
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000

# linux/prctl.h
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


def unshare(flags: int) -> None:
    """Give the calling process new namespaces.

    Args:
        flags: CLONE_NEW* joined with `|`.

    Raises:
        OSError: the kernel refused; unshare(2) tells the reasons.
    """
    if _libc().unshare(flags) != 0:
        raise _failed(f"unshare({flags:#x})")


def setns(descriptor: int, flags: int) -> None:
    """Enter the namespace behind a descriptor.

    Raises:
        OSError: the kernel refused; setns(2) tells the reasons.
    """
    if _libc().setns(descriptor, flags) != 0:
        raise _failed(f"setns({flags:#x})")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system.

    Equivalent to: ``mount -t KIND -o OPTIONS SOURCE TARGET``.

    Raises:
        OSError: the kernel refused; mount(2) tells the reasons.
    """
    source_, target_, kind_ = os.fsencode(source), os.fsencode(target), os.fsencode(kind)
    words = ctypes.c_ulong(flags)
    if _libc().mount(source_, target_, kind_ or None, words, os.fsencode(options) or None) != 0:
        raise _failed(f"mount {kind or source} on {target}")


def bind(source: str, target: str) -> None:
    """Show `source` at `target`, with what is mounted below it.

    Equivalent to: ``mount --rbind SOURCE TARGET``.

    Raises:
        OSError: the kernel refused.
    """
    mount(source, target, flags=MS_BIND | MS_REC)


def keep_mounts() -> None:
    """Let no mount made here spread; what the machine unmounts goes here too.

    Equivalent to: ``mount --make-rslave /``.
    """
    mount("none", "/", flags=MS_REC | MS_SLAVE)


def die_with_parent(wanted: bool) -> None:
    """Have the kernel kill this process when its parent ends, or no longer.

    "Parent" is the thread that started this process (prctl(2)); children of this
    process do not inherit the wish.
    """
    _libc().prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL) if wanted else 0, 0, 0, 0)


def set_process_name(name: str) -> None:
    """What `ps -o comm` shows of this process; the kernel keeps 15 characters."""
    _libc().prctl(_PR_SET_NAME, os.fsencode(name), 0, 0, 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _failed(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")

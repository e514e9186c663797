"""Leaving the machine's namespaces, as root or as an ordinary user.

An ordinary user becomes root of a user namespace, and of nothing outside of it.
Where the kernel refuses, what to do about it is said here.

May import: errors, and within lab: messages, syscalls.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from dari.errors import NotAvailable
from dari.lab import syscalls
from dari.lab.messages import _

_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21  # linux/capability.h
_KINDS = ("user", "pid", "net", "mnt", "uts")
_SWITCHES = {
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "kernel.unprivileged_userns_clone=1"),
    "/proc/sys/user/max_user_namespaces": ("0", "user.max_user_namespaces=10000"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
}


def needs_user_namespace() -> bool:
    """Does this process lack what it takes to make the other namespaces?"""
    with open("/proc/self/status", encoding="ascii") as stream:
        (line,) = [line for line in stream if line.startswith("CapEff:")]
    held = int(line.split()[1], 16)
    return not (held >> _CAP_NET_ADMIN & held >> _CAP_SYS_ADMIN & 1)


def leave_namespaces() -> None:
    """Make the process namespace that children are born in, and where needed a user namespace.

    Raises:
        NotAvailable: the kernel refuses; what to do about it is said.
    """
    user, group = os.geteuid(), os.getegid()
    own_user = needs_user_namespace()
    _unshare(syscalls.CLONE_NEWPID | (syscalls.CLONE_NEWUSER if own_user else 0))
    if own_user:
        _become_root(user, group)


def leave_host() -> None:
    """Give the calling process a network, mounts and a host name of its own.

    Raises:
        NotAvailable: the kernel refuses; what to do about it is said.
    """
    _unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWUTS)


def advice(error: OSError, *, ordinary: bool, read: Callable[[str], str]) -> str:
    """What to do about a refused namespace.

    Args:
        error: what the kernel said.
        ordinary: whether an ordinary user asked for it.
        read: gives the text of one of the kernel's settings, or "" where it has none.
    """
    shut = [setting for path, (value, setting) in _SWITCHES.items() if read(path).strip() == value]
    if shut and ordinary:
        return _("an ordinary user may make none here: sudo sysctl {shut}").format(
            shut=" ".join(shut)
        )
    if error.errno == errno.ENOSPC:
        kinds = " ".join(f"user.max_{kind}_namespaces=10000" for kind in _KINDS)
        return _("there are more namespaces than allowed: sudo sysctl {kinds}").format(kinds=kinds)
    return _("run it as root; in a container, one that may make namespaces (--privileged)")


def _unshare(flags: int) -> None:
    try:
        syscalls.unshare(flags)
    except OSError as error:
        raise _refused(
            _("make namespaces for a lab: {reason}").format(reason=error.strerror), error
        ) from None


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read()
    except OSError:
        return ""


def _become_root(user: int, group: int) -> None:
    """Map this user to root inside (user_namespaces(7)); nobody else exists there."""
    texts = {"setgroups": "deny", "uid_map": f"0 {user} 1", "gid_map": f"0 {group} 1"}
    for name, text in texts.items():
        try:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
                stream.write(text)
        except OSError as error:
            doing = _("become root of a user namespace: write {name}: {reason}").format(
                name=name, reason=error.strerror
            )
            raise _refused(doing, error) from None


def _refused(doing: str, error: OSError) -> NotAvailable:
    ordinary = needs_user_namespace() or os.geteuid() != 0
    return NotAvailable(doing, advice(error, ordinary=ordinary, read=_read))

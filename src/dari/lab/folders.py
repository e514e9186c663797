"""What a machine of a lab sees of the real machine's files.

Programs and libraries are the real machine's own; what a node keeps state in is
the node's. All that is written lands in one file system in memory, which the
lab's first process mounts on its own `/run`, and which vanishes with it::

    shared/             at /run/lab in every machine: hosts, resolv.conf, bin/, store/;
                        the last also where agents look for it, in /var/lib/dari
    node1/run …         at /run, and so on for each of `OWN`
    node1/upper …       what is written elsewhere below /etc (and /opt, /var/lib)

A folder that the real machine lacks cannot be made there (an ordinary user may
not, and root should not): the folder above it gets an overlay that has it.

May import: errors, and within lab: syscalls.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress

from dari.errors import IOFailure
from dari.lab import syscalls
from dari.lab.messages import _
from dari.lab.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from dari.record import Record

OWN = ("/run", "/etc/cni", "/etc/dari", "/opt/cni", "/var/lib/cni", "/var/lib/dari")
SHARED = "/run/lab"
STORE = "/var/lib/dari/store"  # where an agent looks if nobody says otherwise
_LAB = "/run"
_SHARED_FILES = ("hosts", "resolv.conf")
_RESOLV_CONF = "# A lab has no name server: names are in /etc/hosts.\n"
_LOCALHOST = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
_MEMORY = "mode=0755,size=256m"


class Overlay(Record):
    """A folder of the real machine to which others are added.

    `folders` and `files` are names in it that exist afterwards.
    """

    path: str
    folders: tuple[str, ...]
    files: tuple[str, ...] = ()


def overlays(exists: Callable[[str], bool]) -> tuple[Overlay, ...]:
    """Which folders need an overlay, so that every mount point is there.

    `/etc` always does: its hosts and resolv.conf may be missing, or be links into
    a folder that a machine of the lab does not see.
    """
    files = {"/etc": ("hostname", *_SHARED_FILES)}
    found = []
    for parent in ("/etc", "/opt", "/var/lib"):
        children = tuple(os.path.basename(path) for path in OWN if os.path.dirname(path) == parent)
        if parent in files or not all(exists(f"{parent}/{child}") for child in children):
            found.append(Overlay(path=parent, folders=children, files=files.get(parent, ())))
    return tuple(found)


def make_lab(launcher: str) -> None:
    """Mount the lab's own memory and `/proc`; run by the first process, once.

    Args:
        launcher: text of the script that is the command `dari` everywhere inside.

    Raises:
        IOFailure: the kernel refuses one of the mounts.
    """
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _mount("tmpfs", _LAB, "tmpfs", MS_NOSUID | MS_NODEV, _MEMORY)
    os.makedirs(f"{_LAB}/shared/store")
    os.makedirs(f"{_LAB}/shared/bin")
    _write(f"{_LAB}/shared/bin/dari", launcher)
    os.chmod(f"{_LAB}/shared/bin/dari", 0o755)
    _write(f"{_LAB}/shared/resolv.conf", _RESOLV_CONF)
    write_names({})


def write_names(addresses: Mapping[str, tuple[str, ...]]) -> None:
    """Let every machine and pod resolve these names; run by the first process.

    The file is written in place: it is mounted in all of them.
    """
    lines = [f"{address} {name}\n" for name, own in addresses.items() for address in own]
    _write(f"{_LAB}/shared/hosts", _LOCALHOST + "".join(lines))


def dress_machine(name: str) -> None:
    """Give the calling process's mount namespace a machine's view of the files.

    Raises:
        IOFailure: the kernel refuses one of the mounts.
    """
    home = f"{_LAB}/{name}"
    for overlay in overlays(os.path.isdir):
        _lay(overlay, home, name)
    for file in _SHARED_FILES:
        _bind(f"{_LAB}/shared/{file}", f"/etc/{file}")
    os.makedirs(f"{home}/run/netns")
    os.makedirs(home + SHARED)
    _bind(f"{_LAB}/shared", home + SHARED)
    for path in reversed(OWN):  # /run last: it hides all the others come from
        os.makedirs(home + path, exist_ok=True)
        _bind(home + path, path)
    os.mkdir(STORE)
    _bind(f"{SHARED}/store", STORE)
    show_devices()


def dress_pod() -> None:
    """Give a pod a `/run` and a `/sys` of its own; the rest is its node's.

    Of the node's `/run` it sees the command `dari` only, above all no agent's socket.

    Raises:
        IOFailure: the kernel refuses one of the mounts.
    """
    spare = OWN[-1]  # a node's own folder, of which a pod needs nothing
    _mount("tmpfs", spare, "tmpfs", MS_NOSUID | MS_NODEV, _MEMORY)
    os.makedirs(f"{spare}/lab/bin")
    _bind(f"{SHARED}/bin", f"{spare}/lab/bin")
    _bind(spare, "/run")
    show_devices()


def mount_sparse(path: str) -> None:
    """Make a folder in memory whose files take no more room than was written.

    etcd asks for 64 MB ahead of each log; a ramfs lets it, and gives none away.

    Raises:
        IOFailure: the kernel refuses the mount.
    """
    os.makedirs(path)
    _mount("ramfs", path, "ramfs", MS_NOSUID | MS_NODEV)


def show_devices() -> None:
    """Mount a `/sys` that shows this network namespace's links, where the kernel lets us.

    Inside a container it may not, or only for reading; nothing of dari needs it.
    """
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    with suppress(OSError):
        return syscalls.mount("sysfs", "/sys", "sysfs", flags)
    with suppress(OSError):
        return syscalls.mount("sysfs", "/sys", "sysfs", flags | MS_RDONLY)


def _lay(overlay: Overlay, home: str, host_name: str) -> None:
    upper, work = f"{home}/upper{overlay.path}", f"{home}/work{overlay.path}"
    os.makedirs(work)
    for folder in overlay.folders:
        os.makedirs(f"{upper}/{folder}")
    for file in overlay.files:
        _write(f"{upper}/{file}", host_name + "\n" if file == "hostname" else "")
    options = f"lowerdir={overlay.path},upperdir={upper},workdir={work},userxattr"
    _mount("overlay", overlay.path, "overlay", options=options)


def _bind(source: str, target: str) -> None:
    try:
        syscalls.bind(source, target)
    except OSError as error:
        raise IOFailure(f"lab: {error.strerror}") from None


def _mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    try:
        syscalls.mount(source, target, kind, flags, options)
    except OSError as error:
        raise IOFailure(
            f"lab: {error.strerror}",
            _(
                "inside a container this needs all of its /proc and /sys (--privileged); "
                "for an ordinary user it needs Linux 5.11 or newer"
            ),
        ) from None


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)

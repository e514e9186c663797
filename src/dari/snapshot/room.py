"""Reads how much a machine has of what runs out, and which of Kubernetes' programs run.

May import: snapshot.health, snapshot.processes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from struct import Struct

from dari.snapshot import processes
from dari.snapshot.health import Health, Program, Room

PROGRAMS = (
    *("kubelet", "kube-proxy", "kube-apiserver", "etcd"),
    *("kube-scheduler", "kube-controller-manager", "containerd", "crio"),
)
_CREDENTIALS = Struct("iII")  # struct ucred: process, user, group
_WITH_FLAGS = ("kubelet", "containerd", "crio")
MANIFESTS = "/etc/kubernetes/manifests"
_UNITS = tuple(
    f"{folder}/dari-agent.service" for folder in ("/etc/systemd/system", "/lib/systemd/system")
)
FOLDERS = ("/run/dari", "/var/lib/dari", "/var/lib/cni", "/run", "/var/lib")


def read_room(agent: int, store: str, proc: str = processes.PROC) -> Health:
    """How much there is of everything, and which programs run.

    Args:
        agent: process id of dari's agent; 0: it does not run.
        store: the local store's folder; empty: the records are elsewhere.
    """
    memory, swap = parse_memory(processes.lines(f"{proc}/meminfo"))
    opened, limit = _descriptors(agent, proc)
    return Health(
        programs=tuple(_programs(proc)),
        manifests=_manifests(),
        rooms=tuple(_rooms(FOLDERS)),
        swap=swap,
        memory=memory,
        processors=len(os.sched_getaffinity(0)),
        agent=agent,
        unit=any(map(os.path.exists, _UNITS)),
        store_mount=read_only_mount(store, processes.lines(f"{proc}/self/mountinfo")),
        open_files=opened,
        most_files=limit,
    )


def _programs(proc: str) -> Iterable[Program]:
    """Those of the node's own network: a kubelet in somebody's container is not this node's."""
    for pid in processes.in_own_network(proc):
        name = processes.name(pid, proc)
        if name in PROGRAMS:
            flags = processes.arguments(pid, proc) if name in _WITH_FLAGS else ()
            yield Program(name=name, pid=pid, arguments=flags)


def _manifests() -> tuple[str, ...]:
    try:
        names = os.listdir(MANIFESTS)
    except OSError:
        return ()
    return tuple(sorted(name.rsplit(".", 1)[0] for name in names if name.endswith(".yaml")))


def _rooms(folders: Iterable[str]) -> Iterable[Room]:
    """The file systems below some folders, each once."""
    seen = set()
    for folder in folders:
        with suppress(OSError):
            device = os.stat(folder).st_dev
            if device in seen:
                continue
            seen.add(device)
            found = os.statvfs(folder)
            yield Room(
                path=folder,
                bytes_free=found.f_bavail * found.f_frsize,
                bytes_all=found.f_blocks * found.f_frsize,
                files_free=found.f_favail,
                files=found.f_files,
            )


def parse_memory(lines: Iterable[str]) -> tuple[int, int]:
    """Memory and swap in KiB, of ``/proc/meminfo``."""
    found = {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) == 3}
    return found.get("MemTotal:", 0), found.get("SwapTotal:", 0)


def _descriptors(pid: int, proc: str) -> tuple[int, int]:
    """How many files a process has open, and may have; 0 where it is not there."""
    try:
        opened = len(os.listdir(f"{proc}/{pid}/fd")) if pid else 0
    except OSError:
        return 0, 0
    for line in processes.lines(f"{proc}/{pid}/limits"):
        if line.startswith("Max open files"):
            soft = line.split()[3]
            return opened, int(soft) if soft.isdecimal() else 0
    return 0, 0


def read_only_mount(folder: str, lines: Iterable[str]) -> str:
    """The options of what is mounted last on a folder, where that is read-only; else empty.

    Args:
        folder: its path; empty for none.
        lines: of ``/proc/self/mountinfo``.
    """
    found = ""
    for words in map(str.split, lines):
        if len(words) > 5 and words[4] == folder:
            found = words[5]
    return found if "ro" in found.split(",") else ""


def peer_of(path: str) -> int:
    """Process id of whoever listens on a unix socket; 0: nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(path)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return 0
    return int(_CREDENTIALS.unpack(peer)[0])

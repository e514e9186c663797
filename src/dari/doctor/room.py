"""What runs out: disk, files, descriptors; and what Kubernetes asks of a machine.

May import: causes, language, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator

from dari.causes import machine
from dari.causes.finding import WARNING, Finding
from dari.doctor.node import Node
from dari.doctor.table import CONTROL_PLANE
from dari.language import Messages

_ = Messages("doctor")
_LEAST_BYTES = 16 << 20
_LEAST_FILES = 256
_NEARLY_ALL = 0.9
_LEAST_PROCESSORS = 2
_LEAST_MEMORY = 1700 << 10  # KiB; kubeadm's own check


def disks(node: Node) -> Iterator[Finding]:
    """There is room for leases and records."""
    for room in node.health.rooms if node.ours else ():
        few = room.files > 0 and room.files_free < _LEAST_FILES
        if room.bytes_free >= _LEAST_BYTES and not few:
            continue
        what = (
            _("{path} has room for {files} files more")
            if few
            else _("{path} has {free} KiB left of {all} KiB")
        )
        yield Finding(
            code=machine.DISK_FULL.code,
            where=node.name,
            what=what.format(
                path=room.path,
                files=room.files_free,
                free=room.bytes_free >> 10,
                all=room.bytes_all >> 10,
            ),
            subject=room.path,
        )


def descriptors(node: Node) -> Iterator[Finding]:
    """The agent may open more files than it has."""
    opened, most = node.health.open_files, node.health.most_files
    if most and opened >= most * _NEARLY_ALL:
        yield Finding(
            code=machine.FEW_DESCRIPTORS.code,
            where=node.name,
            what=_("the agent has {opened} files open, and may have {most}").format(
                opened=opened, most=most
            ),
            mend=(f"prlimit --pid {node.health.agent} --nofile=65536",),
            severity=WARNING,
        )


def swap(node: Node) -> Iterator[Finding]:
    """Swap is off where kubelet runs and was not told to bear it."""
    flags = [" ".join(one.arguments) for one in node.health.programs if one.name == "kubelet"]
    bears = any("--fail-swap-on=false" in each for each in flags)
    if node.health.swap and flags and not bears:
        yield Finding(
            code=machine.SWAP_ON.code,
            where=node.name,
            what=_("{size} KiB of swap are on").format(size=node.health.swap),
            mend=("swapoff -a", r"sed -i '/\sswap\s/s/^[^#]/#&/' /etc/fstab"),
            severity=WARNING,
        )


def size(node: Node) -> Iterator[Finding]:
    """The machine is as large as kubeadm asks for, where it is a control plane."""
    health = node.health
    if CONTROL_PLANE not in node.roles or not health.memory:
        return
    if health.processors < _LEAST_PROCESSORS or health.memory < _LEAST_MEMORY:
        yield Finding(
            code=machine.SMALL_MACHINE.code,
            where=node.name,
            what=_("{processors} CPUs and {memory} MiB of memory").format(
                processors=health.processors, memory=health.memory >> 10
            ),
            severity=WARNING,
        )

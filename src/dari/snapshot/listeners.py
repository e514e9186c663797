"""Reads who listens in this network namespace, without running another program.

The kernel lists sockets with their inodes; a process that holds one has a link to it
among its descriptors. Only processes of the same namespace are looked into.

Source: proc_net(5), Linux' Documentation/networking/proc_net_tcp.rst.
May import: model, record, snapshot.health, snapshot.processes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from dari.record import Record
from dari.snapshot import processes
from dari.snapshot.health import Listener

if TYPE_CHECKING:
    from dari.model import IPAddress

PROTOCOLS: Mapping[str, tuple[str, str]] = {
    # file: protocol, and the state of a socket that waits (include/net/tcp_states.h)
    "tcp": ("tcp", "0A"),
    "tcp6": ("tcp", "0A"),
    "udp": ("udp", "07"),
    "udp6": ("udp", "07"),
}
MOST = 4096  # sockets; a node has dozens


class Waiting(Record):
    """A socket that waits, as the kernel lists it."""

    protocol: str
    address: IPAddress
    port: int
    inode: int


def read_listeners(proc: str = processes.PROC) -> tuple[Listener, ...]:
    """All sockets that wait, in this thread's network namespace, each once."""
    waiting = [
        each
        for file in PROTOCOLS
        for each in parse(file, processes.lines(f"{proc}/thread-self/net/{file}"))
    ][:MOST]
    holders = _holders(proc, {each.inode for each in waiting if each.inode})
    found = []
    for each in waiting:
        pid = holders.get(each.inode, 0)
        found.append(
            Listener(
                protocol=each.protocol,
                address=each.address,
                port=each.port,
                program=processes.name(pid, proc) if pid else "",
                pid=pid,
            )
        )
    return tuple(dict.fromkeys(found))


def parse(file: str, lines: Iterable[str]) -> Iterator[Waiting]:
    """The sockets that wait, of one of the kernel's lists.

    Args:
        file: its name, a key of `PROTOCOLS`.
        lines: with the heading; what is no line of the list is passed over.
    """
    protocol, waits = PROTOCOLS[file]
    for line in lines:
        words = line.split()
        if len(words) < 10 or words[3] != waits:
            continue
        address, _, port = words[1].partition(":")
        with suppress(ValueError):
            yield Waiting(
                protocol=protocol,
                address=parse_address(address),
                port=int(port, 16),
                inode=int(words[9]),
            )


def parse_address(text: str) -> IPAddress:
    """An address as the kernel prints it: words of four bytes in the machine's order.

    An IPv4 address in an IPv6 one's clothes is told as what it is.

    Raises:
        ValueError: it is none.
    """
    if len(text) not in (8, 32):
        raise ValueError(f"{text!r} has neither 8 nor 32 digits")
    packed = b"".join(
        int(text[start : start + 8], 16).to_bytes(4, sys.byteorder)
        for start in range(0, len(text), 8)
    )
    if len(packed) == 4:
        return IPv4Address(packed)
    address = IPv6Address(packed)
    return address.ipv4_mapped or address


def _holders(proc: str, inodes: set[int]) -> dict[int, int]:
    """Which process of this network namespace holds each of some sockets."""
    found: dict[int, int] = {}
    if not inodes:
        return found
    for pid in processes.in_own_network(proc):
        for inode in processes.sockets(pid, proc) & inodes:
            found.setdefault(inode, pid)
    return found

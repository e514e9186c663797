"""Sends packets to peers: does a node answer, do full-size packets pass, are ports reached?

A tunnel is pinged through, from its one end to its other. All of it stays between the
nodes, changes nothing, and takes some seconds where a peer is silent.

Source: RFC 792 and RFC 4443 (echo); ip(7) and ipv6(7) for IP_MTU_DISCOVER.
May import: model, record, snapshot.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from struct import Struct
from typing import TYPE_CHECKING

from dari.record import Record
from dari.snapshot.datagrams import send
from dari.snapshot.health import Probe, TunnelProbe
from dari.snapshot.steps import PEERS, Tell, silently

if TYPE_CHECKING:
    from dari.model import IPAddress

FEW_PEERS, MOST_PEERS = 8, 5000
_KUBELET = 10250
_AT_ONCE = 32
_SECONDS = 1.0
_TRIES = 2
_SMALL = 128  # bytes of an IP packet
_ECHO = Struct("!BBHHH")
_REQUEST = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_IP_HEADER = {4: 20, 6: 40}
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
# level, option that gives the path's MTU; option and value that forbid cutting up and
# ignore what the kernel believes of the path (IP_PMTUDISC_PROBE). linux/in.h, linux/in6.h
_IP_MTU = {4: (socket.IPPROTO_IP, 14), 6: (socket.IPPROTO_IPV6, 24)}
_MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
_PROBE = 3
_NO_VNI = bytes(8)  # a vxlan header without the flag I: such a packet is dropped (RFC 7348, 5)
_LARGEST = 9216  # no pod network has larger frames; loopback has


class Aim(Record):
    """A peer's address, and what to try there: TCP ports, and the tunnels that lead to it."""

    peer: str
    address: IPAddress
    ports: tuple[int, ...] = ()
    tunnels: tuple[TunnelProbe, ...] = ()


def probe(aims: Sequence[Aim], tell: Tell = silently) -> tuple[Probe, ...]:
    """Try all of them, `_AT_ONCE` at a time.

    Args:
        tell: is told how many are done.
    """
    found: list[Probe] = []
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        for each in workers.map(_probe, aims):
            found.append(each)
            tell(PEERS, len(found), len(aims))
    return tuple(found)


def _probe(aim: Aim) -> Probe:
    found = Probe(peer=aim.peer, address=aim.address)
    try:
        with _open(aim.address) as connection:
            size = min(connection.getsockopt(*_IP_MTU[aim.address.version]), _LARGEST)
            found = found.replace(size=size, answers=_passes(connection, aim.address, _SMALL))
            if found.answers:
                found = found.replace(passes=_largest(connection, aim.address, size))
    except OSError:
        pass  # no route, or not allowed: it does not answer
    return found.replace(
        tcp={str(port): connect(aim.address, port) for port in aim.ports},
        tunnels=tuple(_through(each, aim.address) for each in aim.tunnels),
    )


def _through(tunnel: TunnelProbe, address: IPAddress) -> TunnelProbe:
    """Ping the far end from within; where it is silent, see what becomes of a datagram outside.

    The kernel's own socket answers nothing, so that only what it carries can show that it
    is reached.
    """
    try:
        with _open(tunnel.at) as connection:
            if _passes(connection, tunnel.at, _SMALL):
                return tunnel.replace(answers=True)
    except OSError:
        pass  # no route into the tunnel any more
    found = send(address, tunnel.port, _NO_VNI)
    return tunnel.replace(state=found.state, by=found.by)


def _open(address: IPAddress) -> socket.socket:
    version = address.version
    opened = socket.socket(_FAMILY[version], socket.SOCK_RAW, _PROTOCOL[version])
    opened.settimeout(_SECONDS)
    opened.setsockopt(*_MTU_DISCOVER[version], _PROBE)
    opened.connect((str(address), 0))
    return opened


def _largest(connection: socket.socket, address: IPAddress, size: int) -> int:
    """The largest packet that passes, found by halving where the full size does not."""
    if _passes(connection, address, size):
        return size
    low, high = _SMALL, size
    while high - low > 8:
        middle = (low + high) // 2
        if _passes(connection, address, middle):
            low = middle
        else:
            high = middle
    return low


def _passes(connection: socket.socket, address: IPAddress, size: int) -> bool:
    """Is an echo of this size, the IP header included, answered?"""
    return any(_echo(connection, address, size, number) for number in range(_TRIES))


def _echo(connection: socket.socket, address: IPAddress, size: int, number: int) -> bool:
    version = address.version
    identity = int.from_bytes(os.urandom(2))
    request = _message(version, identity, number, size - _IP_HEADER[version])
    try:
        connection.send(request)
        return _answered(connection, version, identity, time.monotonic() + _SECONDS)
    except (TimeoutError, OSError):
        return False


def _answered(connection: socket.socket, version: int, identity: int, deadline: float) -> bool:
    while time.monotonic() < deadline:
        answer = connection.recv(_LARGEST + 256)
        start = (answer[0] & 0x0F) * 4 if version == 4 else 0  # IPv4 gives its header too
        if len(answer) >= start + _ECHO.size:
            kind, _code, _sum, found, _number = _ECHO.unpack_from(answer, start)
            if kind == _REPLY[version] and found == identity:
                return True
    return False


def _message(version: int, identity: int, number: int, size: int) -> bytes:
    """An echo request of `size` bytes; the kernel adds IPv6's checksum by itself."""
    rest = bytes(max(size - _ECHO.size, 0))
    head = _ECHO.pack(_REQUEST[version], 0, 0, identity, number)
    total = checksum(head + rest) if version == 4 else 0
    return _ECHO.pack(_REQUEST[version], 0, total, identity, number) + rest


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total = sum(int.from_bytes(padded[at : at + 2]) for at in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def connect(address: IPAddress, port: int) -> str:
    """Open a TCP connection and close it: ``open``, ``refused`` or ``silent``."""
    with socket.socket(_FAMILY[address.version], socket.SOCK_STREAM) as opened:
        opened.settimeout(_SECONDS * _TRIES)
        try:
            opened.connect((str(address), port))
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "silent"
    return "open"


def aims_at(
    peers: Iterable[tuple[str, Sequence[IPAddress]]],
    versions: Collection[int],
    tunnels: Mapping[IPAddress, Sequence[TunnelProbe]],
) -> list[Aim]:
    """What to try: each peer's first address of each family that this node has one of.

    kubelet's port is tried too: a connection that is refused shows that nothing on
    the way drops it.

    Args:
        tunnels: by the address that their packets are sent to.
    """
    found = []
    for name, addresses in peers:
        for version in sorted(versions):
            first = next((each for each in addresses if each.version == version), None)
            if first is not None:
                led = tuple(tunnels.get(first, ()))
                found.append(Aim(peer=name, address=first, ports=(_KUBELET,), tunnels=led))
    return found

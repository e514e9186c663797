"""Packets and connections that are really sent, from any namespace of a lab to any other.

No program runs in the machines: sockets are opened in their namespaces by threads that
enter them (`netlink.namespace`), and stay there.

Source: raw(7), packet(7), RFC 792, 4443 (echo), 826 (ARP).
May import: errors, netlink.namespace, and within lab: probe; within lab.faults: sights.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from itertools import count
from typing import TYPE_CHECKING

from dari.explain.echo import echo_reply, echo_request
from dari.lab.faults.sights import ARP, PING, TCP, Trial
from dari.netlink.namespace import Namespace

if TYPE_CHECKING:
    from dari.model import IPAddress

FAILED = "-"
_identifiers = count(random.getrandbits(16))  # no two pings under way have the same
_AT_ONCE = 200
_INTERVAL = 0.3  # seconds until a ping is sent again
_CONNECT = 1.2  # seconds; the kernel sends SYN again after one
_CHUNK = 65536
_ECHO_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
_MTU_DISCOVER = {4: 10, 6: 23}  # IP_MTU_DISCOVER, IPV6_MTU_DISCOVER (linux/in.h, in6.h)
_CUT_UP, _WHOLE = 0, 2  # IP_PMTUDISC_DONT, IP_PMTUDISC_DO
_ETH_P_ARP = 0x0806
_ARP = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_BROADCAST = b"\xff" * 6
_PROXY_DELAY = 1.5  # seconds; a proxy takes up to 0.8 to answer (neigh/*/proxy_delay)


def send(trials: Sequence[Trial], pids: Mapping[str, int], seconds: float) -> list[str]:
    """Send all of it, hundreds at once.

    Args:
        pids: of the processes that hold the machines and pods.
        seconds: how long each is tried.

    Returns:
        For each trial `FAILED`, or whose address was seen (which may be empty).
    """
    with ThreadPoolExecutor(_AT_ONCE) as senders:
        return list(senders.map(lambda one: _send(one, pids, seconds), trials))


def _send(trial: Trial, pids: Mapping[str, int], seconds: float) -> str:
    ways: Mapping[str, Callable[[Trial, Namespace, Namespace, float], str]] = {
        PING: _ping,
        TCP: _connect,
        ARP: _who_has,
    }
    with (
        Namespace.open(f"/proc/{pids[trial.source]}/ns/net") as source,
        Namespace.open(f"/proc/{pids[trial.target]}/ns/net") as target,
    ):
        return ways[trial.way](trial, source, target, time.monotonic() + seconds)


def _ping(trial: Trial, source: Namespace, _target: Namespace, deadline: float) -> str:
    address = ip_address(trial.address)
    family, protocol = _FAMILY[address.version], _ECHO_PROTOCOL[address.version]
    identifier = next(_identifiers) & 0xFFFF
    with source.run(partial(socket.socket, family, socket.SOCK_RAW, protocol)) as raw:
        cut = _WHOLE if trial.whole else _CUT_UP
        raw.setsockopt(_LEVEL[address.version], _MTU_DISCOVER[address.version], cut)
        number = 0
        while time.monotonic() < deadline:
            number += 1
            packet = _echo(family, identifier, number, trial.size)
            with suppress(OSError):  # no route, or an earlier packet's error: asked again
                raw.sendto(packet, (trial.address, 0))
            if _replied(raw, family, identifier, min(deadline, time.monotonic() + _INTERVAL)):
                return ""
    return FAILED


def _echo(family: int, identifier: int, number: int, size: int) -> bytes:
    """A request with so many bytes of zeros, which the checksum of its header holds for."""
    return echo_request(family, identifier, number) + bytes(size)


def _replied(raw: socket.socket, family: int, identifier: int, until: float) -> bool:
    while (left := until - time.monotonic()) > 0:
        raw.settimeout(left)
        try:
            answer = echo_reply(family, raw.recv(_CHUNK))
        except TimeoutError:
            return False
        except OSError:
            time.sleep(0.02)  # such as an ICMP error, reported once
            continue
        if answer is not None and answer[0] == identifier:
            return True
    return False


def _connect(trial: Trial, source: Namespace, target: Namespace, deadline: float) -> str:
    address = ip_address(trial.address)
    with target.run(partial(_listener, address, trial.port)) as listener:
        port = listener.getsockname()[1]
        while time.monotonic() < deadline:
            try:
                return _talk(trial, source, listener, port)
            except OSError:
                time.sleep(0.05)
    return FAILED


def _listener(address: IPAddress, port: int) -> socket.socket:
    listener = socket.socket(_FAMILY[address.version], socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address.version == 6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(("", port))
    listener.listen(8)
    listener.settimeout(_CONNECT)
    return listener


def _talk(trial: Trial, source: Namespace, listener: socket.socket, port: int) -> str:
    """Connect, and send so many bytes each way; whose address the listener saw."""
    family = listener.family
    with source.run(partial(socket.socket, family, socket.SOCK_STREAM)) as client:
        client.settimeout(_CONNECT)
        client.connect((trial.address, port))
        served, peer = listener.accept()
        with served:
            served.settimeout(_CONNECT)
            for giver, taker in ((client, served), (served, client)):
                giver.sendall(bytes(max(trial.size, 1)))
                _take(taker, max(trial.size, 1))
        return str(peer[0])


def _take(taker: socket.socket, count: int) -> None:
    while count > 0:
        got = len(taker.recv(_CHUNK))
        if not got:
            raise ConnectionResetError
        count -= got


def _who_has(trial: Trial, source: Namespace, _target: Namespace, _deadline: float) -> str:
    """The MACs that answer for an address, sorted, with blanks between."""
    with source.run(partial(_arp_socket, trial.link)) as raw:
        mac = raw.getsockname()[4]
        own, wanted = ip_address(trial.own).packed, ip_address(trial.address).packed
        raw.send(
            _ARP.pack(
                *(_BROADCAST, mac, _ETH_P_ARP, 1, 0x0800, 6, 4, 1),
                *(mac, own, bytes(6), wanted),
            )
        )
        return " ".join(sorted(_answerers(raw, wanted)))


def _arp_socket(link: str) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP))
    raw.bind((link, _ETH_P_ARP))
    return raw


def _answerers(raw: socket.socket, wanted: bytes) -> set[str]:
    found: set[str] = set()
    until = time.monotonic() + _PROXY_DELAY
    while (left := until - time.monotonic()) > 0:
        raw.settimeout(left)
        try:
            packet = raw.recv(_CHUNK)
        except TimeoutError:
            break
        fields = _ARP.unpack_from(packet) if len(packet) >= _ARP.size else ()
        if fields and fields[7] == 2 and fields[9] == wanted:
            found.add(fields[8].hex(":"))
    return found

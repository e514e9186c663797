"""Nodes and a table of routes for the tests of routing."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from dari.model import NodeName
from dari.netlink.route import KernelRoute
from dari.routing.peer import Peer

TABLE = [
    KernelRoute(dst=ip_network("0.0.0.0/0"), gateway=ip_address("192.168.0.254"), device=2),
    KernelRoute(dst=ip_network("192.168.0.0/24"), device=2, protocol=2),
    KernelRoute(dst=ip_network("fd00::/64"), device=2, protocol=2, metric=256),
    KernelRoute(dst=ip_network("10.244.1.0/24"), device=9, protocol=2),
]


def node(name: str, addresses: str, ranges: str = "") -> Peer:
    """A node of the direct backend."""
    return Peer(
        name=NodeName(name),
        addresses=tuple(map(ip_address, addresses.split())),
        ranges=tuple(map(ip_network, ranges.split())),
    )

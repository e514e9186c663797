"""How an address is reached now: the longest match in a list of routes.

The kernel could be asked address by address; with thousands of peers one listing
and this is quicker, and it leaves out dari's own routes, which must never decide
how a node is reached.

May import: model, netlink.route, record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dari.netlink.route import KernelRoute
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress

_UNICAST = 1  # RTN_UNICAST, linux/rtnetlink.h


class Hop(Record):
    """Where a packet goes next.

    Attributes:
        device: index of the link it leaves by.
        gateway: who takes it there; None: the destination itself is on the link.
        onlink: the gateway is on the link though no route says so.
    """

    device: int
    gateway: IPAddress | None = None
    onlink: bool = False


class Reach:
    """Answers from one listing of routes.

    Args:
        table: the main table's routes, without dari's own.
    """

    def __init__(self, table: Iterable[KernelRoute]) -> None:
        self._best: dict[tuple[int, int], dict[int, KernelRoute]] = {}
        for route in table:
            same_length = self._best.setdefault((route.dst.version, route.dst.prefixlen), {})
            number = int(route.dst.network_address)
            if number not in same_length or route.metric < same_length[number].metric:
                same_length[number] = route
        self._lengths = sorted(self._best, key=lambda key: key[1], reverse=True)

    def hop(self, address: IPAddress) -> Hop | None:
        """The next hop towards an address; None where there is no way.

        Of a route with several ways the first is taken. Equivalent to:
        ``ip route get ADDRESS`` with no rules but the main table.
        """
        for version, length in self._lengths:
            if version != address.version:
                continue
            host_bits = address.max_prefixlen - length
            found = self._best[version, length].get(int(address) >> host_bits << host_bits)
            if found is not None:
                return _first_hop(found)
        return None


def _first_hop(route: KernelRoute) -> Hop | None:
    if route.kind != _UNICAST:
        return None
    if route.hops:
        first = route.hops[0]
        return Hop(device=first.device, gateway=first.gateway, onlink=first.onlink)
    return Hop(device=route.device, gateway=route.gateway, onlink=route.onlink)

"""Which tunnel leads to which peer, by the kernel's own tables.

May import: model, netlink's records, snapshot.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from dari.netlink.constants import RT_TABLE_MAIN
from dari.snapshot.health import TunnelProbe
from dari.snapshot.model import Place

if TYPE_CHECKING:
    from dari.model import IPAddress


def tunnels_of(place: Place) -> dict[IPAddress, list[TunnelProbe]]:
    """Tunnels to be tried, by the address to which their packets are sent.

    A route into a tunnel names the far end; a neighbour entry has its MAC, and a
    forwarding entry the address behind which that is. Where one of them is missing there is
    nothing to be tried: what is missing is told from the tables.
    """
    devices = {one.link.index: one for one in place.vxlans}
    macs = {(one.index, one.address): one.mac for one in place.neighbours if one.index in devices}
    behind = {(one.index, one.mac): one.address for one in place.fdb if one.index in devices}
    found: dict[IPAddress, dict[tuple[str, IPAddress], TunnelProbe]] = defaultdict(dict)
    for route in place.routes:
        if route.table != RT_TABLE_MAIN or route.device not in devices or not route.gateway:
            continue
        mac = macs.get((route.device, route.gateway), "")
        address = behind.get((route.device, mac))
        if address is not None:
            tunnel = devices[route.device]
            one = TunnelProbe(device=tunnel.link.name, port=tunnel.port, at=route.gateway)
            found[address].setdefault((one.device, one.at), one)
    return {address: list(each.values()) for address, each in found.items()}

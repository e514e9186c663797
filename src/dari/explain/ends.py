"""Finds the ends of a journey by what a person calls them.

May import: addr, errors, model, snapshot, explain's world and journey.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from dari.errors import BadConfig
from dari.explain.journey import End
from dari.explain.world import Spot, World
from dari.netlink.constants import RT_SCOPE_UNIVERSE
from dari.snapshot.model import NODE, OUTSIDE

if TYPE_CHECKING:
    from dari.model import IPAddress

_SOMEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}  # RFC 5737, RFC 3849: nobody's, so outside


def find_ends(world: World, source: str, target: str, version: int = 0) -> tuple[End, End]:
    """Both ends, with addresses of one family.

    Args:
        source, target: a pod (``default/web-1``, ``web-1``), a node, an address, a
            name of /etc/hosts, or ``outside``.
        version: of IP; 0: the first that both have.

    Raises:
        BadConfig: one is not known, or they have no family in common.
    """
    froms, tos = find(world, source), find(world, target)
    for one in froms:
        for other in tos:
            same = one.address.version == other.address.version
            if same and version in (0, one.address.version):
                return one, other
    family = f"IPv{version} address" if version else "family of addresses in common"
    raise BadConfig(f"{source} and {target} have no {family}")


def find(world: World, text: str) -> list[End]:
    """One end, once for each of its addresses, IPv4 first.

    Raises:
        BadConfig: nobody is called so.
    """
    found = _by_address(world, text) or _by_name(world, text)
    if found:
        return sorted(found, key=lambda end: end.address.version)
    names = [spot.name for spot in world.spots]
    raise BadConfig(
        f"{text!r}: no pod, node or name of that kind is known here",
        f"there are: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}",
    )


def _by_address(world: World, text: str) -> list[End]:
    try:
        address = ip_address(text)
    except ValueError:
        return []
    spots = world.holders(address)
    if not spots:
        return [End(name=text, address=address)]
    return [_end(next((one for one in spots if _is_due(one, address)), spots[0]), address)]


def _is_due(spot: Spot, address: IPAddress) -> bool:
    """Is an address, which several may have, this place's by a record or a lease?"""
    record = spot.machine.record
    if spot.pod is None:
        return record is not None and address in record.addresses
    return any(end.address == address for end in _leased(spot))


def _by_name(world: World, text: str) -> list[End]:
    spot = _called(world, text)
    if spot is not None:
        found = [_end(spot, address) for address in usable(spot)]
        versions = {end.address.version for end in found}
        lost = [end for end in _leased(spot) if end.address.version not in versions]
        return [*found, *lost]
    for machine in world.snapshot.machines:
        for address, name in machine.names.items():
            if name == text and ":" not in name:
                return _by_address(world, address)
    if text == OUTSIDE:
        return [End(name=OUTSIDE, address=ip_address(one)) for one in _SOMEWHERE.values()]
    return []


def _called(world: World, text: str) -> Spot | None:
    """Who is called so: by the name that is printed first, as host names may be had twice."""
    for spot in world.spots:
        if spot.name == text:
            return spot
    for spot in world.spots:
        if text in _other_names(spot) or (text == OUTSIDE and spot.machine.kind == OUTSIDE):
            return spot
    return None


def _other_names(spot: Spot) -> Iterable[str]:
    if spot.pod:
        yield spot.pod.name.rpartition("/")[2]
        yield from (each.container_id for each in spot.pod.attachments)
    else:
        yield spot.machine.host.name


def usable(spot: Spot) -> list[IPAddress]:
    """Addresses that others reach a place at: of a node those that its record has first."""
    record = spot.machine.record
    recorded = list(record.addresses) if record and spot.pod is None else []
    own = [
        one.interface.ip
        for one in spot.place.addresses
        if one.scope == RT_SCOPE_UNIVERSE and not one.interface.ip.is_loopback
    ]
    if spot.pod is None and spot.machine.kind == NODE:
        bridges = {index for index, link in spot.links.items() if link.kind in ("bridge", "vxlan")}
        own = [one for one in own if spot.addresses.get(one) not in bridges]
    return list(dict.fromkeys([one for one in recorded if one in own] + own + recorded))


def _leased(spot: Spot) -> list[End]:
    """A pod that lost an address still has its lease."""
    if spot.pod is None:
        return []
    owners = {(one.container_id, one.ifname) for one in spot.pod.attachments}
    return [
        _end(spot, lease.address)
        for lease in spot.machine.leases
        if (lease.container_id, lease.ifname) in owners
    ]


def _end(spot: Spot, address: IPAddress) -> End:
    return End(
        name=spot.name,
        address=address,
        machine=spot.machine.name,
        pod=spot.pod.name if spot.pod else "",
    )

"""The node's bridge: made where it is missing, mended where it is not as it should be.

May import: addr, errors, netlink, wiring.host.
"""

from __future__ import annotations

from contextlib import suppress

from dari.addr import mac_of
from dari.errors import AlreadyExists, BadConfig, NotFound
from dari.netlink.address import add_address, delete_address, list_addresses
from dari.netlink.link import get_link
from dari.netlink.linkchange import add_bridge, change_link
from dari.wiring.solicitation import await_solicitations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dari.model import IPInterface
    from dari.netlink.codec import Request
    from dari.netlink.link import Link
    from dari.wiring.host import Host


def ensure_bridge(
    host: Host,
    name: str,
    gateways: Sequence[IPInterface] = (),
    mtu: int = 0,
    *,
    force_address: bool = False,
    promiscuous: bool = False,
) -> Link:
    """Make the bridge, or mend it: up, its gateway addresses there, its MAC pinned.

    A bridge without a MAC of its own takes its lowest port's, and so changes it
    as pods come and go; one that has a gateway address is given a fixed MAC.

    Args:
        host: the node.
        name: the bridge's name.
        gateways: addresses with prefix length that the node has on it.
        mtu: in bytes, for a bridge that is made now; 0 for the kernel's choice.
        force_address: take away an address that overlaps one of the gateways.
        promiscuous: let it accept every frame.

    Raises:
        BadConfig: a link of that name is no bridge, or has another address in
            one of the gateways' networks.
        KernelRefused: the kernel says no.
    """
    link = _find_or_add(host, name, gateways, mtu)
    check_kind(link)
    requests = address_changes(host, link, gateways, force_address=force_address)
    if requests:
        requests.append(change_link(index=link.index, mac=link.mac))  # the same MAC, but pinned
    if not link.up:
        requests.append(change_link(index=link.index, up=True))
    if promiscuous and not link.promisc:
        requests.append(change_link(index=link.index, promisc=True))
    with suppress(AlreadyExists):  # another ADD was quicker with the same address
        host.rtnl.transact(requests)
    if requests:
        await_solicitations(host.rtnl, link.index, [each.ip for each in gateways])
    return link


def check_kind(link: Link) -> None:
    """Raises:
    BadConfig: the link is no bridge.
    """
    if link.kind != "bridge":
        raise BadConfig(
            f"bridge: {link.name} exists and is no bridge ({link.kind or 'a device'})",
            "name another bridge, or remove that link",
        )


def find_bridge(host: Host, name: str) -> Link | None:
    """The bridge, or None where it is not there."""
    with suppress(NotFound):
        return get_link(host.rtnl, name=name)
    return None


def _find_or_add(host: Host, name: str, gateways: Sequence[IPInterface], mtu: int) -> Link:
    found = find_bridge(host, name)
    if found is not None:
        return found
    mac = mac_of(gateways[0].ip) if gateways else ""
    with suppress(AlreadyExists):
        host.rtnl.transact([add_bridge(name, mac=mac, mtu=mtu, up=True)])
    return get_link(host.rtnl, name=name)


def address_changes(
    host: Host, link: Link, gateways: Sequence[IPInterface], *, force_address: bool
) -> list[Request]:
    """What it takes to give a link the addresses that it lacks.

    Raises:
        BadConfig: one that it has is in the way, and `force_address` is not set.
    """
    present = [each.interface for each in list_addresses(host.rtnl, index=link.index)]
    missing = [gateway for gateway in gateways if gateway not in present]
    requests: list[Request] = []
    for gateway in missing:
        for other in present:
            if other.network.overlaps(gateway.network):
                requests.append(_take_away(link, other, gateway, force_address))
    return requests + [add_address(link.index, gateway) for gateway in missing]


def _take_away(link: Link, other: IPInterface, gateway: IPInterface, force: bool) -> Request:
    if not force:
        raise BadConfig(
            f"bridge: {link.name} already has {other}, which overlaps the gateway {gateway}",
            f"set forceAddress, or: ip address del {other} dev {link.name}",
        )
    return delete_address(link.index, other)

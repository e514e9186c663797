"""The pods' bridge, and what else has addresses of pods.

May import: agent.desired, causes, language, model, netlink, routing, store, wiring.names, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dari.agent.desired import gateway_of
from dari.causes import links
from dari.causes.finding import WARNING, Finding
from dari.doctor.commands import line
from dari.doctor.node import Node
from dari.explain.mend import have_agent
from dari.language import Messages
from dari.netlink.link import Link
from dari.routing.desired import is_tunnel
from dari.store.ranges import within
from dari.wiring.names import is_host_end

if TYPE_CHECKING:
    from dari.model import IPInterface

_ = Messages("doctor")


def bridge(node: Node) -> Iterator[Finding]:
    """The bridge is there, up, and has the gateways' addresses and the MTU that it should."""
    if not node.desired or not node.desired.gateways:
        return
    link = node.link(node.bridge)
    if link is None:
        yield Finding(
            code=links.BRIDGE_MISSING.code,
            where=node.name,
            what=_("there is no link {name}").format(name=node.bridge),
            mend=(have_agent(node.machine),),
            subject=node.bridge,
        )
        return
    if not link.up:
        yield Finding(
            code=links.BRIDGE_DOWN.code,
            where=node.name,
            what=_("bridge {name} is down").format(name=link.name),
            mend=(line("ip", "link", "set", link.name, "up"),),
            subject=link.name,
        )
    yield from _gateways(node, link)
    yield from _foreign(node, link)
    if node.desired.mtu and link.mtu != node.desired.mtu:
        yield _mtu(node, link, node.desired.mtu)


def _gateways(node: Node, link: Link) -> Iterator[Finding]:
    held = {each.interface for each in node.place.addresses if each.index == link.index}
    for gateway in node.desired.gateways if node.desired else ():
        if gateway not in held:
            more = ("nodad",) if gateway.version == 6 else ()
            yield Finding(
                code=links.BRIDGE_ADDRESS_MISSING.code,
                where=node.name,
                what=_("bridge {name} lacks {address}").format(name=link.name, address=gateway),
                mend=(line("ip", "address", "add", gateway, "dev", link.name, *more),),
                subject=str(gateway),
            )


def _foreign(node: Node, link: Link) -> Iterator[Finding]:
    """Addresses of pods' ranges that are another node's, as after a change of the range."""
    for each in node.place.addresses:
        address = each.interface
        if each.index == link.index and _is_of_another(node, address):
            yield Finding(
                code=links.BRIDGE_ADDRESS_FOREIGN.code,
                where=node.name,
                what=_("bridge {name} has {address}, and the node's range is {ranges}").format(
                    name=link.name,
                    address=address,
                    ranges=", ".join(map(str, node.ranges)),
                ),
                mend=(line("ip", "address", "del", address, "dev", link.name),),
                subject=str(address),
            )


def _is_of_another(node: Node, address: IPInterface) -> bool:
    """Is it the gateway of a range such as nodes get, and not of this node's?"""
    network = address.network
    clusters = [each.network for each in node.config.cluster_ranges] if node.config else []
    return (
        network not in node.ranges
        and address == gateway_of(network)
        and any(network.prefixlen == each.prefixlen for each in node.ranges)
        and any(within(network, each) for each in clusters)
    )


def _mtu(node: Node, link: Link, wanted: int) -> Finding:
    return Finding(
        code=links.MTU_MISMATCH.code,
        where=node.name,
        what=_("bridge {name} has MTU {mtu}; what leads to other nodes carries {wanted}").format(
            name=link.name, mtu=link.mtu, wanted=wanted
        ),
        mend=(line("ip", "link", "set", link.name, "mtu", wanted),),
        severity=WARNING,
        subject=link.name,
    )


def overlapping(node: Node) -> Iterator[Finding]:
    """No other link has a network that holds addresses of pods."""
    ranges = [*node.ranges, *(each for peer in node.machine.peers for each in peer.pod_ranges)]
    others = {
        each.index: each.name
        for each in node.place.links
        if each.name not in (node.bridge, node.location.interface)
        and not is_tunnel(each.name)
        and not is_host_end(each.name)
    }
    for address in node.place.addresses:
        network = address.interface.network
        if address.index not in others or network.prefixlen == network.max_prefixlen:
            continue
        met = [one for one in ranges if one.version == network.version and one.overlaps(network)]
        if met:
            name = others[address.index]
            yield Finding(
                code=links.OVERLAPPING_BRIDGES.code,
                where=node.name,
                what=_("{name} has {address}, which overlaps pods' range {network}").format(
                    name=name, address=address.interface, network=met[0]
                ),
                mend=(line("ip", "address", "del", address.interface, "dev", name),),
                subject=f"{name} {address.interface}",
            )


def interface(node: Node) -> Iterator[Finding]:
    """The interface that holds the node's recorded address is up."""
    record = node.machine.record
    recorded = set(record.addresses) if record else set()
    holders = {one.index for one in node.place.addresses if one.interface.ip in recorded}
    mac = record.mac if record else ""
    for link in node.place.links:
        held = link.index in holders or (bool(mac) and link.mac == mac and not link.master)
        if held and not link.up and link.kind != "vxlan":
            yield Finding(
                code=links.NODE_INTERFACE_DOWN.code,
                where=node.name,
                what=_("{name} is down, and peers reach this node by it").format(name=link.name),
                mend=(line("ip", "link", "set", link.name, "up"),),
                subject=link.name,
            )

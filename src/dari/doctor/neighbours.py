"""Entries that say who has an address, and behind which port a MAC is.

Only entries that nobody corrects are told: permanent neighbours, static forwardings.

May import: causes, language, model, netlink, snapshot, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dari.causes import paths
from dari.causes.finding import Finding
from dari.doctor.commands import inside, line
from dari.doctor.node import Node
from dari.language import Messages
from dari.netlink.constants import NUD_NOARP, NUD_PERMANENT
from dari.snapshot.model import Place, Pod

if TYPE_CHECKING:
    from dari.model import IPAddress

_ = Messages("doctor")
Owners = Mapping["IPAddress", str]


def owners_of(node: Node) -> dict[IPAddress, str]:
    """Who has which MAC, as far as this node can know: peers by their records, pods by theirs."""
    found: dict[IPAddress, str] = {}
    for peer in node.machine.peers:
        found.update((each, peer.mac) for each in peer.addresses if peer.mac)
    for pod, one in node.wired():
        found.update(_macs(pod.place, one.ifname) if pod.place else {})
    return found


def _macs(place: Place, name: str) -> dict[IPAddress, str]:
    links = {each.index: each.mac for each in place.links if each.name == name}
    return {
        each.interface.ip: links[each.index]
        for each in place.addresses
        if each.index in links and not each.scope
    }


def permanent(node: Node) -> Iterator[Finding]:
    """No permanent neighbour of the node has another MAC than the machine or pod that it is."""
    names = {each.index: each.name for each in node.place.links if each.kind != "vxlan"}
    owners = owners_of(node)
    for each in node.place.neighbours:
        if not each.state & NUD_PERMANENT or each.index not in names or each.address is None:
            continue
        wanted = owners.get(each.address)
        foreign = wanted is None and _is_on_link(node, each.index, each.address)
        if foreign or (wanted and wanted != each.mac):
            name = names[each.index]
            yield Finding(
                code=paths.NEIGHBOUR_STALE.code,
                where=node.name,
                what=_told(foreign).format(
                    address=each.address, mac=each.mac, name=name, wanted=wanted
                ),
                mend=(line("ip", "neigh", "del", each.address, "dev", name),),
                subject=f"{name} {each.address}",
            )


def _told(unknown: bool) -> str:
    if unknown:
        return _("a permanent entry on {name} takes the gateway {address} for {mac}")
    return _("a permanent entry on {name} takes {address} for {mac}; it has {wanted}")


def _is_on_link(node: Node, index: int, address: IPAddress) -> bool:
    """Is it a next hop of the node's routes, of which nobody knows the MAC beforehand?"""
    return any(one.gateway == address and one.device == index for one in node.main)


def gateways(node: Node) -> Iterator[Finding]:
    """No pod has a permanent entry for its gateway, or a pod beside it, with another's MAC."""
    link = node.link(node.bridge)
    held = [one.interface.ip for one in node.place.addresses if link and one.index == link.index]
    owners = owners_of(node)
    owners.update((each, link.mac) for each in held if link)
    for pod, _one in node.wired():
        for each in pod.place.neighbours if pod.place else ():
            wanted = owners.get(each.address) if each.address is not None else None
            if each.state & NUD_PERMANENT and wanted and each.mac != wanted:
                yield _in_pod(node, pod, str(each.address), each.mac, wanted)


def _in_pod(node: Node, pod: Pod, address: str, mac: str, wanted: str) -> Finding:
    name = pod.attachments[0].ifname
    return Finding(
        code=paths.NEIGHBOUR_STALE.code,
        where=node.name,
        what=_("a permanent entry in {pod} takes {address} for {mac}; it has {wanted}").format(
            pod=pod.name, address=address, mac=mac, wanted=wanted
        ),
        mend=(inside(pod, "ip", "neigh", "del", address, "dev", name),),
        subject=f"{pod.name} {address}",
    )


def forwarding(node: Node) -> Iterator[Finding]:
    """No static entry of the bridge has a pod's MAC behind another pod's cable."""
    ports = {each.name: each.index for each in node.place.links}
    names = {index: name for name, index in ports.items()}
    homes: dict[str, set[int]] = {}
    for pod, one in node.wired():
        for mac in set(_macs(pod.place, one.ifname).values()) if pod.place else ():
            homes.setdefault(mac, set()).add(ports.get(one.host_end, 0))
    for each in node.place.fdb:
        static = each.state & (NUD_PERMANENT | NUD_NOARP)
        wrong = each.mac in homes and each.index not in homes[each.mac]
        if static and wrong and each.master and each.index in names:
            name = names[each.index]
            yield Finding(
                code=paths.FORWARDING_ENTRY_WRONG.code,
                where=node.name,
                what=_("a static entry has the MAC {mac} of a pod behind {name}").format(
                    mac=each.mac, name=name
                ),
                mend=(line("bridge", "fdb", "del", each.mac, "dev", name, "master"),),
                subject=f"{name} {each.mac}",
            )

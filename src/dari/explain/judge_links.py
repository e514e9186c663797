"""Judges links: of pods, bridges, cables and nodes, and the settings and MACs on them.

May import: causes, netlink's records, snapshot, and within explain: found, mend, messages,
packet, rows, wire, world, and the other judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_interface
from typing import TYPE_CHECKING

from dari.causes import addresses, identity, links, paths, settings
from dari.causes.finding import Finding
from dari.explain import mend
from dari.explain.found import found_in
from dari.explain.messages import _
from dari.explain.world import Spot
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.snapshot.model import NODE

if TYPE_CHECKING:
    from dari.explain.judge import Judge
    from dari.model import IPAddress


def pod_address(judge: Judge, spot: Spot, ifname: str, address: IPAddress) -> Finding:
    """A pod lacks the address that its lease names."""
    length = next(
        (each.prefixlen for each in judge.expected.own_ranges if address in each),
        address.max_prefixlen,
    )
    interface = ip_interface((address, length))
    lines = [mend.add_address(spot, ifname, interface)]
    gateway = judge.expected.gateway(address)
    if gateway:
        lines.append(
            mend.ip(spot, address.version, f"route replace default via {gateway} dev {ifname}")
        )
    off = _ipv6_off(spot, ifname) if address.version == 6 else ""
    if off:
        text = _("{setting} is 1 in {pod}").format(setting=off, pod=spot.name)
        lines.insert(0, mend.sysctl(spot, off, "0"))
        return found_in(settings.IPV6_OFF, spot, spot.name, text, tuple(lines))
    text = _("{pod} lacks {address}, which its lease names").format(pod=spot.name, address=address)
    return found_in(links.POD_ADDRESS, spot, spot.name, text, tuple(lines))


def _ipv6_off(spot: Spot, ifname: str) -> str:
    """The setting that keeps IPv6 addresses from a link; empty: none does."""
    for name in ("all", ifname):
        if spot.setting(f"net/ipv6/conf/{name}/disable_ipv6") == "1":
            return f"net.ipv6.conf.{name}.disable_ipv6"
    return ""


def ipv6_off(spot: Spot, setting: str) -> Finding:
    """A link takes no IPv6."""
    text = _("{setting} is 1 in {pod}").format(setting=setting, pod=spot.name)
    return found_in(settings.IPV6_OFF, spot, setting, text, (mend.sysctl(spot, setting, "0"),))


def pod_interface(spot: Spot, ifname: str) -> Finding:
    """A pod's interface is gone or down."""
    link = spot.by_name.get(ifname)
    lines = (mend.up(spot, link),) if link else ()
    text = _("{pod}: {link} is down") if link else _("{pod}: {link} is not there")
    return found_in(
        links.POD_INTERFACE, spot, spot.name, text.format(pod=spot.name, link=ifname), lines
    )


def bridge_down(spot: Spot, bridge: Link) -> Finding:
    """A bridge is down; its routes went with that, and come back with its addresses."""
    text = _("{link} is down").format(link=bridge.name)
    return found_in(links.BRIDGE_DOWN, spot, bridge.name, text, (mend.up(spot, bridge),))


def link_down(spot: Spot, link: Link) -> Finding:
    """A link is down: which cause that is follows from what it is for."""
    if link.kind == "bridge":
        return bridge_down(spot, link)
    if spot.pod is not None:
        return pod_interface(spot, link.name)
    text = _("{link} is down").format(link=link.name)
    lines = (mend.up(spot, link),)
    if link.index in spot.vxlans:
        return found_in(paths.TUNNEL_MISSING, spot, link.name, text, lines)
    if is_cable(spot, link):
        return found_in(links.CABLE_DOWN, spot, link.name, text, lines)
    return found_in(links.NODE_INTERFACE_DOWN, spot, link.name, text, lines)


def is_cable(spot: Spot, link: Link) -> bool:
    ends = {one.host_end for pod in spot.machine.pods for one in pod.attachments}
    return bool(link.master) or link.name in ends


def martian(spot: Spot, address: IPAddress) -> Finding:
    """A packet arrives with this machine's own address for a source."""
    text = _("another machine sends with the address {address} of {name}").format(
        address=address, name=spot.name
    )
    return found_in(identity.DUPLICATE_ADDRESS, spot, str(address), text)


def reverse_path(spot: Spot, name: str, row: str, link: Link) -> Finding:
    """rp_filter drops what came in by a link."""
    text = _("{row} drops what arrives by {link}").format(row=row, link=link.name)
    line = mend.sysctl(spot, f"net.ipv4.conf.{name}.rp_filter", "0")
    return found_in(settings.REVERSE_PATH_FILTER, spot, name, text, (line,))


def connections_full(spot: Spot, row: str) -> Finding:
    """There is no room for one more connection."""
    line = mend.inside(spot, mend.room_for_connections(spot.place))
    return found_in(settings.CONNTRACK_FULL, spot, "connections", row, (line,))


def forwarding(spot: Spot, setting: str, packet: object) -> Finding | None:
    """A machine that should pass packets on does not."""
    if spot.machine.kind not in (NODE, "router") or spot.pod is not None:
        return None
    text = _("{setting} is 0").format(setting=setting)
    line = mend.sysctl(spot, setting, "1")
    return found_in(settings.FORWARDING_OFF, spot, setting, text, (line,))


def foreign_mac(spot: Spot, link: Link, mac: str) -> Finding:
    """A tunnel's end gets frames for another MAC."""
    text = _("frames for {mac} arrive, {link} has {own}").format(
        mac=mac, link=link.name, own=link.mac
    )
    return found_in(paths.TUNNEL_SETTINGS, spot, link.name, text)


def twins(mac: str, spots: Sequence[Spot]) -> Finding:
    """Two places on one network have one MAC."""
    names = " and ".join(sorted(one.name for one in spots))
    text = _("{names} have the MAC {mac}").format(names=names, mac=mac)
    cause = links.DUPLICATE_POD_MAC if spots[0].pod else identity.DUPLICATE_MAC
    return found_in(cause, spots[-1], mac, text)


def same_address(address: IPAddress, spots: Sequence[Spot]) -> Finding:
    """Two places on one network have one address."""
    names = " and ".join(sorted(one.name for one in spots))
    text = _("{names} have the address {address}").format(names=names, address=address)
    pods = all(one.pod for one in spots)
    cause = addresses.DUPLICATE_POD_ADDRESS if pods else identity.DUPLICATE_ADDRESS
    return found_in(cause, spots[-1], str(address), text)


def unplugged(spot: Spot, link: Link, bridge: str) -> Finding:
    """A pod's cable is not a port of its bridge."""
    text = _("{link} is not plugged into {bridge}").format(link=link.name, bridge=bridge)
    line = mend.plug(spot, link, bridge)
    return found_in(links.CABLE_UNPLUGGED, spot, link.name, text, (line,))


def wrong_entry(spot: Spot, entry: Neighbour) -> Finding:
    """A bridge sends a MAC to a port that has not got it."""
    text = _("{mac} is not behind {port}").format(
        mac=entry.mac, port=spot.names.get(entry.index, "")
    )
    line = mend.forget_entry(spot, entry)
    return found_in(paths.FORWARDING_ENTRY_WRONG, spot, entry.mac, text, (line,))

"""Vxlan: each range is behind its node's end of a tunnel, whatever lies between.

The device is dari's own. Its MAC follows from the node's name, so that peers that
know it stay right when the device is made anew. Where both nodes have IPv4
addresses the tunnel goes over IPv4, else over IPv6; there is a device for each
family in use.

Two nodes speak vxlan only if both do: towards a node that speaks something else
(a cluster whose backend is being changed, node by node) ranges are routed
directly, as that node does towards this one.

May import: addr, netlink.vxlan, and within routing: direct, peer, way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from ipaddress import ip_interface
from typing import TYPE_CHECKING

from dari.netlink.vxlan import OVERHEAD
from dari.routing import direct
from dari.routing.peer import AUTO, FLANNEL, VXLAN, Peer, Speech
from dari.routing.way import Remote, Tunnel, Way

if TYPE_CHECKING:
    from dari.model import IPAddress, IPInterface, IPNetwork
    from dari.routing.peer import Claim
    from dari.routing.way import Overlay, Site

DEVICES = {4: "dari.vxlan", 6: "dari.vxlan6"}
_SPEAKERS = (VXLAN, AUTO)
_LOCAL, _MULTICAST = 0x02, 0x01  # of a MAC's first byte


def find(claim: Claim, site: Site) -> Way:
    """A range behind the peer's end of the tunnel."""
    peer = claim.peer
    if peer.speech.type not in _SPEAKERS:
        return direct.find(claim, site)
    version = underlay(site.own, peer)
    complaint = mismatch(site.own, peer) or _unreachable(claim, site, version)
    if complaint:
        return complaint
    address = peer.address(version)
    if address is None:
        return f"no address of {peer.name} for a tunnel: no route to {claim.network}"
    return Remote(
        tunnel=DEVICES[version], network=claim.network, mac=peer.speech.mac, address=address
    )


def tunnels(site: Site, peers: Iterable[Peer]) -> tuple[Tunnel, ...]:
    """The devices that this node should have: one of its first family, more if needed."""
    versions = {underlay(site.own, peer) for peer in peers if peer.speech.type in _SPEAKERS}
    versions.add(underlay(site.own, site.own))
    return tuple(
        make(site, name=DEVICES[version], local=local, mac=site.own.speech.mac)
        for version in sorted(versions - {0})
        if (local := site.own.address(version))
    )


def make(
    site: Site, *, name: str, local: IPAddress, mac: str, ranges: Sequence[IPNetwork] | None = None
) -> Tunnel:
    """A device as this node should have it.

    Args:
        local: the address it sends from.
        ranges: own ranges whose packets pass it; None: all.
    """
    overlay = site.overlay
    room = max(site.underlay_mtu - OVERHEAD[local.version], 0)
    own = site.own.ranges if ranges is None else ranges
    return Tunnel(
        name=name,
        vni=overlay.vni,
        port=overlay.port,
        local=local,
        mac=mac,
        mtu=overlay.mtu or room,
        addresses=tuple(base_of(each) for each in own),
        offload=overlay.offload,
    )


def base_of(network: IPNetwork) -> IPInterface:
    """The first address of a range, alone: by it the node's end of a tunnel is known."""
    return ip_interface((network.network_address, network.max_prefixlen))


def speech(overlay: Overlay, mac: str) -> Speech:
    """What this node's record says of its tunnel."""
    return Speech(type=overlay.type, vni=overlay.vni, port=overlay.port, mac=mac)


def mac_of_node(name: str) -> str:
    """The MAC of a node's end of the tunnel: locally administered, and always the same."""
    octets = bytearray(blake2b(name.encode(), digest_size=6).digest())
    octets[0] = octets[0] & ~_MULTICAST | _LOCAL
    return octets.hex(":")


def underlay(one: Peer, other: Peer) -> int:
    """The IP version of a tunnel between two nodes: IPv4 where both can; 0: none."""
    for version in (4, 6):
        if one.address(version) is not None and other.address(version) is not None:
            return version
    return 0


def mismatch(own: Peer, peer: Peer) -> str:
    """Why two nodes that both speak of a tunnel do not share one; empty: they do."""
    ours, theirs = own.speech, peer.speech
    # Of a port flannel's nodes do not speak.
    port = theirs.port or (ours.port if theirs.type == FLANNEL else 0)
    for what, mine, other in (("VNI", ours.vni, theirs.vni), ("port", ours.port, port)):
        if mine != other:
            return (
                f"{own.name or 'this node'} has a tunnel of {what} {mine} and {peer.name} of "
                f"{what} {other}: no route to its pods; give all nodes the same"
            )
    return ""


def _unreachable(claim: Claim, site: Site, version: int) -> str:
    own, peer = site.own, claim.peer
    address = peer.address(version)
    if address is None:
        return (
            f"{peer.name} and this node have no address of the same family: no tunnel between them"
        )
    if address in own.addresses:
        return f"{peer.name} claims this node's address {address}: no route to its pods"
    if not peer.speech.mac:
        return f"{peer.name} does not say its tunnel's MAC: no route to its pods"
    if peer.speech.mac == own.speech.mac:
        return f"{peer.name} claims the MAC of this node's tunnel: no route to its pods"
    return ""

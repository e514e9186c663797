"""Flannel: the tunnel that flannel's nodes have, so that both kinds share a cluster.

Flannel has a device for each family of pods, and the packets of a family go over
the underlay of the same family: ``flannel.1`` and ``flannel-v6.1``. All else is as
in `vxlan`, which was made to match. A device that flannel left behind is taken
over as it is, with the MAC that its peers know.

Source: facts read from flannel v0.28; docs/backends.md has them.
May import: model, and within routing: direct, peer, vxlan, way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.routing import direct, vxlan
from dari.routing.peer import FLANNEL, Speech
from dari.routing.way import Remote, Tunnel, Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dari.model import IPNetwork
    from dari.routing.peer import Claim
    from dari.routing.way import Overlay, Site

_PREFIXES = {4: "flannel.", 6: "flannel-v6."}


def find(claim: Claim, site: Site) -> Way:
    """A range behind the device of its family."""
    peer, version = claim.peer, claim.network.version
    if peer.speech.type != FLANNEL:
        return direct.find(claim, site)
    if complaint := vxlan.mismatch(site.own, peer):
        return complaint
    address, mac = peer.address(version), mac_of(peer.speech, version)
    if address is None or not mac:
        return f"{peer.name} has no tunnel for IPv{version}: no route to {claim.network}"
    if address in site.own.addresses or mac == mac_of(site.own.speech, version):
        return f"{peer.name} claims this node's end of the tunnel: no route to its pods"
    return Remote(
        tunnel=device(site.overlay.vni, version), network=claim.network, mac=mac, address=address
    )


def tunnels(site: Site) -> tuple[Tunnel, ...]:
    """The devices that this node should have: one for each family of its pods."""
    made = []
    for version in sorted({each.version for each in site.own.ranges}):
        local, mac = site.own.address(version), mac_of(site.own.speech, version)
        name = device(site.overlay.vni, version)
        if local and mac:
            ranges = _of_version(site, version)
            made.append(vxlan.make(site, name=name, local=local, mac=mac, ranges=ranges))
    return tuple(made)


def device(vni: int, version: int) -> str:
    """What flannel calls its device for pods of this IP version."""
    return f"{_PREFIXES[version]}{vni}"


def is_device(name: str) -> bool:
    """Could this link be one of flannel's tunnels?"""
    return name.startswith(tuple(_PREFIXES.values()))


def speech(overlay: Overlay, macs: Mapping[str, str], mac: str) -> Speech:
    """What this node's record says.

    Args:
        macs: of the tunnels that are there already, by name; those stay.
        mac: for one that is still to be made.
    """
    mac4, mac6 = (macs.get(device(overlay.vni, version), mac) for version in (4, 6))
    return Speech(type=FLANNEL, vni=overlay.vni, port=overlay.port, mac=mac4, mac6=mac6)


def mac_of(spoken: Speech, version: int) -> str:
    """The MAC of a node's device for pods of this IP version; empty: it has none."""
    return spoken.mac if version == 4 else spoken.mac6


def _of_version(site: Site, version: int) -> list[IPNetwork]:
    return [each for each in site.own.ranges if each.version == version]

"""Direct: each range goes by way of its node's own address, with nothing around it.

A peer on another segment is reached through a router; its ranges then go to that
router, which has to know the nodes' ranges itself (`dari agent --role router`).

May import: netlink.route, and within routing: peer, reach, way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.netlink.route import KernelRoute
from dari.routing.way import METRIC, RTPROT_DARI, Way

if TYPE_CHECKING:
    from dari.model import IPAddress
    from dari.routing.peer import Claim
    from dari.routing.reach import Hop
    from dari.routing.way import Site


def find(claim: Claim, site: Site) -> Way:
    """The route to a range through the peer's address of the range's family."""
    version = claim.network.version
    towards = claim.peer.address(version)
    if towards is None:
        return f"{claim.peer.name} has no IPv{version} address: no route to {claim.network}"
    if towards in site.own.addresses:
        return f"{claim.peer.name} claims this node's address {towards}: no route to its pods"
    hop = site.reach.hop(towards)
    if hop is None:
        return f"no way to {claim.peer.name} at {towards}: no route to {claim.network}"
    return _through(hop, towards, claim)


def is_neighbour(claim: Claim, site: Site) -> bool:
    """Is the peer's address of the range's family on one segment with this node?"""
    towards = claim.peer.address(claim.network.version)
    hop = site.reach.hop(towards) if towards else None
    return hop is not None and hop.gateway is None and towards not in site.own.addresses


def _through(hop: Hop, towards: IPAddress, claim: Claim) -> KernelRoute:
    return KernelRoute(
        dst=claim.network,
        gateway=hop.gateway or towards,
        device=hop.device,
        protocol=RTPROT_DARI,
        metric=METRIC[claim.network.version],
        onlink=hop.onlink,
    )

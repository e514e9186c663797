"""BGP: the routes between two nodes that both speak it are brought by a daemon.

Dari installs none of them. Until the daemon has brought its first, a route that
dari had from another backend stays, so that changing to this one cuts nobody off.

May import: netlink.route, and within routing: direct, peer, way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.netlink.route import KernelRoute
from dari.routing import direct
from dari.routing.peer import BGP
from dari.routing.way import Learnt, Way

if TYPE_CHECKING:
    from dari.routing.peer import Claim
    from dari.routing.way import Site


def find(claim: Claim, site: Site) -> Way:
    """That the daemon brings the route; a direct one to a node that has no daemon."""
    way = direct.find(claim, site)
    if claim.peer.speech.type != BGP:
        return way
    keep = claim.network in site.held and isinstance(way, KernelRoute)
    return Learnt(claim=claim, meanwhile=way if keep and isinstance(way, KernelRoute) else None)

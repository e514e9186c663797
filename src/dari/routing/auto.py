"""Auto: direct to peers on the same segment, through the tunnel to all others.

Only where both nodes do so: what goes to a node by one way should come back by it.

May import: within routing: direct, peer, vxlan, way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.routing import direct, vxlan
from dari.routing.peer import AUTO

if TYPE_CHECKING:
    from dari.routing.peer import Claim
    from dari.routing.way import Site, Way


def find(claim: Claim, site: Site) -> Way:
    """The route to a neighbour's range, or a range behind the tunnel."""
    if claim.peer.speech.type == AUTO and direct.is_neighbour(claim, site):
        return direct.find(claim, site)
    return vxlan.find(claim, site)

"""Changes of single nodes, judged by the last full decision. Pure.

A pass over everything is the truth, and comes again at the latest with the clock.
Between two of them a node that is new, or has moved, need not wait for one.

May import: netlink.neighbour, record, routing, store.record, agent.config,
agent.desired, agent.planner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dari.agent.config import AgentConfig
from dari.agent.desired import is_of_cluster
from dari.agent.planner import Planned, peer_of
from dari.routing.desired import Considered
from dari.routing.peer import Peer
from dari.routing.standing import Shift, Standing
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from dari.model import IPAddress, NodeName


class Updates:
    """Keeps the decision up.

    Args:
        config: what is the cluster's as a whole.
    """

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._considered: Considered | None = None
        self._standing: Standing | None = None

    @property
    def reached(self) -> int:
        """How many ranges there is a way to."""
        return self._standing.reached if self._standing else 0

    def follow(self, planned: Planned) -> None:
        """Go by this decision from now on."""
        if not planned.known:
            self._considered = self._standing = None
        elif planned.considered is not self._considered:
            self._considered = planned.considered
            self._standing = None  # thousands of nodes are not to be kept twice meanwhile
            self._standing = Standing(planned.considered)

    def judge(self, changed: Mapping[NodeName, NodeRecord | None]) -> Shift | None:
        """What the change of some nodes comes to; None: all have to be looked at.

        Args:
            changed: records of other nodes; None: the node is gone.
        """
        standing = self._standing
        if standing is None:
            return None
        peers = {name: peer_of(record) if record else None for name, record in changed.items()}
        before = (standing.peer(name) for name in peers)
        alone = not any(map(self._is_masqueraded_apart, [*before, *peers.values()]))
        shift = standing.change(peers) if alone else None
        if shift is None:
            self._considered = self._standing = None
        return shift

    def end_of(self, tunnel: str, mac: str) -> IPAddress | None:
        """Where the end of a tunnel with this MAC should be; None: nowhere."""
        return self._standing.vtep(tunnel, mac) if self._standing else None

    def _is_masqueraded_apart(self, peer: Peer | None) -> bool:
        """Is a range of it named in the firewall's rules?"""
        ranges = peer.ranges if peer and self._config.masquerade else ()
        return not all(is_of_cluster(self._config, each) for each in ranges)

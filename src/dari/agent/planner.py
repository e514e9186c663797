"""Plans how the other nodes are reached, and plans anew only what has changed. Pure.

What a plan depends on is compared, so that looking at a cluster that is as it was
costs next to nothing, however large it is.

May import: errors, model, netlink.route, record, routing, store.record, agent.config,
agent.location, agent.observe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dari.agent.config import ROUTER, AgentConfig
from dari.agent.location import Location
from dari.agent.observe import Observed
from dari.errors import BadConfig
from dari.record import Record
from dari.routing.desired import Considered, Plan, consider, plan_of
from dari.routing.peer import BGP, Peer, Speech, decode_speech
from dari.routing.way import RTPROT_DARI, Overlay
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from dari.model import NodeName

_NO_OVERLAY = Overlay()


class Planned(Record):
    """What was planned.

    Attributes:
        considered: about each node.
        plan: the same in order.
        known: has the store ever answered? Else there is nothing to go by.
    """

    considered: Considered
    plan: Plan
    known: bool


class Planner:
    """Keeps the last plan, and what it was made from.

    Args:
        config: which backend.
    """

    def __init__(self, config: AgentConfig) -> None:
        self._overlay = _NO_OVERLAY if config.role == ROUTER else config.backend.overlay
        self._peers: dict[NodeName, tuple[NodeRecord, Peer]] = {}
        self._records: Sequence[NodeRecord] | None = None
        self._basis: object = None
        self._planned: Planned | None = None

    def plan(
        self,
        own: NodeRecord,
        records: Sequence[NodeRecord] | None,
        observed: Observed,
        location: Location,
    ) -> Planned:
        """Plan it all.

        Args:
            own: this node's record as it should be.
            records: all nodes' records; None: the store has never answered.
        """
        foreign = [route for route in observed.routes if route.protocol != RTPROT_DARI]
        basis = own, foreign, location.mtu, self._held(observed)
        if self._planned is None or records is not self._records or basis != self._basis:
            self._planned = self._anew(own, records, observed, location)
            self._records, self._basis = records, basis
        return self._planned

    def _anew(
        self,
        own: NodeRecord,
        records: Sequence[NodeRecord] | None,
        observed: Observed,
        location: Location,
    ) -> Planned:
        peers = self._peers_of(records or ())
        considered = consider(peer_of(own), peers, observed.routes, self._overlay, location.mtu)
        return Planned(considered=considered, plan=plan_of(considered), known=records is not None)

    def _held(self, observed: Observed) -> object:
        """Routes of dari's own, for the one backend in whose plan they count."""
        if self._overlay.type != BGP:
            return None
        return [route for route in observed.routes if route.protocol == RTPROT_DARI]

    def _peers_of(self, records: Sequence[NodeRecord]) -> list[Peer]:
        """Each record is read once."""
        before, self._peers = self._peers, {}
        for record in records:
            known = before.get(record.name)
            if known is None or known[0] is not record:
                known = record, peer_of(record)
            self._peers[record.name] = known
        return [peer for _, peer in self._peers.values()]


def peer_of(record: NodeRecord) -> Peer:
    """A record as routing sees it."""
    speech, trouble = Speech(), ""
    try:
        speech = decode_speech(record.backend)
    except BadConfig as error:
        trouble = f"its record's backend: {error.message}"
    return Peer(
        name=record.name,
        addresses=record.addresses,
        ranges=record.pod_ranges,
        speech=speech,
        trouble=trouble,
        joining=record.is_bare_claim,
    )

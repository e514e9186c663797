"""How the nodes' records ask this node to reach every pod range: pure.

`claims` sorts out what gets no route at all; the backend finds a way to each of
the others. What comes of it is a plan: the kernel's routes, tunnels with what is
behind them, and what a routing daemon is left to bring.

May import: model, netlink.route, record, and within routing: all that is pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dari.netlink.route import KernelRoute
from dari.record import Record
from dari.routing import auto, bgp, claims, direct, flannel, vxlan
from dari.routing.peer import AUTO, BGP, DIRECT, FLANNEL, VXLAN, Claim, Peer
from dari.routing.prefixes import key_of
from dari.routing.reach import Reach
from dari.routing.way import RTPROT_DARI, Overlay, Remote, Site, Tunnel, Way

if TYPE_CHECKING:
    from dari.model import IPNetwork
    from dari.routing.way import Find

BACKENDS: Mapping[str, Find] = {
    DIRECT: direct.find,
    VXLAN: vxlan.find,
    AUTO: auto.find,
    BGP: bgp.find,
    FLANNEL: flannel.find,
}
NO_OVERLAY = Overlay()


class Plan(Record):
    """What to have, in order, and in words which ranges get none and why.

    Attributes:
        routes: of the kernel, by way of other nodes' addresses.
        tunnels: the devices.
        remotes: ranges behind them.
        learnt: ranges whose routes a routing daemon brings.
    """

    routes: tuple[KernelRoute, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    remotes: tuple[Remote, ...] = ()
    learnt: tuple[Claim, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def reached(self) -> int:
        """How many of the others' ranges there is a way to."""
        found = {route.dst for route in self.routes}
        found.update(remote.network for remote in self.remotes)
        found.update(claim.network for claim in self.learnt)
        return len(found)


class Considered(Record):
    """How each range is reached, before it is put in order as a plan.

    Attributes:
        others: all nodes but the own one.
        refused: ranges that have no way, whichever the backend.
        ways: what the backend answered for each of the others that has told where it is.
    """

    site: Site
    others: tuple[Peer, ...]
    refused: Mapping[Claim, str]
    ways: tuple[tuple[Claim, Way], ...]


def consider(
    own: Peer,
    peers: Iterable[Peer],
    table: Sequence[KernelRoute],
    overlay: Overlay = NO_OVERLAY,
    underlay_mtu: int = 0,
) -> Considered:
    """Find a way to each range of the other nodes.

    Args:
        own: the node itself. Its ranges are on its bridge and need no route; a
            router has neither ranges nor a name that a record bears.
        peers: all nodes; one with the own name is passed over.
        table: the main table as it is; dari's own routes in it do not decide how
            a node is reached.
        overlay: which backend, and how it was told to work.
        underlay_mtu: of the link that holds the node's address, bytes; 0: unknown.
    """
    others = tuple(peer for peer in peers if peer.name != own.name)
    site = _site(own, table, overlay, underlay_mtu)
    every = [Claim(network=each, peer=peer) for peer in (own, *others) for each in peer.ranges]
    refused = claims.refuse(every, [own, *others]) | _sharing_a_mac(every)
    find = BACKENDS[overlay.type]
    # To ask whether nothing holds a claim takes longer than to find its way.
    granted = [each for each in every if not refused or each not in refused]
    return Considered(
        site=site,
        others=others,
        refused=refused,
        ways=tuple(
            (each, find(each, site))
            for each in granted
            if each.peer.name != own.name and not each.peer.joining
        ),
    )


def plan_routes(
    own: Peer,
    peers: Iterable[Peer],
    table: Sequence[KernelRoute],
    overlay: Overlay = NO_OVERLAY,
    underlay_mtu: int = 0,
) -> Plan:
    """Decide how one node reaches the others' pods; see `consider`."""
    return plan_of(consider(own, peers, table, overlay, underlay_mtu))


def plan_of(considered: Considered) -> Plan:
    """Put it in order."""
    draft = _Draft()
    for claim, way in considered.ways:
        draft.add(claim, way)
    return draft.finished(tunnels_of(considered.site, considered.others), considered.refused)


def is_tunnel(name: str) -> bool:
    """Is a link of this name, if a vxlan device, one of dari's or of flannel's?"""
    return name in vxlan.DEVICES.values() or flannel.is_device(name)


class _Draft:
    """Gathers ways by kind."""

    def __init__(self) -> None:
        self._routes: list[KernelRoute] = []
        self._remotes: list[Remote] = []
        self._learnt: list[Claim] = []
        self._refused: list[str] = []

    def add(self, claim: Claim, way: Way) -> None:
        if isinstance(way, str):
            self._refused.append(way)
        elif isinstance(way, Remote):
            self._remotes.append(way)
        elif isinstance(way, KernelRoute):
            self._routes.append(way)
        else:
            self._learnt.append(claim)
            self._routes += [way.meanwhile] if way.meanwhile else []

    def finished(self, tunnels: tuple[Tunnel, ...], refused: Mapping[Claim, str]) -> Plan:
        return Plan(
            routes=tuple(sorted(self._routes, key=lambda each: key_of(each.dst))),
            tunnels=tunnels,
            remotes=tuple(sorted(self._remotes, key=lambda each: key_of(each.network))),
            learnt=tuple(sorted(self._learnt, key=lambda each: key_of(each.network))),
            refused=tuple(sorted({*refused.values(), *self._refused})),
        )


def _site(own: Peer, table: Sequence[KernelRoute], overlay: Overlay, underlay_mtu: int) -> Site:
    others = [route for route in table if route.protocol != RTPROT_DARI]
    return Site(
        own=own,
        overlay=overlay,
        reach=Reach(others),
        underlay_mtu=underlay_mtu,
        held=_held(table, others) if overlay.type == BGP else frozenset(),
    )


def _held(table: Sequence[KernelRoute], others: Sequence[KernelRoute]) -> frozenset[IPNetwork]:
    own = frozenset(route.dst for route in table if route.protocol == RTPROT_DARI)
    return own - {route.dst for route in others}


def tunnels_of(site: Site, others: Sequence[Peer]) -> tuple[Tunnel, ...]:
    """The devices that the backend needs towards these nodes."""
    if site.overlay.type in (VXLAN, AUTO):
        return vxlan.tunnels(site, others)
    return flannel.tunnels(site) if site.overlay.type == FLANNEL else ()


def _sharing_a_mac(every: Sequence[Claim]) -> dict[Claim, str]:
    """Claims of nodes whose tunnels have one MAC: packets would go to only one of them."""
    holders: dict[str, set[str]] = defaultdict(set)
    for claim in every:
        for mac in {claim.peer.speech.mac, claim.peer.speech.mac6} - {""}:
            holders[mac].add(claim.peer.name)
    shared = {mac: names for mac, names in holders.items() if len(names) > 1}
    return {
        claim: f"the tunnels of {' and '.join(sorted(shared[mac]))} have one MAC, {mac}: "
        "no route to their pods"
        for claim in every
        for mac in (claim.peer.speech.mac, claim.peer.speech.mac6)
        if mac in shared
    }

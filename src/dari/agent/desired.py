"""What this node should be like, decided from what was seen. Pure.

May import: model, nft.entries, record, routing, store, agent.config, agent.conflist,
agent.location, agent.observe, agent.planner, agent.subnetenv.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_interface
from typing import TYPE_CHECKING

from dari.agent import conflist, subnetenv
from dari.agent.config import ROUTER, AgentConfig
from dari.agent.location import Location
from dari.agent.observe import Observed
from dari.agent.planner import Planned
from dari.model import NodeName
from dari.nft.entries import Masqueraded
from dari.record import Record
from dari.routing.bird import Speaker, render
from dari.routing.desired import Plan
from dari.routing.peer import BGP, Peer, encode_speech
from dari.routing.reach import Reach
from dari.routing.way import RTPROT_DARI
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from dari.model import IPInterface, IPNetwork


class Desired(Record):
    """Everything that the agent keeps as it should be.

    Attributes:
        routes: to the peers' ranges; None: not known, so leave them alone.
        bird: dari's part of BIRD's configuration, for as long as `routes` are
            known; empty: there is none.
        gateways: the bridge's addresses; empty: there is no bridge.
        mtu: of the bridge in bytes; 0: leave it.
        masqueraded: None: nothing is.
        forwarding: IP versions that the node passes on.
        conflist: text of the runtime's configuration; empty: there is none.
        subnet_env: text of what flannel writes for others; empty: none is asked for.
        spoken: backends by which other nodes may send to this one.
    """

    routes: Plan | None
    bird: str = ""
    gateways: tuple[IPInterface, ...] = ()
    mtu: int = 0
    masqueraded: Masqueraded | None = None
    forwarding: tuple[int, ...] = ()
    conflist: str = ""
    subnet_env: str = ""
    spoken: frozenset[str] = frozenset()


def own_record(config: AgentConfig, location: Location, ranges: Sequence[IPNetwork]) -> NodeRecord:
    """What this node tells the others; the time of writing is left out.

    A router tells nothing, and has no name that could be a node's.
    """
    return NodeRecord(
        name=NodeName("") if config.role == ROUTER else config.node_name,
        addresses=location.addresses,
        pod_ranges=tuple(ranges),
        mac=location.mac,
        backend=encode_speech(location.speech),
        host=config.host.replace(macs=location.macs) if config.host.boot_id else config.host,
    )


def decide(
    config: AgentConfig,
    own: NodeRecord,
    planned: Planned,
    observed: Observed,
    location: Location,
    leases: str,
) -> Desired:
    """Decide it all.

    Args:
        own: this node's record as it should be.
        planned: how the other nodes are reached.
        leases: folder of the pods' leases.
    """
    plan, peers = planned.plan, planned.considered.others
    routes = plan if planned.known else None
    bird = _bird(config, planned, observed)
    if config.role == ROUTER:
        return Desired(routes=routes, forwarding=config.versions)
    spoken = frozenset(each.speech.type for each in peers)
    if not own.pod_ranges:
        return Desired(routes=routes, bird=bird, forwarding=config.versions, spoken=spoken)
    mtu = config.mtu or min((each.mtu for each in plan.tunnels), default=location.mtu)
    return Desired(
        routes=routes,
        bird=bird,
        gateways=tuple(gateway_of(each) for each in own.pod_ranges),
        mtu=mtu,
        masqueraded=_masqueraded(config, own, peers),
        forwarding=config.versions,
        conflist=conflist.render(
            own.pod_ranges, bridge=config.bridge, mtu=mtu, leases=leases, masquerade=False
        ),
        subnet_env=_subnet_env(config, own, mtu),
        spoken=spoken,
    )


def gateway_of(network: IPNetwork) -> IPInterface:
    """The node's own address in a pod range: the first one, as host-local has it."""
    return ip_interface((int(network.network_address) + 1, network.prefixlen))


def _bird(config: AgentConfig, planned: Planned, observed: Observed) -> str:
    if config.backend.overlay.type != BGP or config.role == ROUTER:
        return ""
    speaker = Speaker(
        own=planned.considered.site.own,
        bgp=config.backend.bgp,
        bridge=config.bridge,
        peers=tuple(each for each in planned.considered.others if each.speech.type == BGP),
        learnt=planned.plan.learnt,
        cluster=tuple(each.network for each in config.cluster_ranges),
    )
    others = [route for route in observed.routes if route.protocol != RTPROT_DARI]
    return render(speaker, Reach(others))


def _subnet_env(config: AgentConfig, own: NodeRecord, mtu: int) -> str:
    if not config.backend.subnet_env:
        return ""
    cluster = [each.network for each in config.cluster_ranges]
    gateways = [gateway_of(each) for each in own.pod_ranges]
    return subnetenv.render(cluster, gateways, mtu, config.masquerade)


def _masqueraded(config: AgentConfig, own: NodeRecord, peers: Sequence[Peer]) -> Masqueraded | None:
    """From own pods to anything but the cluster's pods, given ranges of peers included."""
    if not config.masquerade:
        return None
    cluster = [each.network for each in config.cluster_ranges]
    held = [*own.pod_ranges, *(each for peer in peers for each in peer.ranges)]
    outside = [each for each in held if not is_of_cluster(config, each)]
    return Masqueraded(sources=own.pod_ranges, spared=_ordered({*cluster, *outside}))


def is_of_cluster(config: AgentConfig, network: IPNetwork) -> bool:
    """Is a range one of those that are the cluster's as a whole?"""
    return any(_within(network, each.network) for each in config.cluster_ranges)


def _within(inner: IPNetwork, outer: IPNetwork) -> bool:
    return (
        inner.version == outer.version
        and inner.prefixlen >= outer.prefixlen
        and inner.network_address in outer
    )


def _ordered(networks: set[IPNetwork]) -> tuple[IPNetwork, ...]:
    return tuple(
        sorted(
            networks, key=lambda each: (each.version, each.network_address.packed, each.prefixlen)
        )
    )

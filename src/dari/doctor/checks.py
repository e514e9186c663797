"""All checks: of one node, and of nodes together.

A check is added by a line here. The order does not matter: findings are told by code.

May import: causes, snapshot, doctor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from dari.causes.finding import Finding
from dari.doctor import (
    agents,
    bridgefilters,
    bridges,
    cables,
    filters,
    identity,
    neighbours,
    networks,
    ports,
    reach,
    returns,
    room,
    routes,
    settings,
    strangers,
    told,
    underlay,
    ways,
)
from dari.doctor.node import Node, view
from dari.doctor.report import Note, Report, once
from dari.doctor.roles import roles_of
from dari.snapshot.model import NODE, Machine, Snapshot

Check = Callable[[Node], Iterable[Finding]]

CHECKS: Mapping[str, Check] = {
    "agent runs": agents.alive,
    "agent is ready": agents.ready,
    "store": agents.store,
    "record": agents.record,
    "node's address": agents.place,
    "interface": bridges.interface,
    "bridge": bridges.bridge,
    "overlapping networks": bridges.overlapping,
    "cables": cables.cables,
    "pods' interfaces": cables.interiors,
    "pods' MACs": cables.shared_macs,
    "pods' addresses": cables.shared_addresses,
    "addresses without lease": cables.unleased,
    "leaked leases": cables.leaked,
    "full ranges": cables.full,
    "forwarding": settings.forwarding,
    "reverse path": settings.reverse_path,
    "proxies": settings.proxies,
    "connections": settings.connections,
    "neighbour table": settings.neighbours,
    "IPv6": settings.ipv6,
    "bridged packets": settings.bridged,
    "kernel": settings.features,
    "routes": routes.missing,
    "other routes": routes.shadowing,
    "policy rules": routes.rules,
    "way back": returns.answers,
    "tunnels": routes.tunnels,
    "permanent neighbours": neighbours.permanent,
    "gateways of pods": neighbours.gateways,
    "forwarding entries": neighbours.forwarding,
    "filtered ports": filters.ports,
    "filtered tunnels": filters.tunnels,
    "forward chains": filters.forward,
    "frames": bridgefilters.frames,
    "masquerading": filters.masquerading,
    "wide masquerading": filters.wide,
    "diverted packets": filters.diverted,
    "name": identity.namesake,
    "MAC": identity.macs,
    "clones": identity.clones,
    "versions by records": identity.releases,
    "address of a peer": identity.borrowed,
    "recorded addresses": identity.shared_addresses,
    "ranges": identity.ranges,
    "clocks": identity.clocks,
    "disks": room.disks,
    "descriptors": room.descriptors,
    "swap": room.swap,
    "size": room.size,
    "silent ports": ports.silent,
    "taken ports": ports.taken,
    "hidden ports": ports.hidden,
    "configuration": networks.broken,
    "other configuration": networks.shadowed,
    "missing configuration": networks.missing,
    "plugins": networks.executables,
    "kubelet's flags": networks.flags,
    "peers' answers": reach.answers,
    "large packets": reach.sizes,
    "peers' ports": reach.ports,
    "API server": reach.servers,
}
"""Checks of one node."""

TOGETHER: Mapping[str, Callable[[Sequence[Node]], Iterable[Finding]]] = {
    "names": identity.names,
    "MACs": identity.macs_among,
    "machines": identity.machines,
    "versions": identity.versions,
}
"""Checks of all nodes that were looked at."""

NOTES: Mapping[str, Callable[[Node], Iterable[Note]]] = {
    "address": told.address,
    "ports": ports.seen,
    "configuration": networks.seen,
    "unseen": told.unseen,
}
"""Information."""


def examine(snapshot: Snapshot, roles: Sequence[str] = ()) -> Report:
    """Put a snapshot's nodes through all checks.

    Args:
        roles: of Kubernetes that every node is said to have; empty: found out.
    """
    alone = len(snapshot.nodes) == 1
    nodes = [
        view(each, roles=roles_of(each.health, roles), lab=bool(snapshot.lab), alone=alone)
        for each in snapshot.nodes
    ]
    others = [each for each in snapshot.machines if each.kind != NODE]
    findings = list(once(_findings(nodes, others)))
    findings += ways.further(snapshot, findings)
    findings += reach.tunnels(nodes, findings)
    return Report(
        machines=tuple(each.name for each in nodes),
        partly=tuple(each.name for each in nodes if told.is_partly_read(each)),
        findings=once(strangers.without(findings)),
        notes=tuple(note for node in nodes for tell in NOTES.values() for note in tell(node)),
    )


def _findings(nodes: Sequence[Node], others: Sequence[Machine]) -> Iterator[Finding]:
    for node in nodes:
        for check in CHECKS.values():
            yield from check(node)
    for several in TOGETHER.values():
        yield from several(nodes)
    for machine in others:
        yield from underlay.ports(machine)

"""Rules that drop what the node needs or rewrite what they should not, and missing ones.

May import: causes, explain.filters, language, routing, tables.ruleset, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import TYPE_CHECKING

from dari.causes import filters
from dari.causes.finding import WARNING, Finding
from dari.doctor.decisive import FORWARDED_PORT, decisive, packet_of
from dari.doctor.node import Node
from dari.doctor.ports import lines_of
from dari.doctor.rulemends import accept_forwarded, called, delete, let_through, place
from dari.doctor.table import ALL, CONTROL, ETCD
from dari.explain.filters.hooks import (
    DNAT,
    MASQUERADE,
    Event,
)
from dari.explain.filters.match import Seen
from dari.explain.mend import have_agent
from dari.language import Messages
from dari.nft.section import TABLE
from dari.routing.peer import AUTO, FLANNEL, VXLAN
from dari.routing.reach import Reach
from dari.store.ranges import within
from dari.tables.ruleset import Chain, Rule, Ruleset

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork
    from dari.store.record import NodeRecord

_ = Messages("doctor")
_KUBELET = ("tcp", 10250)


def ports(node: Node) -> Iterator[Finding]:
    """No filter of the node drops what peers send to the ports that its roles need.

    kubelet's port is every role's, so that it is looked at where no role is known.
    """
    rules = node.rules
    for (protocol, port), what in _needed(node).items():
        for peer in node.machine.peers if node.ours else ():
            event = _arriving(node, rules, peer, protocol, port)
            if event is not None:
                yield Finding(
                    code=filters.PORT_DROPPED.code,
                    where=node.name,
                    what=_("{chain} drops what {peer} sends to {protocol} {port} ({what})").format(
                        chain=called(event),
                        peer=peer.name,
                        protocol=protocol.upper(),
                        port=port,
                        what=what,
                    ),
                    mend=(let_through(event, protocol, port),),
                    subject=f"{protocol} {port}",
                )
                break


def _needed(node: Node) -> dict[tuple[str, int], str]:
    found = {_KUBELET: "kubelet"}
    for each in lines_of(node):
        if each.peers in (ALL, CONTROL, ETCD):
            found[each.protocol, each.first] = each.program
    return found


def _arriving(
    node: Node, rules: Ruleset, peer: NodeRecord, protocol: str, port: int
) -> Event | None:
    for target in node.location.addresses:
        source = next((one for one in peer.addresses if one.version == target.version), None)
        if source is not None:
            packet = packet_of(source, target, protocol, port, node.location.interface, "")
            event = decisive(rules, "input", packet)
            if event is not None:
                return event
    return None


def tunnels(node: Node) -> Iterator[Finding]:
    """No filter of the node drops its peers' tunnel."""
    overlay = node.config.backend.overlay if node.config else None
    if overlay is None or not node.ours or overlay.type not in (VXLAN, AUTO, FLANNEL):
        return
    rules = node.rules
    for peer in node.machine.peers:
        event = _arriving(node, rules, peer, "udp", overlay.port)
        if event is not None:
            yield Finding(
                code=filters.TUNNEL_PORT_DROPPED.code,
                where=node.name,
                what=_("{chain} drops the tunnel's packets from {peer} (UDP {port})").format(
                    chain=called(event), peer=peer.name, port=overlay.port
                ),
                mend=(let_through(event, "udp", overlay.port),),
                subject=f"udp {overlay.port}",
            )
            return


def forward(node: Node) -> Iterator[Finding]:
    """No filter drops what pods send to peers' pods, whatever it is."""
    rules = node.rules
    for packet in _between_pods(node):
        event = decisive(rules, "forward", packet)
        if event is not None:
            what = _("{chain} drops what {source} sends to {target}")
            yield dropped(node, event, packet, what)


def dropped(node: Node, event: Event, packet: Seen, what: str) -> Finding:
    """A rule or policy that drops what pods send.

    Args:
        node: where.
        event: what decided.
        packet: about which packet.
        what: the sentence, with places for chain, source and target.
    """
    return Finding(
        code=filters.FORWARD_DROPPED.code,
        where=node.name,
        what=what.format(chain=called(event), source=packet.src, target=packet.dst),
        mend=(accept_forwarded(event),),
        subject=called(event),
    )


def wide(node: Node) -> Iterator[Finding]:
    """Nothing rewrites the source of what pods send to peers' pods."""
    rules = node.rules
    for packet in _between_pods(node):
        event = decisive(rules, "postrouting", packet, nat=True)
        if event is not None and event.rule is not None:
            yield Finding(
                code=filters.MASQUERADE_TOO_WIDE.code,
                where=node.name,
                what=_("{chain} rewrites the source of what {source} sends to {target}").format(
                    chain=called(event), source=packet.src, target=packet.dst
                ),
                mend=(delete(event.rule),),
                subject=f"{called(event)} IPv{packet.src.version}",
            )


def diverted(node: Node) -> Iterator[Finding]:
    """No rule of another program leads what is for a pod's address elsewhere.

    Proxies rewrite what is for Services and for the node's own addresses, and never
    what is for a pod.
    """
    ranges = [*node.ranges, *(each for peer in node.machine.peers for each in peer.pod_ranges)]
    rules = node.rules
    chains = [one for version in (4, 6) for one in rules.chains("prerouting", version)]
    for chain in dict.fromkeys(chains):
        for rule in _foreign_rules(rules, chain):
            aimed = _aimed_at(rule)
            if aimed is not None and any(within(aimed, each) for each in ranges):
                where = place(rule)
                yield Finding(
                    code=filters.REWRITTEN.code,
                    where=node.name,
                    what=_("{chain} leads what is for {target} elsewhere").format(
                        chain=where, target=aimed
                    ),
                    mend=(delete(rule),),
                    subject=where,
                )


def _foreign_rules(rules: Ruleset, chain: Chain) -> Iterator[Rule]:
    """Rules that rewrite a destination, in a chain that is not dari's."""
    for rule in rules.rules(chain.family, chain.table, chain.name) if chain.table != TABLE else ():
        if any(DNAT in each for each in rule.statements):
            yield rule


def _aimed_at(rule: Rule) -> IPNetwork | None:
    """The one address, or prefix, that a rule names as the target."""
    for each in rule.statements:
        match = each.get("match")
        left = match.get("left") if isinstance(match, dict) else None
        payload = left.get("payload") if isinstance(left, dict) else None
        if not isinstance(match, dict) or not isinstance(payload, dict):
            continue
        if payload.get("field") != "daddr" or match.get("op") != "==":
            continue
        right = match.get("right")
        prefix = right.get("prefix") if isinstance(right, dict) else None
        try:
            if isinstance(prefix, dict):
                return ip_network(f"{prefix.get('addr')}/{prefix.get('len')}", strict=False)
            return ip_network(str(right))
        except ValueError:
            continue
    return None


def _between_pods(node: Node) -> Iterator[Seen]:
    """A packet from the node's pods to those of each peer."""
    for own in node.ranges if node.ours else ():
        leases = [each.address for each in node.machine.leases if each.address in own]
        for other in [each for peer in node.machine.peers for each in peer.pod_ranges]:
            if own.version == other.version:
                source, outgoing = next(iter(leases), own[2]), _outgoing(node, other[2])
                yield packet_of(source, other[2], "tcp", FORWARDED_PORT, node.bridge, outgoing)


def _outgoing(node: Node, address: IPAddress) -> str:
    hop = Reach(node.main).hop(address)
    names = {each.index: each.name for each in node.place.links}
    return names.get(hop.device, "") if hop else ""


def masquerading(node: Node) -> Iterator[Finding]:
    """What leaves the cluster is masqueraded, where the agent is told to see to that."""
    wanted = node.desired.masqueraded if node.desired else None
    if wanted is None or node.place.unread:
        return
    rules = Ruleset(node.place.ruleset)
    found = [each for each in rules.rules("inet", TABLE, "postrouting") if _masquerades(each)]
    if not found:
        yield Finding(
            code=filters.MASQUERADE_MISSING.code,
            where=node.name,
            what=_("there is no rule that masquerades in table inet {table}").format(table=TABLE),
            mend=(have_agent(node.machine),),
        )
        return
    for each in wanted.sources:
        held = rules.elements(found[0], f"masquerade{each.version}")
        if str(each.network_address) not in str(held):
            yield Finding(
                code=filters.TABLE_DAMAGED.code,
                where=node.name,
                what=_("table inet {table} does not masquerade {network}").format(
                    table=TABLE, network=each
                ),
                mend=(have_agent(node.machine),),
                severity=WARNING,
                subject=str(each),
            )


def _masquerades(rule: Rule) -> bool:
    return any(MASQUERADE in each for each in rule.statements)

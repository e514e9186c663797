"""Names the cause where what the kernel has contradicts the records: findings, with mends.

May import: agent, causes, netlink's records and constants, snapshot, and within
explain: expected, mend, rows, wire, world, journey, lookup, messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.agent.desired import gateway_of
from dari.causes import addresses, filters, links, paths
from dari.causes.finding import Finding
from dari.explain import mend
from dari.explain.filters.hooks import Event
from dari.explain.found import found_in
from dari.explain.judge_links import bridge_down, link_down, pod_address, pod_interface
from dari.explain.lookup import HERE, Choice
from dari.explain.messages import _
from dari.explain.packet import Packet
from dari.explain.world import Spot
from dari.netlink.constants import (
    RT_TABLE_MAIN,
    RTN_BLACKHOLE,
    RTN_PROHIBIT,
    RTN_UNICAST,
    RTN_UNREACHABLE,
)
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.nft.section import TABLE
from dari.routing.way import RTPROT_DARI
from dari.snapshot.model import NODE
from dari.tables.expected import Expected

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork

_REFUSALS = (RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT)
_DARI_RULE = 32766  # the rule that leads to the main table


class Judges:
    """One judge for each machine, made when first asked."""

    def __init__(self) -> None:
        self._known: dict[int, Judge] = {}

    def of(self, spot: Spot) -> Judge:
        """The judge of the machine that a place is on."""
        key = id(spot.machine)
        if key not in self._known:
            self._known[key] = Judge(Expected(spot.machine))
        return self._known[key]


class Judge:
    """Compares what one machine does with what the records ask of it."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected

    def route(self, spot: Spot, choice: Choice | None, dst: IPAddress) -> Finding | None:
        """What is wrong with a choice of route; None where nothing is."""
        if spot.machine.kind != NODE:
            return None
        if spot.pod is not None:
            return self._pod_route(spot, choice, dst)
        if choice is None or self.expected.owner(dst) is not None:
            down = self._interface_down(spot)
            if down is not None:
                return down
        claims = self.expected.claims(dst)
        if len(claims) > 1:
            names = ", ".join(sorted(one.name for one in claims))
            text = _("{names} claim the range of {address}").format(names=names, address=dst)
            return found_in(addresses.DUPLICATE_RANGE, spot, names, text)
        if self.expected.is_own(dst):
            return self._own_route(spot, choice, dst)
        if self.expected.owner(dst) is not None:
            return self._peer_route(spot, choice, dst)
        if choice is not None and choice.kind in _REFUSALS and spot.machine.record:
            return self._refused(spot, choice, dst) if choice.route else None
        return None

    def _interface_down(self, spot: Spot) -> Finding | None:
        """The link that the node's record speaks of, if it is down: its routes went with it."""
        record = spot.machine.record
        if record is None:
            return None
        for link in spot.place.links:
            held = any(spot.addresses.get(one) == link.index for one in record.addresses)
            if not link.up and (held or (link.mac and link.mac == record.mac)):
                return link_down(spot, link)
        return None

    def _pod_route(self, spot: Spot, choice: Choice | None, dst: IPAddress) -> Finding | None:
        if choice is not None and choice.kind in (RTN_UNICAST, *HERE):
            return None
        if choice is not None and choice.route is not None:
            return self._refused(spot, choice, dst)
        return no_pod_route(self, spot, dst)

    def _own_route(self, spot: Spot, choice: Choice | None, dst: IPAddress) -> Finding | None:
        name = self.expected.bridge
        bridge = spot.by_name.get(name)
        right = choice is not None and bridge is not None and choice.hop.device == bridge.index
        if right or (choice is not None and choice.kind in HERE):
            return None
        if bridge is None:
            return found_in(
                links.BRIDGE_MISSING, spot, name, lines=(mend.have_agent(spot.machine),)
            )
        if not bridge.up:
            return bridge_down(spot, bridge)
        gateways = [gateway_of(each) for each in self.expected.own_ranges if dst in each]
        missing = [one for one in gateways if not spot.holds(one.ip)]
        if missing:
            text = _("{bridge} lacks {address}").format(bridge=name, address=missing[0])
            lines = tuple(mend.add_address(spot, name, one) for one in missing)
            return found_in(links.BRIDGE_ADDRESS_MISSING, spot, name, text, lines)
        return self._shadowed(spot, choice, dst) if choice else None

    def _peer_route(self, spot: Spot, choice: Choice | None, dst: IPAddress) -> Finding | None:
        way = self.expected.way(dst)
        owner = self.expected.owner(dst)
        if way is None or owner is None:
            return None
        if way.device and way.device not in spot.by_name:
            text = _("there is no {device}, by which {node} is reached").format(
                device=way.device, node=owner.name
            )
            return found_in(
                paths.TUNNEL_MISSING, spot, way.device, text, (mend.have_agent(spot.machine),)
            )
        put = mend.put_route(spot, way)
        if choice is None or choice.route is None or choice.rule.table != RT_TABLE_MAIN:
            return self._shadowed(spot, choice, dst) if choice else self._missing(spot, dst, put)
        if choice.route.dst.prefixlen < way.route.dst.prefixlen:
            return self._missing(spot, dst, put)
        if choice.kind in _REFUSALS:
            return self._refused(spot, choice, dst, put)
        if choice.route.dst != way.route.dst:
            return self._shadowed(spot, choice, dst)
        device = spot.names.get(choice.hop.device, "")
        if choice.hop.gateway == way.route.gateway and way.device in ("", device):
            return None
        if choice.route.protocol != RTPROT_DARI and self._has_own(spot, way.route.dst):
            return self._shadowed(spot, choice, dst)
        text = _("{range} of {node} is sent to {gateway}, not to {right}").format(
            range=way.route.dst,
            node=owner.name,
            gateway=choice.hop.gateway or device,
            right=way.route.gateway,
        )
        return found_in(paths.ROUTE_WRONG, spot, str(way.route.dst), text, (put,))

    def _has_own(self, spot: Spot, dst: IPNetwork) -> bool:
        return any(one.dst == dst and one.protocol == RTPROT_DARI for one in spot.place.routes)

    def _missing(self, spot: Spot, dst: IPAddress, put: str) -> Finding:
        owner = self.expected.owner(dst)
        way = self.expected.way(dst)
        assert owner is not None and way is not None
        text = _("no route to {range}, the pods of {node}").format(
            range=way.route.dst, node=owner.name
        )
        return found_in(paths.ROUTE_MISSING, spot, str(way.route.dst), text, (put,))

    def _shadowed(self, spot: Spot, choice: Choice, dst: IPAddress) -> Finding:
        if choice.rule.priority < _DARI_RULE and choice.rule.priority != 0:
            line = mend.delete_rule(spot, choice.rule)
            text = _("the policy rule {priority} takes packets to {address}").format(
                priority=choice.rule.priority, address=dst
            )
            return found_in(paths.ROUTE_SHADOWED, spot, str(choice.rule.priority), text, (line,))
        assert choice.route is not None  # only a rule of its own refuses without one
        text = _("the route to {range} takes packets to {address}").format(
            range=choice.route.dst, address=dst
        )
        line = mend.delete_route(spot, choice.route)
        return found_in(paths.ROUTE_SHADOWED, spot, str(choice.route.dst), text, (line,))

    def _refused(self, spot: Spot, choice: Choice, dst: IPAddress, put: str = "") -> Finding:
        assert choice.route is not None
        text = _("a route to {range} refuses packets to {address}").format(
            range=choice.route.dst, address=dst
        )
        lines = [mend.delete_route(spot, choice.route)]
        way = self.expected.way(dst)
        if put and way is not None and not self._has_own(spot, way.route.dst):
            lines.append(put)
        return found_in(paths.ROUTE_REFUSES, spot, str(choice.route.dst), text, tuple(lines))

    def redirected(
        self, spot: Spot, event: Event, before: IPAddress, after: IPAddress
    ) -> Finding | None:
        """A destination that a pod or node has is led elsewhere; a Service's is not meant."""
        known = {one for record in spot.machine.records for one in record.addresses}
        ours = event.chain.table == TABLE
        if ours or before == after or not (before in known or self.expected.claims(before)):
            return None
        text = _("packets for {address} are led to {other}").format(address=before, other=after)
        return found_in(filters.REWRITTEN, spot, event.row, text, _without(event))

    def sourced(self, spot: Spot, event: Event, src: IPAddress, dst: IPAddress) -> Finding | None:
        """Traffic between pods that is masqueraded."""
        if not (self.expected.claims(src) and self.expected.claims(dst)):
            return None
        text = _("{address} is rewritten on its way to another pod").format(address=src)
        lines = (mend.have_agent(spot.machine),) if event.chain.table == TABLE else _without(event)
        return found_in(filters.MASQUERADE_TOO_WIDE, spot, event.row, text, lines)

    def unmasked(self, spot: Spot, link: Link, packet: Packet) -> Finding | None:
        """A pod's packet leaves the cluster with an address that nobody outside knows."""
        orders = spot.machine.orders
        own = spot.pod is None and self.expected.is_own(packet.src) and orders is not None
        if not own or not orders or not orders.masquerade or packet.reply or packet.outer:
            return None
        nodes = {one for record in spot.machine.records for one in record.addresses}
        within = packet.dst in nodes or any(packet.dst in each for each in orders.cluster_ranges)
        if within or self.expected.claims(packet.dst) or link.name == self.expected.bridge:
            return None
        text = _("{address} leaves by {link} with a pod's address").format(
            address=packet.src, link=link.name
        )
        return found_in(
            filters.MASQUERADE_MISSING, spot, link.name, text, (mend.have_agent(spot.machine),)
        )

    def tunnel_neighbour(self, spot: Spot, link: Link, address: IPAddress) -> Finding | None:
        """A tunnel's neighbour without a MAC: nobody can be asked."""
        way = self.expected.way(address)
        if way is None or way.remote is None:
            return None
        text = _("{link} has no MAC for {address}").format(link=link.name, address=address)
        line = mend.put_neighbour(spot, link.name, address, way.remote.mac)
        return found_in(paths.NEIGHBOUR_STALE, spot, str(address), text, (line,))

    def tunnel_entry(
        self, spot: Spot, link: Link, dst: IPAddress, entry: Neighbour | None
    ) -> Finding | None:
        """A tunnel's MAC that is missing, or at another node than the record says."""
        way = self.expected.way(dst)
        if way is None or way.remote is None or way.device != link.name:
            return None
        remote = way.remote
        base = remote.network.network_address
        if entry is not None and (entry.mac, entry.address) == (remote.mac, remote.address):
            return None
        lines = (
            mend.put_neighbour(spot, link.name, base, remote.mac),
            mend.put_entry(spot, link.name, remote.mac, remote.address),
        )
        known = spot.neighbours.get((link.index, base))
        if known is not None and known.mac != remote.mac:
            text = _("{link} sends to {mac}; the record says {right}").format(
                link=link.name, mac=known.mac, right=remote.mac
            )
            return found_in(paths.NEIGHBOUR_STALE, spot, str(base), text, lines)
        text = _("{mac} is sent to {address}; the record says {right}").format(
            mac=remote.mac, address=entry.address if entry else "-", right=remote.address
        )
        return found_in(paths.FORWARDING_ENTRY_WRONG, spot, remote.mac, text, lines[1:])

    def tunnel_gone(self, spot: Spot, vni: int, port: int) -> Finding:
        """Packets of a tunnel arrive where none is."""
        devices = {one.name: one for one in self.expected.plan.tunnels}
        for name in devices:
            if name in spot.by_name and not spot.by_name[name].up:
                return link_down(spot, spot.by_name[name])
            if name not in spot.by_name:
                return found_in(
                    paths.TUNNEL_MISSING, spot, name, lines=(mend.have_agent(spot.machine),)
                )
        text = _("no tunnel of VNI {vni} and port {port}").format(vni=vni, port=port)
        return found_in(paths.TUNNEL_SETTINGS, spot, str(vni), text)


def no_pod_route(judge: Judge, spot: Spot, dst: IPAddress) -> Finding:
    """A pod without a way out, or without the address that gives it one."""
    version = dst.version
    pod = spot.pod
    assert pod is not None
    owners = {(one.container_id, one.ifname): one.ifname for one in pod.attachments}
    for lease in spot.machine.leases:
        ifname = owners.get((lease.container_id, lease.ifname))
        if ifname and lease.address.version == version and not spot.holds(lease.address):
            return pod_address(judge, spot, ifname, lease.address)
    own = [one for one in spot.addresses if one.version == version]
    gateway = next(filter(None, (judge.expected.gateway(one) for one in own)), None)
    ifname = pod.attachments[0].ifname if pod.attachments else "eth0"
    link = spot.by_name.get(ifname)
    if link is None or not link.up:
        return pod_interface(spot, ifname)
    lines = (
        (mend.ip(spot, version, f"route add default via {gateway} dev {ifname}"),)
        if gateway
        else ()
    )
    text = _("{pod} has no route to {address}").format(pod=spot.name, address=dst)
    return found_in(links.POD_ROUTE, spot, spot.name, text, lines)


def filtered(judges: Judges, spot: Spot, hook: str, event: Event, packet: Packet) -> Finding:
    """Rules drop a packet: of a tunnel, at a port, or on its way through."""
    cause = filters.PORT_DROPPED if hook in ("input", "output") else filters.FORWARD_DROPPED
    tunnels = {(one.port) for one in spot.vxlans.values()}
    if packet.outer and packet.dport in tunnels:
        cause = filters.TUNNEL_PORT_DROPPED
    port = f":{packet.dport}" if packet.dport else ""
    text = _("{protocol} to {address} is dropped: {row}").format(
        protocol=packet.protocol, address=f"{packet.dst}{port}", row=event.row
    )
    return found_in(cause, spot, event.row, text, _without(event))


def _without(event: Event) -> tuple[str, ...]:
    """Commands that take away what a rule or a policy does."""
    chain = event.chain
    if event.rule is None:
        return (f"nft 'add chain {chain.place} {{ policy accept; }}'",)
    rule = event.rule
    return (f"nft delete rule {rule.place} handle {rule.handle}",)

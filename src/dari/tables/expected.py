"""What the records ask of a node: who owns an address, and the way that should lead there.

May import: agent.desired, routing, netlink.route, model, record, snapshot, explain.world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.agent.desired import gateway_of
from dari.agent.planner import peer_of
from dari.netlink.constants import RT_TABLE_MAIN
from dari.netlink.route import KernelRoute
from dari.record import Record
from dari.routing.desired import Plan, plan_routes
from dari.routing.peer import Peer
from dari.routing.way import METRIC, RTPROT_DARI, Overlay, Remote
from dari.snapshot.model import Machine
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork


class Way(Record):
    """How a peer's range should be reached; `remote` where it is behind a tunnel."""

    route: KernelRoute
    device: str = ""
    remote: Remote | None = None


class Expected:
    """One node's records and orders, arranged to be asked.

    Args:
        machine: a node; of another machine nothing is expected.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._plan: Plan | None = None

    @property
    def bridge(self) -> str:
        """Name of the pods' bridge."""
        return self._machine.orders.bridge if self._machine.orders else ""

    @property
    def own_ranges(self) -> tuple[IPNetwork, ...]:
        """Prefixes of this node's pods."""
        return self._machine.record.pod_ranges if self._machine.record else ()

    def gateway(self, address: IPAddress) -> IPAddress | None:
        """The gateway that a pod of this node with an address should have."""
        return next((gateway_of(each).ip for each in self.own_ranges if address in each), None)

    def is_own(self, address: IPAddress) -> bool:
        """Is it in this node's own pod range?"""
        return any(address in each for each in self.own_ranges)

    def owner(self, address: IPAddress) -> NodeRecord | None:
        """The peer in whose pod range an address is."""
        for peer in self._machine.peers:
            if any(address in each for each in peer.pod_ranges):
                return peer
        return None

    def claims(self, address: IPAddress) -> list[NodeRecord]:
        """Every node, this one included, that claims a range with this address."""
        return [
            one for one in self._machine.records if any(address in each for each in one.pod_ranges)
        ]

    def way(self, address: IPAddress) -> Way | None:
        """How a peer's pod should be reached; None where the records ask for no route."""
        plan = self.plan
        for route in plan.routes:
            if address in route.dst:
                return Way(route=route)
        for remote in plan.remotes:
            if address in remote.network:
                return Way(route=_through(remote), device=remote.tunnel, remote=remote)
        return None

    @property
    def plan(self) -> Plan:
        """All that the records ask of this node's routes and tunnels."""
        if self._plan is None:
            self._plan = self._make_plan()
        return self._plan

    def _make_plan(self) -> Plan:
        machine = self._machine
        orders = machine.orders
        if orders is None or not machine.records or (machine.record is None):
            return Plan()
        overlay = Overlay(type=orders.backend, vni=orders.vni, port=orders.port)
        main = [one for one in machine.place.routes if one.table == RT_TABLE_MAIN]
        own: Peer = peer_of(machine.record)
        return plan_routes(own, map(peer_of, machine.peers), main, overlay, self.underlay_mtu)

    @property
    def underlay_mtu(self) -> int:
        """MTU of the link that holds the node's address; 0: unknown."""
        record = self._machine.record
        held = set(record.addresses) if record else set()
        links = {link.index: link.mtu for link in self._machine.place.links}
        found = (one.index for one in self._machine.place.addresses if one.interface.ip in held)
        return next((links[index] for index in found if index in links), 0)

    @property
    def pod_mtu(self) -> int:
        """MTU that the node's pods should have; 0: unknown."""
        orders = self._machine.orders
        if orders is None:
            return 0
        return orders.mtu or min(
            (one.mtu for one in self.plan.tunnels if one.mtu), default=self.underlay_mtu
        )


def _through(remote: Remote) -> KernelRoute:
    base = remote.network.network_address
    return KernelRoute(
        dst=remote.network,
        gateway=base,
        protocol=RTPROT_DARI,
        metric=METRIC[remote.network.version],
        onlink=True,
    )

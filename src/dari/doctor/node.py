"""A node as the checks see it: what was read of it, and what it should be like.

What it should be like is decided by the agent's own functions, from the same facts.

May import: agent, model, netlink, record, routing, snapshot, store, tables, wiring.names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dari.agent.backends import BackendConfig
from dari.agent.config import AgentConfig
from dari.agent.conflist import NETWORK
from dari.agent.desired import Desired, decide, own_record
from dari.agent.location import Location, locate
from dari.agent.observe import Observed
from dari.agent.planner import Planner
from dari.model import NodeName
from dari.netlink.constants import RT_TABLE_MAIN
from dari.record import Record
from dari.routing.way import Overlay
from dari.snapshot.health import Health
from dari.snapshot.model import Attached, Machine, Orders, Place, Pod
from dari.store.ranges import ClusterRange
from dari.store.record import NodeRecord
from dari.tables.legacy import as_ruleset
from dari.tables.ruleset import Ruleset

if TYPE_CHECKING:
    from dari.model import IPNetwork
    from dari.netlink.link import Link
    from dari.netlink.route import KernelRoute

BRIDGE_TYPES = ("bridge", "dari")
_NOTHING = Health()


class Node(Record):
    """A node and what it should be like.

    Attributes:
        config: the agent's orders; None where they cannot be read.
        desired: what the agent wants; None where it is not known, or is none of dari's.
        roles: of Kubernetes, told or found out; see `doctor.roles`.
        lab: is it a node of a lab?
        alone: was it the only one that was looked at?
    """

    machine: Machine
    config: AgentConfig | None
    location: Location
    desired: Desired | None
    roles: tuple[str, ...] = ()
    lab: bool = False
    alone: bool = True

    @property
    def name(self) -> str:
        """What it is called in findings."""
        return self.machine.name

    @property
    def place(self) -> Place:
        """Its own network namespace."""
        return self.machine.place

    @property
    def health(self) -> Health:
        """Its health; an empty one where it was not read."""
        return self.machine.health or _NOTHING

    @property
    def rules(self) -> Ruleset:
        """All rules that packets meet here: nftables' and iptables-legacy's."""
        return Ruleset((*self.place.ruleset, *as_ruleset(self.place.legacy_tables)))

    @property
    def bridge(self) -> str:
        """Name of the pods' bridge."""
        return self.config.bridge if self.config else ""

    @property
    def ranges(self) -> tuple[IPNetwork, ...]:
        """Its pods' ranges, as its record has them."""
        return own_ranges(self.machine)

    @property
    def agent_runs(self) -> bool:
        """Did the agent answer?"""
        return bool(self.machine.agent)

    @property
    def ours(self) -> bool:
        """Is this a node of dari's: does its agent run, or is there anything of it?"""
        machine = self.machine
        return bool(
            machine.agent
            or machine.record
            or any(each.attachments for each in machine.pods)
            or any(each.network == NETWORK for each in machine.conf)
        )

    @property
    def main(self) -> tuple[KernelRoute, ...]:
        """The main table."""
        return main_table(self.place)

    def link(self, name: str) -> Link | None:
        """A link by its name."""
        return next((each for each in self.place.links if each.name == name), None)

    def wired(self) -> Iterator[tuple[Pod, Attached]]:
        """Each pod with each of its interfaces that is on a bridge."""
        for pod in self.machine.pods:
            for each in pod.attachments:
                if each.type in BRIDGE_TYPES:
                    yield pod, each


def view(
    machine: Machine, *, roles: tuple[str, ...] = (), lab: bool = False, alone: bool = True
) -> Node:
    """Decide what a machine should be like.

    Of one whose record is another's, because the two go by one name, nothing is decided:
    whatever followed from that record would be wrong.
    """
    config = config_of(machine.orders) if machine.orders else None
    observed = Observed(
        links=machine.place.links,
        addresses=machine.place.addresses,
        routes=main_table(machine.place),
    )
    location = locate(config, observed) if config else Location()
    node = Node(
        machine=machine,
        config=config,
        location=location,
        desired=None,
        roles=roles,
        lab=lab,
        alone=alone,
    )
    if config is None or not node.ours or _is_namesake(machine, config.node_name):
        return node
    own = machine.record or own_record(config, location, own_ranges(machine))
    records = _records(machine, own)
    planned = Planner(config).plan(own, records, observed, location)
    return node.replace(desired=decide(config, own, planned, observed, location, ""))


def _is_namesake(machine: Machine, name: str) -> bool:
    """Is the record of a machine's name another machine's?"""
    own = {each.interface.ip for each in machine.place.addresses}
    macs = {each.mac for each in machine.place.links}
    return name != machine.name or any(
        bool(each.addresses and each.mac) and not set(each.addresses) & own and each.mac not in macs
        for each in machine.records
        if each.name == name
    )


def _records(machine: Machine, own: NodeRecord) -> tuple[NodeRecord, ...] | None:
    """All records; None where the store did not answer or has nothing of this node."""
    return None if "store" in machine.problems else (own, *machine.peers)


def own_ranges(machine: Machine) -> tuple[IPNetwork, ...]:
    """A machine's pod ranges, as its record has them."""
    return machine.record.pod_ranges if machine.record else ()


def main_table(place: Place) -> tuple[KernelRoute, ...]:
    """The main table's routes."""
    return tuple(each for each in place.routes if each.table == RT_TABLE_MAIN)


def config_of(orders: Orders) -> AgentConfig:
    """The agent's configuration, as far as a snapshot keeps it."""
    return AgentConfig(
        node_name=NodeName(orders.node_name),
        role=orders.role,
        store=orders.store,
        store_dir="",
        conf_dir=orders.conf_dir,
        bridge=orders.bridge,
        mtu=orders.mtu,
        masquerade=orders.masquerade,
        cluster_ranges=tuple(
            ClusterRange(network=each, node_prefix=each.prefixlen) for each in orders.cluster_ranges
        ),
        node_addresses=orders.node_addresses,
        interface=orders.interface,
        backend=BackendConfig(
            overlay=Overlay(type=orders.backend, vni=orders.vni, port=orders.port, mtu=orders.mtu)
        ),
    )

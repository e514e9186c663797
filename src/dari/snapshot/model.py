"""A cluster's network at one moment: places, nodes with their pods, and all of them.

A *place* is one network namespace. A *machine* is a node, or in a lab the router, the
host outside and the switch, which have a place and no pods.

May import: model, record, netlink's records, store.record, snapshot.health.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dari.model import EMPTY
from dari.netlink.address import Address
from dari.netlink.flows import Tracked
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute
from dari.netlink.rule import Rule
from dari.netlink.vxlan import Vxlan
from dari.record import Record
from dari.snapshot.health import Health
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork, Json

NODE, ROUTER, OUTSIDE, SWITCH = "node", "router", "outside", "switch"
RIGHTS = "rights"  # a problem: who looked may not see everything
SOME, ALL = 1000, -1
"""How many connections of a place are usually read, where any are; and all of them."""
_NO_TEXTS: Mapping[str, str] = {}


class LegacyTable(Record):
    """One table of iptables-legacy.

    Attributes:
        program: ``iptables`` or ``ip6tables``.
        name: such as ``filter``.
        policies: of its chains, such as ``DROP``; empty for chains that have none.
        rules: as ``iptables-save`` prints them: ``-A FORWARD -s 10.0.0.0/8 -j DROP``.
    """

    program: str
    name: str
    policies: Mapping[str, str] = _NO_TEXTS
    rules: tuple[str, ...] = ()


class Place(Record):
    """One network namespace.

    Attributes:
        inode: of the namespace, which tells it from others of the same machine.
        routes: of all tables, the table ``local`` included.
        rules: policy rules, in the order they are asked.
        neighbours: of both families.
        fdb: forwarding entries, of bridges and of vxlan devices.
        sysctls: settings that decide what becomes of a packet, named as sysctl(8)
            does with slashes: ``net/ipv4/ip_forward``; those of single links only for
            links that no bridge has as a port.
        ruleset: objects as ``nft -j list ruleset`` has them.
        legacy: tables of iptables-legacy that are in use: ``iptables filter``.
        legacy_tables: those of them that could be read.
        connections: how many the kernel tracks; -1: it tracks none here.
        most_connections: how many it tracks at most; 0: unknown.
        most_is_fixed: that number cannot be changed from here, as in a container.
        tracked: the connections themselves, where those were asked for.
        more_tracked: are there more than `tracked` holds?
        unread: in words, what could not be read and why.
    """

    inode: int = 0
    links: tuple[Link, ...] = ()
    vxlans: tuple[Vxlan, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[KernelRoute, ...] = ()
    rules: tuple[Rule, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    fdb: tuple[Neighbour, ...] = ()
    sysctls: Mapping[str, str] = _NO_TEXTS
    ruleset: tuple[Json, ...] = ()
    legacy: tuple[str, ...] = ()
    legacy_tables: tuple[LegacyTable, ...] = ()
    connections: int = -1
    most_connections: int = 0
    most_is_fixed: bool = False
    tracked: tuple[Tracked, ...] = ()
    more_tracked: bool = False
    unread: tuple[str, ...] = ()


class Attached(Record):
    """One interface of a pod, as its ADD was asked for it.

    Attributes:
        host_end: name of the cable's end on the node, for types that have one.
        type: the plugin's.
        bridge: that its configuration names, or empty.
    """

    container_id: str
    ifname: str
    network: str = ""
    type: str = ""
    bridge: str = ""
    host_end: str = ""


class Pod(Record):
    """One network namespace on a node that is not the node's own.

    Attributes:
        name: ``namespace/name`` where Kubernetes told it, else the container's id,
            else the name of the namespace's file.
        netns: the namespace's file.
        attachments: interfaces that dari made or is making there.
        place: None where the namespace cannot be read.
        problem: in words, why not; also where another is now at its path.
    """

    name: str
    netns: str
    attachments: tuple[Attached, ...] = ()
    place: Place | None = None
    problem: str = ""


class Lease(Record):
    """An address that a network's folder of leases holds.

    Attributes:
        path: the lease's file.
        container_id, ifname: whose it is; empty where its content names nobody.
    """

    path: str
    network: str
    address: IPAddress
    container_id: str = ""
    ifname: str = ""


class ConfFile(Record):
    """A network configuration in the runtime's folder, in the order of their names.

    Attributes:
        types: of its plugins, in the order of ADD.
        problem: in words, why the runtime cannot load it.
    """

    path: str
    network: str = ""
    cni_version: str = ""
    types: tuple[str, ...] = ()
    problem: str = ""


class Orders(Record):
    """What the node's agent is told to do: its file of settings, and defaults."""

    node_name: str
    role: str = NODE
    store: str = "local"
    conf_dir: str = ""
    bridge: str = ""
    mtu: int = 0
    masquerade: bool = True
    cluster_ranges: tuple[IPNetwork, ...] = ()
    node_addresses: tuple[IPAddress, ...] = ()
    interface: str = ""
    backend: str = ""
    vni: int = 0
    port: int = 0
    etcd_endpoints: tuple[str, ...] = ()


class Host(Record):
    """What tells this machine from others.

    Attributes:
        time: seconds since 1970, when the snapshot was taken.
        kernel: its release, such as ``6.1.0``.
    """

    name: str = ""
    time: float = 0.0
    boot_id: str = ""
    machine_id: str = ""
    product_uuid: str = ""
    kernel: str = ""


class Machine(Record):
    """A machine at one moment, with its pods.

    Attributes:
        name: of the node in the cluster; else the host's.
        kind: `NODE`, `ROUTER`, `OUTSIDE` or `SWITCH`.
        place: the machine's own namespace.
        record: what the store has of this node.
        peers: what the store has of all others.
        orders: None where its settings cannot be read.
        agent: the agent's state, as ``dari status -o json`` has it; empty: it has none.
        problems: in words, what could not be read, by what it is: ``agent``,
            ``store``, ``orders``, ``leases``, ``attachments``, ``machine``, ``rights``.
        names: what addresses are called (/etc/hosts), by address.
        health: None where it was not asked for.
    """

    name: str
    kind: str = NODE
    place: Place = Place()
    pods: tuple[Pod, ...] = ()
    record: NodeRecord | None = None
    peers: tuple[NodeRecord, ...] = ()
    orders: Orders | None = None
    agent: Json = EMPTY
    leases: tuple[Lease, ...] = ()
    conf: tuple[ConfFile, ...] = ()
    host: Host = Host()
    names: Mapping[str, str] = _NO_TEXTS
    health: Health | None = None
    problems: Mapping[str, str] = _NO_TEXTS

    @property
    def records(self) -> tuple[NodeRecord, ...]:
        """What the store has of every node, this one first."""
        return ((self.record,) if self.record else ()) + self.peers


class Snapshot(Record):
    """Several machines of one cluster, or one alone.

    Attributes:
        lab: name of the lab that it was taken of; empty for real machines.
    """

    machines: tuple[Machine, ...]
    lab: str = ""

    @property
    def nodes(self) -> tuple[Machine, ...]:
        """The cluster's nodes."""
        return tuple(one for one in self.machines if one.kind == NODE)

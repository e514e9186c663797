"""What a lab consists of: machines, addresses and cables, as plain data.

The same options always give the same topology, so nothing of it has to be kept
on disk, and a test can look at it without a namespace. Without `routed` there is
one segment, and the outside host is the way out of it, to nowhere; with it the
nodes alternate between two segments, a router joins them, and the outside host
has a segment of its own.

May import: model, addr, errors, record.
"""

from __future__ import annotations

import re
from ipaddress import ip_interface, ip_network
from typing import TYPE_CHECKING

from dari.addr import default_route, mac_of
from dari.errors import BadConfig
from dari.lab.messages import _
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress, IPInterface, IPNetwork

MOST_NODES = 200  # of the 256 ranges that a cluster range of each family holds
MOST_PODS = 200  # of the 253 addresses in a node's range
CLUSTER_RANGES = (ip_network("10.244.0.0/16"), ip_network("fd00:10:244::/56"))

BACKENDS = ("direct", "vxlan", "auto", "bgp")
STORES = ("local", "etcd")

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_FIRST_NODE = 11  # host number of node1; below it is room for what a user adds
_GATEWAY = 254
_STORE = 253
_OUTSIDE_SEGMENT = 3


class Options(Record):
    """What a user asks for: `nodes` machines with `pods` pods on each."""

    name: str = "lab"
    nodes: int = 3
    pods: int = 2
    ipv6: bool = False
    routed: bool = False
    backend: str = BACKENDS[0]
    store: str = STORES[0]


class Segment(Record):
    """One switch: a bridge in the lab's first namespace, and the prefixes used on it."""

    name: str
    networks: tuple[IPNetwork, ...]


class Port(Record):
    """One machine's interface and the cable from it.

    Attributes:
        interface: its name inside the machine, such as ``eth0``.
        cable: name of the cable's other end, on the switch.
        segment: name of the switch it goes to.
    """

    interface: str
    cable: str
    segment: str
    mac: str
    addresses: tuple[IPInterface, ...]


class Machine(Record):
    """A node, the router, the outside host, or the one with the nodes' records.

    Attributes:
        kind: ``node``, ``router``, ``outside`` or ``etcd``.
        gateways: where everything else goes, one per family; empty where the
            world ends: what has no route is answered with "unreachable".
        pods: names of the pods it runs.
    """

    name: str
    kind: str
    ports: tuple[Port, ...]
    gateways: tuple[IPAddress, ...] = ()
    pods: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[IPAddress, ...]:
        """Its addresses, of the first family first."""
        return tuple(interface.ip for port in self.ports for interface in port.addresses)


class Topology(Record):
    """All of a lab. `cluster_ranges` holds one range per family, for the pods.

    `backend` is how the nodes' agents reach each other's pods, `store` where they keep
    their records.
    """

    name: str
    segments: tuple[Segment, ...]
    machines: tuple[Machine, ...]
    cluster_ranges: tuple[IPNetwork, ...]
    backend: str = BACKENDS[0]
    store: str = STORES[0]

    @property
    def router_knows_pods(self) -> bool:
        """Is the router one of those who know the way to the pods? A tunnel needs none."""
        return self.backend in ("direct", "bgp")

    def has_agent(self, one: Machine) -> bool:
        """Does a machine run dari's agent? Under BGP the router runs a daemon alone."""
        return one.kind == "node" or (one.kind == "router" and self.backend == "direct")

    @property
    def store_addresses(self) -> tuple[IPAddress, ...]:
        """Where the machine with the records is reached; empty where a folder has them."""
        found = (each.addresses for each in self.machines if each.kind == "etcd")
        return next(found, ())

    @property
    def nodes(self) -> tuple[Machine, ...]:
        """The cluster's nodes, in order."""
        return tuple(machine for machine in self.machines if machine.kind == "node")

    @property
    def outside(self) -> Machine:
        """The host that is not part of the cluster."""
        return next(machine for machine in self.machines if machine.kind == "outside")

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that a command can run in: machines, then pods."""
        machines = tuple(machine.name for machine in self.machines)
        return machines + tuple(pod for machine in self.machines for pod in machine.pods)


def plan(options: Options) -> Topology:
    """Lay out a lab.

    Raises:
        BadConfig: a name or number that no lab can have.
    """
    _validate(options)
    versions = (4, 6) if options.ipv6 else (4,)
    numbers = (1, 2, _OUTSIDE_SEGMENT) if options.routed else (1,)
    segments = {number: _segment(number, versions) for number in numbers}
    inhabited = [segments[number] for number in numbers if number != _OUTSIDE_SEGMENT]
    nodes = tuple(_node(n, inhabited, options.pods) for n in range(1, options.nodes + 1))
    ranges = tuple(r for r in CLUSTER_RANGES if r.version in versions)
    last = numbers[-1]
    return Topology(
        name=options.name,
        segments=tuple(segments.values()),
        machines=(*nodes, *_others(list(segments.values())), *_records(options, segments[last])),
        cluster_ranges=ranges,
        backend=options.backend,
        store=options.store,
    )


def check_name(name: str) -> None:
    """Make sure that a lab may be called so: its name is that of a folder.

    Raises:
        BadConfig: it may not.
    """
    if not _NAME.fullmatch(name):
        raise BadConfig(
            _("name {name!r} of a lab: up to 31 small letters, digits and hyphens").format(
                name=name
            ),
            _("such as: --name lab2"),
        )


def _validate(options: Options) -> None:
    check_name(options.name)
    _in_range("--nodes", options.nodes, 1, MOST_NODES)
    _in_range("--pods", options.pods, 0, MOST_PODS)
    if options.backend not in BACKENDS:
        raise BadConfig(
            _("--backend {backend}: a lab can have {backends}").format(
                backend=options.backend, backends=", ".join(BACKENDS)
            )
        )
    if options.store not in STORES:
        raise BadConfig(
            _("--store {store}: a lab can have {stores}").format(
                store=options.store, stores=", ".join(STORES)
            )
        )


def _in_range(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadConfig(
            _("{option} {value}: a lab can have {least} to {most}").format(
                option=option, value=value, least=least, most=most
            )
        )


def _segment(number: int, versions: tuple[int, ...]) -> Segment:
    networks: dict[int, IPNetwork] = {
        4: ip_network(f"10.0.{number}.0/24"),
        6: ip_network(f"fd00:10:0:{number}::/64"),
    }
    return Segment(name=f"segment{number}", networks=tuple(networks[v] for v in versions))


def _node(number: int, segments: list[Segment], pods: int) -> Machine:
    segment = segments[(number - 1) % len(segments)]
    name = f"node{number}"
    return Machine(
        name=name,
        kind="node",
        ports=(_port(segment, _FIRST_NODE + number - 1, "eth0", name),),
        gateways=_gateways(segment),
        pods=tuple(f"pod-{number}-{pod}" for pod in range(1, pods + 1)),
    )


def _others(segments: list[Segment]) -> tuple[Machine, ...]:
    """The outside host, and the router where there is more than one segment."""
    last = segments[-1]
    if len(segments) == 1:
        port = _port(last, _GATEWAY, "eth0", "outside")
        return (Machine(name="outside", kind="outside", ports=(port,)),)
    ports = tuple(
        _port(segment, _GATEWAY, f"eth{index}", f"router-{index}")
        for index, segment in enumerate(segments)
    )
    router = Machine(name="router", kind="router", ports=ports)
    port = _port(last, _FIRST_NODE, "eth0", "outside")
    outside = Machine(name="outside", kind="outside", ports=(port,), gateways=_gateways(last))
    return router, outside


def _records(options: Options, segment: Segment) -> tuple[Machine, ...]:
    """The machine that runs the store, where that is a server, beside the outside host."""
    if options.store != "etcd":
        return ()
    port = _port(segment, _STORE, "eth0", "etcd")
    return (Machine(name="etcd", kind="etcd", ports=(port,), gateways=_gateways(segment)),)


def _port(segment: Segment, host: int, interface: str, cable: str) -> Port:
    addresses = tuple(ip_interface((_host(net, host), net.prefixlen)) for net in segment.networks)
    return Port(
        interface=interface,
        cable=cable,
        segment=segment.name,
        mac=_mac(addresses[0].ip),
        addresses=addresses,
    )


def _mac(address: IPAddress) -> str:
    """Unique, since the address is; told from a pod's by its first bytes."""
    return "02:1a" + mac_of(address)[5:]


def _gateways(segment: Segment) -> tuple[IPAddress, ...]:
    return tuple(_host(net, _GATEWAY) for net in segment.networks)


def _host(network: IPNetwork, number: int) -> IPAddress:
    """Host 11 is ``10.0.1.11`` and reads the same in IPv6, ``fd00:10:0:1::11``."""
    return network[number if network.version == 4 else int(str(number), 16)]


def family_default(gateway: IPAddress) -> IPNetwork:
    """The prefix that a gateway is for: everything of its family."""
    return default_route(gateway.version)

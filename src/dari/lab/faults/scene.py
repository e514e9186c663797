"""Where a fault happens: the lab's names, addresses and prefixes, as plain data.

What can be known while the lab is broken is taken from what breaking does not change:
the plan, and the addresses that every machine has in its /etc/hosts.

May import: addr, model, record, wiring.names, and within lab: topology.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_interface, ip_network
from typing import TYPE_CHECKING

from dari.addr import mac_of
from dari.lab.topology import Machine, Topology
from dari.model import ContainerId, InterfaceName, Owner
from dari.record import Record
from dari.wiring.names import host_end

if TYPE_CHECKING:
    from dari.model import IPAddress, IPInterface, IPNetwork

BRIDGE, TUNNEL = "cni0", "dari.vxlan"
LEASES = "/run/dari/leases/dari"
STORE = "/var/lib/dari/store"
_RANGE = {4: 24, 6: 64}
_NOBODY = 99  # host number that no machine of a lab has


class Command(Record):
    """A program to be run in a machine or pod, with what it reads from stdin."""

    where: str
    words: tuple[str, ...]
    given: str = ""


class Cast(Record):
    """Who plays which part.

    Attributes:
        node: where it breaks.
        peer: another node.
        pod, mate: pods of `node`; `mate` is empty where it has one pod.
        far: a pod of `peer`.
    """

    node: str
    peer: str
    pod: str
    mate: str
    far: str


class Scene(Record):
    """A lab and the parts in it.

    Attributes:
        addresses: by the name of a machine or pod.
        tunnels: MAC of each node's tunnel device, by node, where it is there.
        pids: number, as the lab sees it, of the process that holds a machine or pod.
    """

    topology: Topology
    cast: Cast
    addresses: Mapping[str, tuple[IPAddress, ...]]
    tunnels: Mapping[str, str]
    pids: Mapping[str, int]

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions that the lab has."""
        return tuple(each.version for each in self.topology.cluster_ranges)

    def machine(self, name: str) -> Machine:
        """The plan of a machine."""
        return next(one for one in self.topology.machines if one.name == name)

    def address(self, name: str, version: int) -> IPAddress:
        """The one address of a machine or pod in a family."""
        return next(one for one in self.addresses[name] if one.version == version)

    def interface(self, pod: str, version: int) -> IPInterface:
        """A pod's address with its range's prefix length."""
        return ip_interface((int(self.address(pod, version)), _RANGE[version]))

    def ranges(self, node: str) -> tuple[IPNetwork, ...]:
        """The pod ranges of a node, told from its first pod."""
        pod = self.machine(node).pods[0]
        return tuple(self.interface(pod, version).network for version in self.versions)

    def halves(self, node: str) -> Iterator[IPNetwork]:
        """The two more specific prefixes that each of a node's ranges consists of."""
        for whole in self.ranges(node):
            yield from whole.subnets()

    def gateways(self, node: str) -> tuple[IPInterface, ...]:
        """The bridge's addresses on a node."""
        return tuple(ip_interface((int(each[1]), each.prefixlen)) for each in self.ranges(node))

    def underlay(self, node: str, version: int) -> IPNetwork:
        """The segment's prefix that a node is on."""
        own = (each for port in self.machine(node).ports for each in port.addresses)
        return next(each.network for each in own if each.version == version)

    def nobody(self, node: str, version: int) -> IPAddress:
        """An address on a node's segment that no machine has."""
        return self.underlay(node, version)[_NOBODY]

    def next_hop(self, node: str, peer: str, version: int) -> IPAddress:
        """Where a node's packets for a peer go first."""
        address = self.address(peer, version)
        if address in self.underlay(node, version):
            return address
        return next(each for each in self.machine(node).gateways if each.version == version)

    def beside(self, node: str) -> tuple[str, str]:
        """Another machine on a node's segment, and its interface there."""
        segment = self.machine(node).ports[0].segment
        others = (one for one in self.topology.machines if one.name != node)
        return next(
            (one.name, port.interface)
            for one in others
            for port in one.ports
            if port.segment == segment
        )

    def mac(self, name: str) -> str:
        """The MAC of a node's interface, or of a pod's."""
        for one in self.topology.machines:
            if one.name == name:
                return one.ports[0].mac
        return mac_of(self.address(name, self.versions[0]))

    def cable(self, pod: str) -> str:
        """The name of the node's end of a pod's cable."""
        return host_end(Owner(container_id=ContainerId(pod), ifname=InterfaceName("eth0")))

    def switch_port(self, node: str) -> str:
        """The switch's end of a node's cable."""
        return self.machine(node).ports[0].cable


def host_of(topology: Topology, pod: str) -> str:
    """The node that runs a pod."""
    return next(one.name for one in topology.nodes if pod in one.pods)


def everything(version: int) -> str:
    """The default route's prefix, as `ip` writes it."""
    return str(ip_network("0.0.0.0/0" if version == 4 else "::/0"))

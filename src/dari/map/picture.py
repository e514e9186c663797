"""What there is to draw of a cluster: machines, bridges, pods and the ways between nodes.

May import: record.
"""

from __future__ import annotations

from dari.record import Record

NODE, ROUTER, OUTSIDE = "node", "router", "outside"
ROUTE, TUNNEL = "route", "tunnel"


class Pod(Record):
    """A pod on its node.

    Attributes:
        addresses: as text, IPv4 first.
        plugged: are both ends of its cable up, and one of them in a bridge?
    """

    name: str
    addresses: tuple[str, ...] = ()
    plugged: bool = True

    @property
    def faulty(self) -> bool:
        """Can nothing reach it?"""
        return not (self.plugged and self.addresses)


class Machine(Record):
    """A node, a router, or a host outside of the cluster.

    Attributes:
        kind: `NODE`, `ROUTER` or `OUTSIDE`.
        interface: the one with which it is on the nodes' network.
        segments: the prefixes of that network that it is on, as text; the first decides
            where it is drawn.
        bridge: name of the pods' bridge; empty where there is none.
        gateways: the bridge's addresses.
        ranges: the pods' prefixes.
        state: what is to be said of its agent, empty where all is well.
    """

    name: str
    kind: str = NODE
    interface: str = "eth0"
    addresses: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    bridge: str = ""
    gateways: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    pods: tuple[Pod, ...] = ()
    state: str = ""

    @property
    def faulty(self) -> bool:
        """Is something wrong with the machine itself?"""
        return bool(self.state) or not self.addresses or bool(self.bridge and not self.gateways)


class Way(Record):
    """How one node sends to another's pods.

    Attributes:
        kind: `ROUTE` or `TUNNEL`.
    """

    source: str
    target: str
    kind: str = ROUTE


class Picture(Record):
    """All of it; `machines` are in the order in which they are drawn."""

    machines: tuple[Machine, ...] = ()
    ways: tuple[Way, ...] = ()

    @property
    def pods(self) -> int:
        """How many pods there are."""
        return sum(len(machine.pods) for machine in self.machines)

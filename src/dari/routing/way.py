"""What a backend answers when it is asked how a range is reached: plain data.

A way is a route of the kernel's, a range behind a tunnel, a range whose route
another program brings, or, in words, why there is none.

May import: model, netlink.route, record, and within routing: peer, reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.netlink.route import KernelRoute
from dari.record import Record
from dari.routing.peer import DIRECT, Claim, Peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dari.model import IPAddress, IPInterface, IPNetwork
    from dari.routing.reach import Reach

RTPROT_DARI = 79
# IPv6 makes 1024 of 0 by itself; said aloud, what is sent compares equal to what is there.
METRIC = {4: 0, 6: 1024}
VNI, PORT = 79, 4789
FLANNEL_VNI, FLANNEL_PORT = 1, 8472


class Overlay(Record):
    """What the agent was told of its backend.

    Attributes:
        type: ``direct``, ``vxlan``, ``auto``, ``bgp`` or ``flannel``.
        vni, port: of the tunnel.
        offload: may the tunnel's device leave checksums to the hardware?
        mtu: of the tunnel in bytes; 0: the underlay's, less what the tunnel adds.
    """

    type: str = DIRECT
    vni: int = VNI
    port: int = PORT
    offload: bool = True
    mtu: int = 0


class Site(Record):
    """From where a way is looked for: this node, told what, and how it reaches others.

    Attributes:
        underlay_mtu: bytes; 0: unknown.
        held: prefixes to which dari has a route and nobody else has; only bgp asks.
    """

    own: Peer
    overlay: Overlay
    reach: Reach
    underlay_mtu: int = 0
    held: frozenset[IPNetwork] = frozenset()


class Remote(Record):
    """A range behind a tunnel: in which device, and whose MAC at which address."""

    tunnel: str
    network: IPNetwork
    mac: str
    address: IPAddress


class Tunnel(Record):
    """A vxlan device that this node should have.

    Attributes:
        local: the address it sends from; its family is the underlay's.
        mtu: bytes; 0: leave it.
        addresses: of the device, so that what the node itself sends to pods has
            an address that comes back the same way.
        offload: may it leave checksums to the hardware?
        mac: empty: leave it.
    """

    name: str
    vni: int
    port: int
    local: IPAddress
    mac: str
    mtu: int = 0
    addresses: tuple[IPInterface, ...] = ()
    offload: bool = True


class Learnt(Record):
    """A range whose route a routing daemon brings, from this peer."""

    claim: Claim
    meanwhile: KernelRoute | None = None


Way = KernelRoute | Remote | Learnt | str

if TYPE_CHECKING:
    Find = Callable[[Claim, Site], Way]

"""Addresses of links.

Source: linux/if_addr.h; RFC 4862 for duplicate address detection (DAD).
May import: record, model, codec, constants, family, and conversation for its type.
"""

from __future__ import annotations

from struct import Struct

from dari.netlink import constants as c
from dari.netlink.codec import Request, attribute, pack, parse_attributes, u32, unpack
from dari.netlink.family import (
    FAMILY,
    VERSION,
    unpack_address,
    unpack_interface,
    unpack_optional,
    version_of,
)
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPAddress, IPInterface
    from dari.netlink.conversation import Conversation

_IFADDR = Struct("=BBBBi")


class Address(Record):
    """An address as the kernel describes it.

    Attributes:
        index: the link that holds it.
        interface: address and prefix length.
        scope: RT_SCOPE_*: 0 universe, 253 link, 254 host.
        flags: IFA_F_*.
        label: IPv4 only: the link's name, or it with ``:something``.
        peer: the other end's address where it is not the same, or None.
        broadcast: IPv4 only, or None.
        netns_id: of the namespace that was asked for; -1: the socket's own.
    """

    index: int
    interface: IPInterface
    scope: int = 0
    flags: int = 0
    label: str = ""
    peer: IPAddress | None = None
    broadcast: IPAddress | None = None
    netns_id: int = -1

    @property
    def tentative(self) -> bool:
        """Whether DAD is under way, and the address not yet in use."""
        return bool(self.flags & c.IFA_F_TENTATIVE)

    @property
    def duplicate(self) -> bool:
        """Whether DAD found another that holds it."""
        return bool(self.flags & c.IFA_F_DADFAILED)


def add_address(
    index: int, interface: IPInterface, *, dad: bool = False, prefix_route: bool = True
) -> Request:
    """Add an address to a link.

    Equivalent to: `ip address add INTERFACE broadcast + dev LINK nodad noprefixroute`.

    Args:
        index: the link's.
        interface: address and prefix length.
        dad: whether IPv6 looks for others that hold the address before it is
            used, which takes a second or more.
        prefix_route: whether the kernel makes a route to the address's network.
    """
    broadcast = b""
    if interface.version == 4 and interface.network.prefixlen < 31:
        broadcast = attribute(c.IFA_BROADCAST, interface.network.broadcast_address.packed)
    flags = c.IFA_F_NODAD if interface.version == 6 and not dad else 0
    flags |= 0 if prefix_route else c.IFA_F_NOPREFIXROUTE
    return Request(
        kind=c.RTM_NEWADDR,
        flags=c.NLM_F_CREATE | c.NLM_F_EXCL,
        body=_identity(index, interface) + broadcast + (u32(c.IFA_FLAGS, flags) if flags else b""),
        doing=f"add address {interface} to link {index}",
    )


def delete_address(index: int, interface: IPInterface) -> Request:
    """Take an address from a link.

    Equivalent to: `ip address delete INTERFACE dev LINK`.
    """
    return Request(
        kind=c.RTM_DELADDR,
        flags=0,
        body=_identity(index, interface),
        doing=f"delete address {interface} from link {index}",
    )


def list_addresses(
    sock: Conversation, *, index: int = 0, netns_id: int = -1, settled: bool = True
) -> list[Address]:
    """All addresses of both families, or those of one link.

    Equivalent to: `ip address show dev LINK`.

    Args:
        index: the link's; 0: of all.
        netns_id: the number that this namespace knows another by, to be asked for its
            addresses (Linux 5.0 and newer; older ones tell none); -1: this one's own.
        settled: see `list_links`.
    """
    other = u32(c.IFA_TARGET_NETNSID, netns_id) if netns_id >= 0 else b""
    request = Request(
        kind=c.RTM_GETADDR,
        flags=0,
        body=pack(_IFADDR, c.AF_UNSPEC, 0, 0, 0, index) + other,
        doing="list addresses",
    )
    told = sock.dump(request, settled=settled)
    bodies = [body for body in told if body[:1] and body[0] in VERSION]
    # Checked again here: kernels without the strict check filter nothing.
    return [
        found
        for found in map(parse_address, bodies)
        if index in (0, found.index) and found.netns_id == netns_id
    ]


def list_groups(sock: Conversation, *, index: int) -> list[IPAddress]:
    """The IPv6 multicast groups that a link is in.

    Equivalent to: `ip -6 maddress show dev LINK`.

    Args:
        index: the link's.
    """
    request = Request(
        kind=c.RTM_GETMULTICAST,
        flags=0,
        body=pack(_IFADDR, c.AF_INET6, 0, 0, 0, index),
        doing=f"list multicast groups of link {index}",
    )
    # Checked again here: kernels without the strict check filter nothing.
    bodies = [body for body in sock.dump(request) if unpack(_IFADDR, body, "group")[4] == index]
    return [
        unpack_address(parse_attributes(body[_IFADDR.size :]).get(c.IFA_MULTICAST, b""))
        for body in bodies
    ]


def parse_address(body: bytes) -> Address:
    """Read the body of RTM_NEWADDR or RTM_DELADDR.

    Raises:
        Undecodable: it is none, or of another family than IPv4 and IPv6.
    """
    family, length, flags, scope, index = unpack(_IFADDR, body, "address")
    version_of(family, "an address")
    found = parse_attributes(body[_IFADDR.size :])
    other = found.get(c.IFA_ADDRESS, b"")
    own = found.get(c.IFA_LOCAL, other)
    return Address(
        index=index,
        interface=unpack_interface(own, length),
        scope=scope,
        flags=found.u32(c.IFA_FLAGS, flags),
        label=found.text(c.IFA_LABEL),
        peer=unpack_address(other) if other != own else None,
        broadcast=unpack_optional(found.get(c.IFA_BROADCAST)),
        netns_id=found.s32(c.IFA_TARGET_NETNSID, -1),
    )


def _identity(index: int, interface: IPInterface) -> bytes:
    packed = interface.ip.packed
    return (
        pack(_IFADDR, FAMILY[interface.version], interface.network.prefixlen, 0, 0, index)
        + attribute(c.IFA_LOCAL, packed)
        + attribute(c.IFA_ADDRESS, packed)
    )

"""Vxlan devices: an Ethernet of one's own inside UDP packets.

Source: RFC 7348; linux/if_link.h; drivers/net/vxlan/vxlan_core.c for what may be
changed of a device that exists: its own address, and learning, but never its
VNI, port or family.
May import: record, model, codec, constants, family, link, and conversation for
its type.
"""

from __future__ import annotations

from struct import Struct

from dari.netlink import constants as c
from dari.netlink.codec import (
    Attributes,
    Request,
    attribute,
    be16,
    mac,
    nested,
    pack,
    parse_attributes,
    text,
    u8,
    u32,
)
from dari.netlink.family import unpack_address
from dari.netlink.link import Link, parse_link
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPAddress
    from dari.netlink.conversation import Conversation

# linux/if_link.h, after IFLA_VXLAN_UNSPEC
_ID, _LINK, _LOCAL, _LEARNING = 1, 3, 4, 7
_PROXY, _L2MISS, _L3MISS, _PORT = 11, 13, 14, 15
_LOCAL6, _GBP, _COLLECT_METADATA = 17, 23, 25

_IFINFO = Struct("=BxHiII")
# Ethernet, IP, UDP and vxlan headers around each packet, in bytes: RFC 7348, section 5.
OVERHEAD = {4: 50, 6: 70}


class Vxlan(Record):
    """What is particular to a vxlan device; the rest is its link's.

    Attributes:
        vni: the network's number, 24 bits.
        port: UDP port that packets are sent to and received at.
        local: the sender's address; None: the kernel chooses.
        device: index of the link that packets have to leave by; 0: by the route.
        learning: does it learn MACs from the packets that it receives?
        special: of a mode in which our entries would not be used (proxy, misses
            reported, group policy, metadata).
    """

    link: Link
    vni: int
    port: int
    local: IPAddress | None = None
    device: int = 0
    learning: bool = False
    special: bool = False


def add_vxlan(
    name: str, *, vni: int, port: int, local: IPAddress, mac: str = "", mtu: int = 0
) -> Request:
    """Make a vxlan device that learns nothing: whom it sends to is told it.

    Equivalent to: `ip link add NAME address MAC mtu MTU type vxlan id VNI dstport
    PORT local LOCAL nolearning`.

    Args:
        local: the sender's address; its family is the underlay's.
        mac: ``aa:bb:cc:dd:ee:ff``; empty leaves the choice to the kernel.
        mtu: bytes; 0 leaves it to the kernel.
    """
    return Request(
        kind=c.RTM_NEWLINK,
        flags=c.NLM_F_CREATE | c.NLM_F_EXCL,
        body=pack(_IFINFO, 0, 0, 0, 0, 0)
        + text(c.IFLA_IFNAME, name)
        + _mac(mac)
        + (u32(c.IFLA_MTU, mtu) if mtu else b"")
        + _info(u32(_ID, vni), be16(_PORT, port), u8(_LEARNING, 0), _from(local)),
        doing=f"add vxlan {name}",
    )


def change_vxlan(index: int, *, local: IPAddress) -> Request:
    """Have a device send from another address of the same family, and learn nothing.

    Equivalent to: `ip link set NAME type vxlan local LOCAL nolearning`.
    """
    return Request(
        kind=c.RTM_NEWLINK,
        flags=0,
        body=pack(_IFINFO, 0, 0, index, 0, 0) + _info(u8(_LEARNING, 0), _from(local)),
        doing=f"change vxlan {index}",
    )


def get_vxlan(sock: Conversation, name: str) -> Vxlan | None:
    """The vxlan device of this name; None where there is none, or another kind of link.

    Equivalent to: `ip -details link show dev NAME`.
    """
    return next((each for each in list_vxlans(sock) if each.link.name == name), None)


def list_vxlans(sock: Conversation) -> list[Vxlan]:
    """All vxlan devices.

    Equivalent to: `ip -details link show type vxlan`.
    """
    request = Request(
        kind=c.RTM_GETLINK,
        flags=0,
        body=pack(_IFINFO, 0, 0, 0, 0, 0)
        + u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_SKIP_STATS)
        + nested(c.IFLA_LINKINFO, text(c.IFLA_INFO_KIND, "vxlan")),
        doing="list vxlan devices",
    )
    found = map(parse_vxlan, sock.dump(request))
    return [each for each in found if each is not None]


def parse_vxlan(body: bytes) -> Vxlan | None:
    """Read the body of RTM_NEWLINK; None for a link of another kind.

    Raises:
        Undecodable: it is none.
    """
    link = parse_link(body)
    if link.kind != "vxlan":
        return None
    info = parse_attributes(body[_IFINFO.size :]).nested(c.IFLA_LINKINFO)
    data = info.nested(c.IFLA_INFO_DATA)
    return Vxlan(
        link=link,
        vni=data.u32(_ID),
        port=data.be16(_PORT),
        local=_local(data),
        device=data.u32(_LINK),
        learning=bool(data.u8(_LEARNING)),
        special=_is_special(data),
    )


def _local(data: Attributes) -> IPAddress | None:
    packed = data.get(_LOCAL6) or data.get(_LOCAL)
    found = unpack_address(packed) if packed else None
    return None if found is None or found.is_unspecified else found


def _is_special(data: Attributes) -> bool:
    switches = (_PROXY, _L2MISS, _L3MISS, _COLLECT_METADATA)
    return any(data.u8(kind) for kind in switches) or _GBP in data


def _from(local: IPAddress) -> bytes:
    return attribute(_LOCAL if local.version == 4 else _LOCAL6, local.packed)


def _info(*settings: bytes) -> bytes:
    data = nested(c.IFLA_INFO_DATA, *settings)
    return nested(c.IFLA_LINKINFO, text(c.IFLA_INFO_KIND, "vxlan"), data)


def _mac(address: str) -> bytes:
    return mac(c.IFLA_ADDRESS, address) if address else b""

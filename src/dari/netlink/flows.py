"""The kernel's table of connections, read for people: every entry with both of its directions.

`conntrack` has what a pod's start and end need of the same table.

Source: linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h, nf_conntrack_tcp.h.
May import: errors, record, model, codec, conntrack, and conversation for its type.
"""

from __future__ import annotations

from dari.errors import Undecodable
from dari.netlink.codec import Attributes, Request, parse_attributes
from dari.netlink.family import unpack_address
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPAddress
    from dari.netlink.conversation import Conversation

SEEN_REPLY, ASSURED = 1 << 1, 1 << 2  # IPS_SEEN_REPLY, IPS_ASSURED
NO_STATE = -1
_GET = 1 << 8 | 1  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
_HEADER_SIZE = 4  # struct nfgenmsg
_ANY_FAMILY = bytes(_HEADER_SIZE)
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_STATUS, _CTA_PROTOINFO, _CTA_TIMEOUT = 1, 2, 3, 4, 7
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO = 1, 2
_CTA_IP_V4_SRC, _CTA_IP_V4_DST, _CTA_IP_V6_SRC, _CTA_IP_V6_DST = 1, 2, 3, 4
_CTA_PROTO_NUM, _CTA_PROTO_SRC_PORT, _CTA_PROTO_DST_PORT = 1, 2, 3
_CTA_PROTOINFO_TCP, _CTA_PROTOINFO_TCP_STATE = 1, 1


class Direction(Record):
    """From whom to whom packets go; ports are 0 for protocols that have none."""

    src: IPAddress
    dst: IPAddress
    src_port: int = 0
    dst_port: int = 0


class Tracked(Record):
    """One connection that the kernel tracks.

    Attributes:
        protocol: of IP: 6 for TCP.
        there: of the packet that began it, before any translation.
        back: of the answers as the kernel awaits them; where that is not `there` turned
            round, addresses are translated.
        status: IPS_* bits.
        tcp_state: TCP_CONNTRACK_*; `NO_STATE` for other protocols.
        seconds: until it is forgotten if no packet comes.
    """

    protocol: int
    there: Direction
    back: Direction
    status: int = 0
    tcp_state: int = NO_STATE
    seconds: int = 0


def list_tracked(sock: Conversation, most: int = 0) -> list[Tracked]:
    """Connections of both families, in the kernel's order, which means nothing.

    Equivalent to: ``conntrack -L``.

    Args:
        sock: a socket of protocol NETLINK_NETFILTER, for this one question where `most`
            is given: what is due beyond that is left unread.
        most: to read no more than so many; 0: all.

    Raises:
        KernelRefused: the kernel has no such table, or forbids reading it.
        Undecodable: what it tells is no connection.
    """
    request = Request(kind=_GET, flags=0, body=_ANY_FAMILY, doing="list connections")
    return [parse_tracked(each) for each in sock.sample(request, most)]


def parse_tracked(body: bytes) -> Tracked:
    """Read the body of IPCTNL_MSG_CT_NEW.

    Raises:
        Undecodable: it is none.
    """
    found = parse_attributes(body[_HEADER_SIZE:])
    first = found.nested(_CTA_TUPLE_ORIG)
    tcp = found.nested(_CTA_PROTOINFO).nested(_CTA_PROTOINFO_TCP)
    known = _CTA_PROTOINFO_TCP_STATE in tcp
    return Tracked(
        protocol=first.nested(_CTA_TUPLE_PROTO).u8(_CTA_PROTO_NUM),
        there=_direction(first),
        back=_direction(found.nested(_CTA_TUPLE_REPLY)),
        status=found.be32(_CTA_STATUS),
        tcp_state=tcp.u8(_CTA_PROTOINFO_TCP_STATE) if known else NO_STATE,
        seconds=found.be32(_CTA_TIMEOUT),
    )


def _direction(one: Attributes) -> Direction:
    ends, ports = one.nested(_CTA_TUPLE_IP), one.nested(_CTA_TUPLE_PROTO)
    return Direction(
        src=_address(ends, _CTA_IP_V4_SRC, _CTA_IP_V6_SRC),
        dst=_address(ends, _CTA_IP_V4_DST, _CTA_IP_V6_DST),
        src_port=ports.be16(_CTA_PROTO_SRC_PORT),
        dst_port=ports.be16(_CTA_PROTO_DST_PORT),
    )


def _address(ends: Attributes, *kinds: int) -> IPAddress:
    for kind in kinds:
        if kind in ends:
            return unpack_address(ends[kind])
    raise Undecodable("netlink: a connection without an address")

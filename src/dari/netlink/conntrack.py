"""The kernel's table of connections, as far as host ports need it: finding and forgetting.

A UDP "connection" lives on as long as packets come, and keeps leading them to where
it once was translated to; a pod that ended must not go on getting them.

Source: linux/netfilter/nfnetlink_conntrack.h; net/netfilter/nf_conntrack_netlink.c.
May import: errors, record, model, codec, constants, family, and conversation for its type.
"""

from __future__ import annotations

from struct import Struct

from dari.errors import NotFound, Undecodable
from dari.netlink.codec import (
    Attributes,
    Request,
    attribute,
    be16,
    nested,
    parse_attributes,
    u8,
    u32,
)
from dari.netlink.family import FAMILY, unpack_address
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dari.model import IPAddress
    from dari.netlink.conversation import Conversation

UDP = 17
_SUBSYSTEM = 1 << 8  # NFNL_SUBSYS_CTNETLINK
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_HEADER = Struct("=BBH")  # nfgenmsg: family, version, resource id
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_ID, _CTA_ZONE, _CTA_FILTER = 1, 2, 12, 18, 25
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO = 1, 2
_CTA_PROTO_NUM, _CTA_PROTO_SRC_PORT, _CTA_PROTO_DST_PORT = 1, 2, 3
_SOURCE = {4: 1, 6: 3}  # CTA_IP_V4_SRC, CTA_IP_V6_SRC
_DESTINATION = {4: 2, 6: 4}
_CTA_FILTER_ORIG_FLAGS, _CTA_FILTER_REPLY_FLAGS = 1, 2
_BY_PROTOCOL_AND_PORT = 1 << 3 | 1 << 5  # CTA_FILTER_F_CTA_PROTO_NUM, _DST_PORT


class Connection(Record):
    """One tracked connection.

    Attributes:
        protocol: of IP: 17 for UDP.
        dst, dst_port: where its first packet was sent to.
        answerer, answerer_port: who answers, which is where it was translated to.
        key: what names it to the kernel.
    """

    protocol: int
    dst: IPAddress
    dst_port: int
    answerer: IPAddress
    answerer_port: int
    key: bytes


def list_connections(
    sock: Conversation, *, version: int, protocol: int, port: int
) -> list[Connection]:
    """Connections of a protocol whose first packet was sent to a port.

    Equivalent to: ``conntrack -L -f FAMILY -p PROTOCOL --orig-port-dst PORT``.

    Args:
        sock: a socket of protocol NETLINK_NETFILTER.
        version: of IP.
        protocol: of IP.
        port: the one before any translation.
    """
    wanted = nested(_CTA_TUPLE_PROTO, u8(_CTA_PROTO_NUM, protocol), be16(_CTA_PROTO_DST_PORT, port))
    chosen = u32(_CTA_FILTER_ORIG_FLAGS, _BY_PROTOCOL_AND_PORT) + u32(_CTA_FILTER_REPLY_FLAGS, 0)
    body = _HEADER.pack(FAMILY[version], 0, 0)
    body += nested(_CTA_TUPLE_ORIG, wanted) + nested(_CTA_FILTER, chosen)
    request = Request(kind=_GET, flags=0, body=body, doing="list connections")
    found = [parse_connection(each) for each in sock.dump(request)]
    # Checked again here: kernels before 5.8 filter nothing.
    return [each for each in found if (each.protocol, each.dst_port) == (protocol, port)]


def forget_connections(sock: Conversation, connections: Sequence[Connection]) -> None:
    """Forget connections; those that are gone already do not matter.

    Equivalent to: ``conntrack -D`` for each.

    Raises:
        KernelRefused: the kernel says no.
    """
    for each in connections:
        header = _HEADER.pack(FAMILY[each.dst.version], 0, 0)
        request = Request(
            kind=_DELETE,
            flags=0,
            body=header + each.key,
            doing=f"forget {each.dst}:{each.dst_port}",
        )
        try:
            sock.transact([request])
        except NotFound:
            continue


def parse_connection(body: bytes) -> Connection:
    """Read the body of IPCTNL_MSG_CT_NEW.

    Raises:
        Undecodable: it is none.
    """
    found = parse_attributes(body[_HEADER.size :])
    first, answer = found.nested(_CTA_TUPLE_ORIG), found.nested(_CTA_TUPLE_REPLY)
    ports, answer_ports = first.nested(_CTA_TUPLE_PROTO), answer.nested(_CTA_TUPLE_PROTO)
    kept = (_CTA_TUPLE_ORIG, _CTA_ID, _CTA_ZONE)
    return Connection(
        protocol=ports.u8(_CTA_PROTO_NUM),
        dst=_address(first, _DESTINATION),
        dst_port=ports.be16(_CTA_PROTO_DST_PORT),
        answerer=_address(answer, _SOURCE),
        answerer_port=answer_ports.be16(_CTA_PROTO_SRC_PORT),
        key=b"".join(_again(kind, found[kind]) for kind in kept if kind in found),
    )


def _address(tuple_: Attributes, kinds: dict[int, int]) -> IPAddress:
    ends = tuple_.nested(_CTA_TUPLE_IP)
    for kind in kinds.values():
        if kind in ends:
            return unpack_address(ends[kind])
    raise Undecodable("netlink: a connection without an address")


def _again(kind: int, payload: bytes) -> bytes:
    """An attribute as it came; the kernel wants the flag of nesting back."""
    return nested(kind, payload) if kind == _CTA_TUPLE_ORIG else attribute(kind, payload)

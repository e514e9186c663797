"""Routes, of one next hop or several.

Source: linux/rtnetlink.h; net/ipv4/fib_frontend.c and net/ipv6/route.c for what
each family takes.
May import: errors, record, model, codec, constants, family, and conversation for its type.
"""

from __future__ import annotations

from struct import Struct

from dari.errors import NotFound, Undecodable
from dari.netlink import constants as c
from dari.netlink.codec import (
    Attributes,
    Request,
    attribute,
    nested,
    pack,
    parse_attributes,
    u32,
    unpack,
)
from dari.netlink.family import (
    FAMILY,
    VERSION,
    unpack_address,
    unpack_network,
    unpack_optional,
    version_of,
)
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork
    from dari.netlink.conversation import Conversation

_RTMSG = Struct("=BBBBBBBBI")
_NEXT_HOP = Struct("=HBBi")
_FAMILY = Struct("=H")
# rtm_table has one byte; a larger number goes into RTA_TABLE.
_SMALL_TABLE = 256


class NextHop(Record):
    """One of several ways of a route; `weight` is its share, from 1."""

    gateway: IPAddress | None = None
    device: int = 0
    weight: int = 1
    onlink: bool = False


class KernelRoute(Record):
    """A route as the kernel holds it; 0 or None: not given.

    Attributes:
        dst: where to; the default route is 0.0.0.0/0 or ::/0.
        gateway: next hop; for IPv4 it may be an IPv6 address.
        device: index of the link to leave by.
        protocol: who made it, RTPROT_*: 2 kernel, 3 boot, 4 static.
        table: 254 is main, 255 local.
        metric: the lower wins. IPv6 makes 1024 of 0.
        scope: RT_SCOPE_*; None: what `ip route` would choose. IPv6 has none.
        kind: RTN_*: 1 unicast, 2 local, 6 blackhole, 7 unreachable.
        mtu, advmss: bytes.
        source: address to prefer as the sender's.
        onlink: the gateway is reached by `device`, whatever other routes say.
        hops: the ways, where there are several; then `gateway` and `device`
            are empty.
    """

    dst: IPNetwork
    gateway: IPAddress | None = None
    device: int = 0
    protocol: int = c.RTPROT_BOOT
    table: int = c.RT_TABLE_MAIN
    metric: int = 0
    scope: int | None = None
    kind: int = c.RTN_UNICAST
    mtu: int = 0
    advmss: int = 0
    source: IPAddress | None = None
    onlink: bool = False
    hops: tuple[NextHop, ...] = ()


def add_route(route: KernelRoute) -> Request:
    """Add a route; `AlreadyExists` if there is one to `dst` of the same metric.

    Equivalent to: `ip route add DST via GATEWAY dev DEVICE proto PROTOCOL ...`.
    """
    return Request(
        kind=c.RTM_NEWROUTE,
        flags=c.NLM_F_CREATE | c.NLM_F_EXCL,
        body=_encode(route, _scope(route)),
        doing=f"add {_called(route)}",
    )


def replace_route(route: KernelRoute) -> Request:
    """Add a route, or put it in the place of the one to `dst` of the same metric.

    Equivalent to: `ip route replace DST via GATEWAY dev DEVICE proto PROTOCOL ...`.
    """
    return Request(
        kind=c.RTM_NEWROUTE,
        flags=c.NLM_F_CREATE | c.NLM_F_REPLACE,
        body=_encode(route, _scope(route)),
        doing=f"replace {_called(route)}",
    )


def delete_route(route: KernelRoute) -> Request:
    """Delete the first route that has all that is given, `protocol` included.

    So another's route to the same place stays. Protocol 0 matches any.

    Equivalent to: `ip route delete DST via GATEWAY dev DEVICE proto PROTOCOL ...`.
    """
    scope = c.RT_SCOPE_NOWHERE if route.scope is None else route.scope
    return Request(
        kind=c.RTM_DELROUTE, flags=0, body=_encode(route, scope), doing=f"delete {_called(route)}"
    )


def list_routes(
    sock: Conversation,
    *,
    table: int | None = c.RT_TABLE_MAIN,
    protocol: int | None = None,
    version: int | None = None,
) -> list[KernelRoute]:
    """Routes of a table, of a protocol, of an IP version; None: of all.

    Equivalent to: `ip route show table TABLE proto PROTOCOL`, of both families.
    """
    request = Request(
        kind=c.RTM_GETROUTE,
        flags=0,
        body=_filter(table or 0, protocol or 0, FAMILY.get(version or 0, c.AF_UNSPEC)),
        doing="list routes",
    )
    try:
        bodies = sock.dump(request)
    except NotFound:  # the table has never held a route
        return []
    # Checked again here: kernels without the strict check filter nothing.
    return [
        route
        for route in map(parse_route, filter(_is_plain, bodies))
        if table in (None, route.table)
        and protocol in (None, route.protocol)
        and version in (None, route.dst.version)
    ]


def find_route(sock: Conversation, address: IPAddress) -> KernelRoute:
    """The route that a packet from this node to an address takes.

    Equivalent to: `ip route get ADDRESS`.

    Raises:
        KernelRefused: there is none (ENETUNREACH).
    """
    length = address.max_prefixlen
    header = pack(_RTMSG, FAMILY[address.version], length, 0, 0, 0, 0, 0, 0, 0)
    body = header + attribute(c.RTA_DST, address.packed)
    doing = f"get route to {address}"
    return parse_route(sock.ask(Request(kind=c.RTM_GETROUTE, flags=0, body=body, doing=doing)))


def parse_route(body: bytes) -> KernelRoute:
    """Read the body of RTM_NEWROUTE or RTM_DELROUTE.

    Raises:
        Undecodable: it is none, or of another family than IPv4 and IPv6.
    """
    family, length, _, _, table, protocol, scope, kind, flags = unpack(_RTMSG, body, "route")
    found = parse_attributes(body[_RTMSG.size :])
    metrics = found.nested(c.RTA_METRICS)
    return KernelRoute(
        dst=unpack_network(found.get(c.RTA_DST), length, version_of(family, "a route")),
        gateway=_gateway(found),
        device=found.u32(c.RTA_OIF),
        protocol=protocol,
        table=found.u32(c.RTA_TABLE, table),
        metric=found.u32(c.RTA_PRIORITY),
        scope=scope,
        kind=kind,
        mtu=metrics.u32(c.RTAX_MTU),
        advmss=metrics.u32(c.RTAX_ADVMSS),
        source=unpack_optional(found.get(c.RTA_PREFSRC)),
        onlink=bool(flags & c.RTNH_F_ONLINK),
        hops=_hops(found.get(c.RTA_MULTIPATH, b"")),
    )


def _is_plain(body: bytes) -> bool:
    """Whether it is of IPv4 or IPv6 and no cached copy of another route."""
    family, *_, flags = unpack(_RTMSG, body, "route")
    return family in VERSION and not flags & c.RTM_F_CLONED


def _filter(table: int, protocol: int, family: int) -> bytes:
    small = table if table < _SMALL_TABLE else c.RT_TABLE_UNSPEC
    header = pack(_RTMSG, family, 0, 0, 0, small, protocol, 0, 0, 0)
    return header + (u32(c.RTA_TABLE, table) if table else b"")


def _encode(route: KernelRoute, scope: int) -> bytes:
    small = route.table if route.table < _SMALL_TABLE else c.RT_TABLE_UNSPEC
    header = pack(
        _RTMSG,
        *(FAMILY[route.dst.version], route.dst.prefixlen, 0, 0),
        *(small, route.protocol, scope, route.kind),
        _onlink(route.onlink),
    )
    return (
        header
        + attribute(c.RTA_DST, route.dst.network_address.packed)
        + _encode_gateway(route.gateway, route.dst.version)
        + _number(c.RTA_OIF, route.device)
        + _number(c.RTA_PRIORITY, route.metric)
        + _number(c.RTA_TABLE, route.table)
        + (attribute(c.RTA_PREFSRC, route.source.packed) if route.source else b"")
        + _encode_metrics(route)
        + _encode_hops(route)
    )


def _encode_gateway(gateway: IPAddress | None, version: int) -> bytes:
    if gateway is None:
        return b""
    if gateway.version == version:
        return attribute(c.RTA_GATEWAY, gateway.packed)
    return attribute(c.RTA_VIA, pack(_FAMILY, FAMILY[gateway.version]) + gateway.packed)


def _encode_metrics(route: KernelRoute) -> bytes:
    metrics = _number(c.RTAX_MTU, route.mtu) + _number(c.RTAX_ADVMSS, route.advmss)
    return nested(c.RTA_METRICS, metrics) if metrics else b""


def _encode_hops(route: KernelRoute) -> bytes:
    encoded = b""
    for hop in route.hops:
        gateway = _encode_gateway(hop.gateway, route.dst.version)
        size = _NEXT_HOP.size + len(gateway)
        encoded += pack(_NEXT_HOP, size, _onlink(hop.onlink), hop.weight - 1, hop.device) + gateway
    return attribute(c.RTA_MULTIPATH, encoded) if encoded else b""


def _number(kind: int, value: int) -> bytes:
    return u32(kind, value) if value else b""


def _onlink(onlink: bool) -> int:
    return c.RTNH_F_ONLINK if onlink else 0


def _scope(route: KernelRoute) -> int:
    """What `ip route` chooses: as far as the next hop is away."""
    if route.scope is not None:
        return route.scope
    if route.kind == c.RTN_LOCAL:
        return c.RT_SCOPE_HOST
    direct = route.kind == c.RTN_UNICAST and not route.gateway and not route.hops
    return c.RT_SCOPE_LINK if direct and route.dst.version == 4 else c.RT_SCOPE_UNIVERSE


def _gateway(found: Attributes) -> IPAddress | None:
    via = found.get(c.RTA_VIA)
    if via is not None:
        return unpack_address(via[_FAMILY.size :])
    return unpack_optional(found.get(c.RTA_GATEWAY))


def _hops(buffer: bytes) -> tuple[NextHop, ...]:
    hops = []
    while buffer:
        size, flags, weight, device = unpack(_NEXT_HOP, buffer, "next hop")
        if not _NEXT_HOP.size <= size <= len(buffer):
            raise Undecodable(f"netlink: a next hop of {size} bytes in {len(buffer)}")
        hops.append(
            NextHop(
                gateway=_gateway(parse_attributes(buffer[_NEXT_HOP.size : size])),
                device=device,
                weight=weight + 1,
                onlink=bool(flags & c.RTNH_F_ONLINK),
            )
        )
        buffer = buffer[(size + 3) & ~3 :]
    return tuple(hops)


def _called(route: KernelRoute) -> str:
    way = f" via {route.gateway}" if route.gateway else ""
    return f"route to {route.dst}{way}"

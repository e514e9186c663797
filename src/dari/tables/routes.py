"""The table that `route` shows, for both families.

May import: causes, routing, tables.facts, tables.index, netlink's records and constants.
"""

from __future__ import annotations

from dari.causes.paths import ROUTE_MISSING, ROUTE_REFUSES, ROUTE_SHADOWED, ROUTE_WRONG
from dari.language import N_
from dari.netlink.constants import (
    RT_TABLE_MAIN,
    RTN_BLACKHOLE,
    RTN_PROHIBIT,
    RTN_UNICAST,
    RTN_UNREACHABLE,
    RTPROT_BOOT,
    RTPROT_KERNEL,
    RTPROT_STATIC,
)
from dari.netlink.route import KernelRoute
from dari.routing.way import RTPROT_DARI
from dari.tables.facts import Facts
from dari.tables.index import Index
from dari.tables.messages import _
from dari.tables.table import Row, Table

PURPOSE = N_(
    "where a packet goes next; of all rows that fit its destination, the longest prefix wins"
)

_AUTHORS = {
    RTPROT_KERNEL: "kernel",
    RTPROT_BOOT: "by hand",
    RTPROT_STATIC: "static",
    9: "router",  # RTPROT_RA: it advertised itself
    16: "dhcp",
    12: "bird",
    186: "bgp",
    RTPROT_DARI: "dari",
}
_REFUSALS = {
    RTN_BLACKHOLE: N_("dropped without a word"),
    RTN_UNREACHABLE: N_("refused, and the sender is told that it is unreachable"),
    RTN_PROHIBIT: N_("refused, and the sender is told that it is forbidden"),
}


def routes(facts: Facts) -> Table:
    """One row for each route of the main table: defaults first, then by destination."""
    index = Index(facts)
    ordered = sorted(facts.routes, key=_order)
    return Table(
        name="route",
        purpose=_(PURPOSE),
        columns=("DESTINATION", "VIA", "LINK", "MADE BY"),
        rows=(*(_row(facts, index, one) for one in ordered), *_missing(facts, index)),
    )


def _order(one: KernelRoute) -> tuple[int, bool, int, bool, int]:
    own_table = one.table != RT_TABLE_MAIN
    number = int(one.dst.network_address)
    return one.dst.version, own_table, one.table if own_table else 0, one.dst.prefixlen > 0, number


def _missing(facts: Facts, index: Index) -> list[Row]:
    """Ranges of peers that the records ask for a route to, and there is none."""
    if not facts.is_node:
        return []
    have = {one.dst for one in facts.main}
    wanted = [(one.dst, str(one.gateway)) for one in facts.expected.plan.routes]
    wanted += [(one.network, one.tunnel) for one in facts.expected.plan.remotes]
    found = []
    for dst, way in wanted:
        if dst not in have:
            node = index.node_of_range(dst)
            why = _("the pods of {node}: there is no such route").format(
                node=node.name if node else "-"
            )
            row = Row(cells=(str(dst), way, "-", "missing"), why=why, code=ROUTE_MISSING.code)
            found.append(row)
    return found


def _code(facts: Facts, one: KernelRoute) -> str:
    """The cause where a route contradicts the records."""
    if not facts.is_node or one.table != RT_TABLE_MAIN:
        return ""
    way = facts.expected.way(one.dst.network_address)
    if way is None or one.dst.prefixlen < way.route.dst.prefixlen:
        return ""
    if one.kind in _REFUSALS:
        return ROUTE_REFUSES.code
    if one.dst != way.route.dst:
        return ROUTE_SHADOWED.code
    return "" if one.gateway == way.route.gateway else ROUTE_WRONG.code


def _row(facts: Facts, index: Index, one: KernelRoute) -> Row:
    cells = (
        "default" if one.dst.prefixlen == 0 else str(one.dst),
        ", ".join(str(hop.gateway) for hop in one.hops) or str(one.gateway or "-"),
        index.link(one.device).name if one.kind == RTN_UNICAST else "-",
        _AUTHORS.get(one.protocol, str(one.protocol)),
    )
    why = explain(index, one)
    if one.table != RT_TABLE_MAIN:
        why = _("only where a rule leads to table {table}: {why}").format(table=one.table, why=why)
    return Row(cells=cells, why=why, code=_code(facts, one))


def explain(index: Index, one: KernelRoute) -> str:
    """What a route is for, in one line."""
    what = _destination(index, one)
    if one.kind in _REFUSALS:
        return f"{what}: {_(_REFUSALS[one.kind])}"
    if one.hops:
        return _("{what}: shared among {number} next hops").format(what=what, number=len(one.hops))
    if one.gateway is not None:
        return _("{what}: by way of {hop}").format(what=what, hop=_next_hop(index, one))
    if one.dst.is_link_local:
        return _("link-local addresses: talk between direct neighbours on {link}").format(
            link=_link(index, one)
        )
    if index.link(one.device).kind == "bridge":
        return _("{what}: on the bridge {link}, no next hop needed").format(
            what=what, link=_link(index, one)
        )
    text = _("{what}: directly on {link}, no next hop needed").format(
        what=what, link=_link(index, one)
    )
    return text + _(", from {address}").format(address=one.source) if one.source else text


def _destination(index: Index, one: KernelRoute) -> str:
    if one.dst.prefixlen == 0:
        return _("everything that no other row fits")
    node = index.node_of_range(one.dst)
    if node is not None:
        if index.is_own(node):
            return _("this node's own pods")
        return _("the pods of {node}").format(node=node.name)
    if one.protocol == RTPROT_DARI:
        return _("pods of another node")
    if one.gateway is None and index.link(one.device).kind == "bridge":
        return _("this node's own pods")
    if one.dst.prefixlen == one.dst.max_prefixlen:
        return index.called(one.dst.network_address) or _("one address")
    return _("addresses of this network")


def _next_hop(index: Index, one: KernelRoute) -> str:
    assert one.gateway is not None  # asked for only where there is one
    node = index.node_of(one.gateway)
    if node is not None and node is index.node_of_range(one.dst):
        return _("its own address, {address}").format(address=one.gateway)
    return index.with_name(one.gateway)


def _link(index: Index, one: KernelRoute) -> str:
    return index.link(one.device).name

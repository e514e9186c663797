"""Chooses a route as the kernel does: policy rules, then the longest prefix. Pure.

Source: net/core/fib_rules.c, net/ipv4/fib_rules.c and fib_trie.c, net/ipv6/route.c.
May import: model, record, netlink's records and constants, snapshot.model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING

from dari.netlink.constants import (
    FR_ACT_TO_TBL,
    RTN_BLACKHOLE,
    RTN_LOCAL,
    RTN_PROHIBIT,
    RTN_UNICAST,
    RTN_UNREACHABLE,
)
from dari.netlink.link import Link
from dari.netlink.route import KernelRoute, NextHop
from dari.netlink.rule import Rule
from dari.record import Record
from dari.snapshot.model import Place

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork

RTN_ANYCAST, RTN_THROW = 4, 9
HERE = (RTN_LOCAL, RTN_ANYCAST)
"""Kinds of routes that deliver: IPv6 takes an anycast address as one of its own."""
FR_ACT_GOTO, FR_ACT_NOP = 2, 3
LOOPBACK = "lo"
_REFUSALS = (RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT)
_EMPTY: tuple[KernelRoute, ...] = ()


class Question(Record):
    """A packet that looks for a way.

    Attributes:
        src: None: the sender has not chosen yet.
        incoming: name of the link that it came in by; `LOOPBACK`: made here.
        outgoing: name of the link that the sender is bound to; empty: none.
        mark: the packet's firewall mark.
    """

    dst: IPAddress
    src: IPAddress | None = None
    incoming: str = LOOPBACK
    outgoing: str = ""
    mark: int = 0


class Choice(Record):
    """What the kernel takes.

    Attributes:
        rule: the policy rule that led to it.
        route: None where the rule itself refuses.
        hop: next hop and device; of several, the first that is alive.
        kind: RTN_*: of the route, or of the rule that refuses.
    """

    rule: Rule
    route: KernelRoute | None
    hop: NextHop
    kind: int


class Tables:
    """One place's routes and rules, arranged to be asked."""

    def __init__(self, place: Place) -> None:
        self._links = {link.index: link for link in place.links}
        self._rules = place.rules
        self._sysctls = place.sysctls
        self._tables: dict[int, dict[IPNetwork, list[KernelRoute]]] = {}
        self._lengths: dict[tuple[int, int], list[int]] = {}
        self._fill(place)

    def _fill(self, place: Place) -> None:
        lengths: dict[tuple[int, int], set[int]] = defaultdict(set)
        for route in place.routes:
            table = self._tables.setdefault(route.table, defaultdict(list))
            table[route.dst].append(route)
            lengths[route.table, route.dst.version].add(route.dst.prefixlen)
        for table in self._tables.values():
            for listed in table.values():
                listed.sort(key=lambda route: route.metric)
        self._lengths = {key: sorted(found, reverse=True) for key, found in lengths.items()}

    def choose(self, question: Question) -> Choice | None:
        """The route for a packet; None where there is none.

        Equivalent to: ``ip route get DST from SRC iif INCOMING oif OUTGOING mark MARK``.
        """
        for rule in self._rules:
            if rule.version != question.dst.version or not _matches(rule, question):
                continue
            if rule.action in (FR_ACT_GOTO, FR_ACT_NOP):
                continue
            if rule.action != FR_ACT_TO_TBL:
                return Choice(rule=rule, route=None, hop=NextHop(), kind=rule.action)
            found = self._look(rule, question)
            if found is not None and found.kind != RTN_THROW:
                return found
        return None

    def _look(self, rule: Rule, question: Question) -> Choice | None:
        for route in self.candidates(rule.table, question.dst):
            hop = self._alive(route, question)
            if hop is None:
                continue
            # A route that refuses ends the search before anything is suppressed
            # (net/core/fib_rules.c, fib_rules_lookup).
            if route.kind not in _REFUSALS and route.dst.prefixlen <= rule.suppress_prefixlen:
                return None
            return Choice(rule=rule, route=route, hop=hop, kind=route.kind)
        return None

    def candidates(self, table: int, dst: IPAddress) -> Iterator[KernelRoute]:
        """Routes of a table that fit an address, the best first."""
        routes: Mapping[IPNetwork, list[KernelRoute]] = self._tables.get(table, {})
        for length in self._lengths.get((table, dst.version), ()):
            yield from routes.get(_network(dst, length), _EMPTY)

    def _alive(self, route: KernelRoute, question: Question) -> NextHop | None:
        """The next hop to take; None where none can be."""
        if route.kind != RTN_UNICAST and not route.device and not route.hops:
            return NextHop()
        own = NextHop(gateway=route.gateway, device=route.device, onlink=route.onlink)
        for hop in route.hops or (own,):
            link = self._links.get(hop.device)
            if link is None or not self._usable(link, route):
                continue
            if question.outgoing in ("", link.name) or route.kind != RTN_UNICAST:
                return hop
        return None

    def _usable(self, link: Link, route: KernelRoute) -> bool:
        if route.kind != RTN_UNICAST:
            return True
        if not link.up:
            return False
        if link.carrier:
            return True
        family = f"ipv{route.dst.version}" if route.dst.version == 6 else "ipv4"
        names = (
            f"net/{family}/conf/{one}/ignore_routes_with_linkdown" for one in ("all", link.name)
        )
        return all(self._sysctls.get(name, "0") == "0" for name in names)


def _network(address: IPAddress, length: int) -> IPNetwork:
    return ip_network((address, length), strict=False)


def _matches(rule: Rule, question: Question) -> bool:
    fits = (
        _within(question.dst, rule.dst)
        and _within(question.src, rule.src)
        and rule.incoming in ("", question.incoming)
        and rule.outgoing in ("", question.outgoing)
        and not (rule.mark ^ question.mark) & rule.mask
    )
    return fits != rule.inverted


def _within(address: IPAddress | None, network: IPNetwork | None) -> bool:
    if network is None or network.prefixlen == 0:
        return True
    return address is not None and address in network

"""The kernel's table of connections: what each is for, whose it is, what is rewritten on its way.

May import: causes, netlink.flows, tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dari.causes.settings import CONNTRACK_FULL
from dari.language import N_
from dari.netlink.flows import ASSURED, NO_STATE, SEEN_REPLY, Tracked
from dari.tables.facts import Facts
from dari.tables.index import Index
from dari.tables.legacy import as_ruleset
from dari.tables.messages import _
from dari.tables.ruleset import Ruleset
from dari.tables.table import Line, Row, Table

if TYPE_CHECKING:
    from dari.model import IPAddress

PURPOSE = N_(
    "connections that the kernel remembers, so that answers find back and rewriting is undone"
)
NAME = "conntrack"
COLUMNS = ("PROTOCOL", "FROM", "TO", "REWRITTEN", "STATE", "SECONDS", "WHOSE")
HOST_PORT, SERVICE, MASQUERADE = "host port", "service", "masquerade"
POD, NODE, OTHER = "pod", "node", "other"
_ORDER = (HOST_PORT, SERVICE, MASQUERADE, POD, NODE, OTHER)
_MEANINGS = {
    HOST_PORT: N_(
        "{source} came to port {port} of this node, and was led to {target}, which has that port"
    ),
    SERVICE: N_(
        "{source} asked for the Service at {asked}, and was led to {target}, one of its pods"
    ),
    MASQUERADE: N_(
        "{source} talks to {target}, which sees {shown} for a source, so that answers find back"
    ),
    POD: N_("{source} talks to {target}; both see each other's own address"),
    NODE: N_("{source} talks to {target}"),
    OTHER: N_("{source} talks to {target}; neither is of this cluster, as far as known"),
}
_NEARLY = 0.95  # of what fits
_NODE_PORTS = range(30000, 32768)
# linux/in.h; linux/netfilter/nf_conntrack_tcp.h
_PROTOCOLS = {
    1: "icmp",
    2: "igmp",
    6: "tcp",
    17: "udp",
    33: "dccp",
    47: "gre",
    58: "icmpv6",
    132: "sctp",
}
_TCP_STATES = (
    *("none", "syn-sent", "syn-received", "established", "fin-wait", "close-wait", "last-ack"),
    *("time-wait", "closed", "syn-sent"),
)


def connections(facts: Facts) -> Table:
    """One row for each, those that are rewritten first; below, how many there are in all."""
    known = _Known(facts)
    found = sorted(((known.whose(one), one) for one in facts.place.tracked), key=_rank)
    shown = found[: facts.most] if facts.most else found
    return Table(
        name=NAME,
        purpose=_(PURPOSE),
        columns=COLUMNS,
        rows=tuple(
            Row(cells=_cells(one, whose), why=known.why(one, whose)) for whose, one in shown
        ),
        below=(*_more(facts, len(shown)), *_fill(facts)),
    )


def _rank(one: tuple[str, Tracked]) -> tuple[int, int, int, int, int, int, int]:
    whose, tracked = one
    ends = tracked.there
    return (
        _ORDER.index(whose),
        ends.src.version,
        tracked.protocol,
        int(ends.src),
        int(ends.dst),
        ends.dst_port,
        ends.src_port,
    )


def _more(facts: Facts, shown: int) -> Iterator[Line]:
    """A line that counts what is not shown, and says how to see it."""
    have = len(facts.place.tracked)
    total = max(facts.place.connections, have) if facts.place.more_tracked else have
    if total <= shown:
        return
    text = _("{number} more: `dari tables conntrack --all` shows them")
    if shown == have:
        text = _("{number} more, not written down: `dari snapshot --all-connections` takes all")
    yield Line(text=text.format(number=total - shown))


def _fill(facts: Facts) -> Iterator[Line]:
    """How full the table is."""
    have, most = facts.place.connections, facts.place.most_connections
    if have < 0:
        yield Line(text=_("the kernel tracks no connections here"))
        return
    share = have / most if most else 0.0
    full = share >= _NEARLY
    text = _("{have} of at most {most} ({share}): there is room for new connections")
    if full:
        text = _("{have} of at most {most} ({share}): new connections are dropped")
    yield Line(
        text=text.format(have=have, most=most or "-", share=f"{share:.1%}"),
        code=CONNTRACK_FULL.code if full else "",
    )


def _cells(one: Tracked, whose: str) -> tuple[str, ...]:
    return (
        _PROTOCOLS.get(one.protocol, str(one.protocol)),
        endpoint(one.there.src, one.there.src_port),
        endpoint(one.there.dst, one.there.dst_port),
        ", ".join(_rewritten(one)) or "-",
        _state(one),
        str(one.seconds),
        whose,
    )


def endpoint(address: IPAddress, port: int) -> str:
    """An address with a port, as a URL has them; without one where it is 0."""
    if not port:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _rewritten(one: Tracked) -> Iterator[str]:
    """What the way changes of the packet, read from what is awaited as its answer."""
    if _is_led(one):
        yield f"to {endpoint(one.back.src, one.back.src_port)}"
    if _is_shown_otherwise(one):
        yield f"from {endpoint(one.back.dst, one.back.dst_port)}"


def _is_led(one: Tracked) -> bool:
    there, back = one.there, one.back
    return (there.dst, there.dst_port) != (back.src, back.src_port)


def _is_shown_otherwise(one: Tracked) -> bool:
    there, back = one.there, one.back
    return (there.src, there.src_port) != (back.dst, back.dst_port)


def _state(one: Tracked) -> str:
    if one.tcp_state != NO_STATE:
        known = one.tcp_state < len(_TCP_STATES)
        return _TCP_STATES[one.tcp_state] if known else str(one.tcp_state)
    if one.status & ASSURED:
        return "assured"
    return "answered" if one.status & SEEN_REPLY else "unanswered"


class _Known:
    """Whose addresses are whose, in one place."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._index = Index(facts)
        self._own = {one.interface.ip for one in facts.place.addresses}
        self._pods = {
            one.interface.ip
            for pod in facts.machine.pods
            for one in (pod.place.addresses if pod.place else ())
        }
        names = Ruleset((*facts.place.ruleset, *as_ruleset(facts.place.legacy_tables))).names
        self._proxied = any(each.startswith(("kube", "KUBE-")) for each in names)

    def whose(self, one: Tracked) -> str:
        """Who it is there for."""
        there, target = one.there, one.back.src
        if _is_led(one):
            return self._of_led(one)
        if _is_shown_otherwise(one) and not self._is_own(there.src):
            return MASQUERADE
        if self._is_pod(there.src) or self._is_pod(target):
            return POD
        own = POD if self._facts.pod else NODE
        return own if self._is_own(there.src) or self._is_own(target) else OTHER

    def _of_led(self, one: Tracked) -> str:
        """A Service's address is nobody's; its NodePort is this node's, as a host port is."""
        if not self._is_own(one.there.dst):
            return SERVICE
        return SERVICE if self._proxied and one.there.dst_port in _NODE_PORTS else HOST_PORT

    def why(self, one: Tracked, whose: str) -> str:
        """What it is for, in one line."""
        text = _(_MEANINGS[whose]).format(
            source=self._called(one.there.src),
            target=self._called(one.back.src),
            asked=endpoint(one.there.dst, one.there.dst_port),
            port=one.there.dst_port,
            shown=self._called(one.back.dst),
        )
        return (
            text if one.status & SEEN_REPLY else _("{text}; no answer came yet").format(text=text)
        )

    def _is_own(self, address: IPAddress) -> bool:
        return address in self._own or address.is_loopback

    def _is_pod(self, address: IPAddress) -> bool:
        if self._is_own(address):
            return self._facts.pod is not None
        expected = self._facts.expected
        return (
            address in self._pods or expected.is_own(address) or expected.owner(address) is not None
        )

    def _called(self, address: IPAddress) -> str:
        if self._is_own(address) and self._facts.pod is None:
            return _("this node")
        if name := self._index.called(address):
            return name
        owner = self._facts.expected.owner(address)
        if owner is not None:
            return _("a pod of {node}").format(node=owner.name)
        return str(address)

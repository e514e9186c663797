"""Compares a packet with an expression: yes, no, or it cannot be told.

May import: model, record, filters.ruleset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from dari.record import Record
from dari.tables.ruleset import Rule, Ruleset

if TYPE_CHECKING:
    from dari.model import IPAddress

_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmpv6": 58, "sctp": 132}
_NAMES = {number: name for name, number in _PROTOCOLS.items() if name != "icmpv6"}
_STATES = ("new", "established", "related", "invalid", "untracked")


class Unknown(Exception):
    """An expression that cannot be compared with what is known of the packet."""


class Seen(Record):
    """All that rules may ask of a packet at a hook.

    Attributes:
        state: of its connection: ``new``, ``established``, ``invalid``.
        translated: was its destination rewritten here before?
        to_local: is its destination an address of this place?
        from_local: is its source?
    """

    src: IPAddress
    dst: IPAddress
    protocol: str
    sport: int
    dport: int
    mark: int
    reply: bool
    size: int
    incoming: str = ""
    outgoing: str = ""
    state: str = "new"
    translated: bool = False
    to_local: bool = False
    from_local: bool = False


def holds(ruleset: Ruleset, rule: Rule, match: Mapping[str, Any], seen: Seen) -> bool:
    """Does a packet match?

    Raises:
        Unknown: it cannot be told.
    """
    left = value(match.get("left"), seen)
    op = match.get("op", "==")
    right = match.get("right")
    if left is None:
        return False  # a field that the packet has not: the rule ends there
    if op in ("==", "in", "!="):
        found: bool = contains(ruleset, rule, right, left)
        return found is not (op == "!=")
    number = _number(right)
    if not isinstance(left, int) or number is None:
        raise Unknown(f"{op}")
    return _ordered(op, left, number)


def _ordered(op: object, left: int, right: int) -> bool:
    if op in ("<", ">"):
        return left < right if op == "<" else left > right
    return left <= right if op == "<=" else left >= right


def value(expression: object, seen: Seen) -> Any:
    """What an expression's left side is for a packet; None where the packet has no such field.

    Raises:
        Unknown: it cannot be told.
    """
    if isinstance(expression, (str, int)):
        return expression
    if not isinstance(expression, dict) or len(expression) != 1:
        raise Unknown(str(expression))
    kind, held = next(iter(expression.items()))
    if kind == "payload":
        return _payload(str(held.get("protocol")), str(held.get("field")), seen)
    if kind == "meta":
        return _meta(str(held.get("key")), seen)
    if kind == "ct":
        return _ct(str(held.get("key")), seen)
    if kind == "fib":
        return _fib(held, seen)
    if kind == "concat":
        return tuple(value(each, seen) for each in held)
    if kind == "&":
        return _masked(held, seen)
    raise Unknown(kind)


def _payload(protocol: str, field: str, seen: Seen) -> Any:
    version = seen.dst.version
    if protocol in ("ip", "ip6"):
        if version != (4 if protocol == "ip" else 6):
            return None
        fields = {"saddr": seen.src, "daddr": seen.dst}
        if field in fields:
            return fields[field]
        if field in ("protocol", "nexthdr"):
            return _protocol_number(seen)
        if field in ("length",):
            return seen.size
    if protocol in ("tcp", "udp", "th"):
        if protocol != "th" and protocol != seen.protocol:
            return None
        if seen.protocol in ("tcp", "udp") and field in ("sport", "dport"):
            return seen.sport if field == "sport" else seen.dport
        if protocol == "tcp" and field == "flags":
            return ("syn", "ack") if seen.reply else ("syn",)
        return None if seen.protocol == "icmp" else _unknown(f"{protocol} {field}")
    if protocol in ("icmp", "icmpv6"):
        if seen.protocol != "icmp" or version != (4 if protocol == "icmp" else 6):
            return None
        if field == "type":
            return "echo-reply" if seen.reply else "echo-request"
    return _unknown(f"{protocol} {field}")


def _unknown(what: str) -> Any:
    raise Unknown(what)


def _protocol_number(seen: Seen) -> int:
    name = "ipv6-icmp" if seen.protocol == "icmp" and seen.dst.version == 6 else seen.protocol
    return _PROTOCOLS[name]


def _meta(key: str, seen: Seen) -> Any:
    known: dict[str, Any] = {
        "iifname": seen.incoming,
        "iif": seen.incoming,
        "oifname": seen.outgoing,
        "oif": seen.outgoing,
        "mark": seen.mark,
        "l4proto": _protocol_number(seen),
        "nfproto": f"ipv{seen.dst.version}",
        "protocol": "ip" if seen.dst.version == 4 else "ip6",
        "length": seen.size,
        "pkttype": "unicast" if not seen.dst.is_multicast else "multicast",
    }
    return known[key] if key in known else _unknown(f"meta {key}")


def _ct(key: str, seen: Seen) -> Any:
    if key == "state":
        return seen.state
    if key == "status":
        return ("dnat",) if seen.translated else ()
    if key == "direction":
        return "reply" if seen.reply else "original"
    if key == "mark":
        return 0
    return _unknown(f"ct {key}")


def _fib(held: Mapping[str, Any], seen: Seen) -> Any:
    flags = held.get("flags")
    which = flags if isinstance(flags, list) else [flags]
    if held.get("result") != "type" or len(which) != 1:
        raise Unknown("fib")
    local = seen.to_local if which == ["daddr"] else seen.from_local
    return "local" if local else "unicast"


def _masked(held: Sequence[object], seen: Seen) -> Any:
    left = value(held[0], seen)
    if left is None:
        return None
    if isinstance(left, tuple):
        wanted = held[1] if isinstance(held[1], list) else [held[1]]
        return tuple(one for one in left if one in wanted)
    number = _number(held[1])
    if isinstance(left, int) and number is not None:
        return left & number
    if isinstance(left, (IPv4Address, IPv6Address)) and isinstance(held[1], str):
        return type(left)(int(left) & int(ip_address(held[1])))
    raise Unknown("&")


def contains(ruleset: Ruleset, rule: Rule, right: object, left: Any) -> bool:
    """Is a packet's value among those that a rule names?

    Raises:
        Unknown: it cannot be told.
    """
    return any(_is(each, left) for each in elements(ruleset, rule, right))


def elements(ruleset: Ruleset, rule: Rule, right: object) -> Iterable[object]:
    """The values that the right side of a match names."""
    if isinstance(right, str) and right.startswith("@"):
        return map(_bare, ruleset.elements(rule, right[1:]))
    if isinstance(right, dict) and "set" in right:
        listed = right["set"]
        return map(_bare, listed if isinstance(listed, list) else [listed])
    if isinstance(right, list):
        return map(_bare, right)
    return [right]


def _bare(element: object) -> object:
    """An element without its counter, timeout or comment."""
    if isinstance(element, dict) and isinstance(held := element.get("elem"), dict):
        return held.get("val")
    return element


def _is(right: object, left: Any) -> bool:
    if isinstance(right, dict):
        return _in_structure(right, left)
    if isinstance(left, (IPv4Address, IPv6Address)):
        return _is_address(right, left)
    if isinstance(left, tuple):
        return left == (right,) if not isinstance(right, list) else set(left) == set(right)
    if isinstance(left, int):
        return left == _number(right)
    if isinstance(right, str) and "*" in right:
        return fnmatchcase(str(left), right)
    return str(left) == str(right)


def _is_address(right: object, left: IPAddress) -> bool:
    try:
        return left == ip_address(str(right))
    except ValueError:
        raise Unknown(f"the name {right}") from None


def _in_structure(right: Mapping[str, Any], left: Any) -> bool:
    if "prefix" in right:
        held = right["prefix"]
        network = ip_network(f"{held['addr']}/{held['len']}", strict=False)
        return isinstance(left, (IPv4Address, IPv6Address)) and left in network
    if "range" in right:
        low, high = right["range"]
        return _between(low, left, high)
    if "concat" in right:
        listed = right["concat"]
        return len(listed) == len(left) and all(map(_is, listed, left))
    if "|" in right:
        return any(_is(each, left) for each in right["|"])
    raise Unknown(next(iter(right), ""))


def _between(low: object, left: Any, high: object) -> bool:
    if isinstance(left, (IPv4Address, IPv6Address)):
        first, last = ip_address(str(low)), ip_address(str(high))
        return left.version == first.version and int(first) <= int(left) <= int(last)
    numbers = _number(low), _number(high)
    if not isinstance(left, int) or None in numbers:
        raise Unknown("range")
    return bool(numbers[0] <= left <= numbers[1])  # type: ignore[operator]


def _number(right: object) -> int | None:
    if isinstance(right, int):
        return right
    if isinstance(right, str):
        if right in _PROTOCOLS:
            return _PROTOCOLS[right]
        try:
            return int(right, 0)
        except ValueError:
            return None
    return None

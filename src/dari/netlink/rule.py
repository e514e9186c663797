"""Policy rules: which packets look into which route table.

Source: linux/fib_rules.h; net/core/fib_rules.c.
May import: record, model, codec, constants, family, and conversation for its type.
"""

from __future__ import annotations

from struct import Struct

from dari.netlink import constants as c
from dari.netlink.codec import (
    Request,
    attribute,
    pack,
    parse_attributes,
    text,
    u8,
    u32,
    unpack,
)
from dari.netlink.family import FAMILY, unpack_network, version_of
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPNetwork
    from dari.netlink.conversation import Conversation

_RULE = Struct("=BBBBBxxBI")
# The rule's table has one byte; a larger number goes into FRA_TABLE.
_SMALL_TABLE = 256


class Rule(Record):
    """A rule; what is 0, empty or None matches everything.

    Attributes:
        version: of IP: 4 or 6.
        priority: the lower is asked first.
        table: route table to look into, for `action` 1.
        src, dst: prefixes that the packet's addresses are in.
        incoming, outgoing: names of links.
        mark, mask: the packet's firewall mark, and which of its bits count.
        action: FR_ACT_*: 1 look into `table`, 6 blackhole, 7 unreachable.
        protocol: who made it, RTPROT_*.
        inverted: whether it holds for all packets that do not match.
        suppress_prefixlen: routes found that are this short or shorter do not
            count; -1: all count.
    """

    version: int
    priority: int
    table: int = c.RT_TABLE_MAIN
    src: IPNetwork | None = None
    dst: IPNetwork | None = None
    incoming: str = ""
    outgoing: str = ""
    mark: int = 0
    mask: int = 0
    action: int = c.FR_ACT_TO_TBL
    protocol: int = c.RTPROT_BOOT
    inverted: bool = False
    suppress_prefixlen: int = -1


def add_rule(rule: Rule) -> Request:
    """Add a rule; `AlreadyExists` if there is the same.

    Equivalent to: `ip rule add priority PRIORITY from SRC to DST iif INCOMING
    oif OUTGOING fwmark MARK/MASK lookup TABLE protocol PROTOCOL`.
    """
    return _change("add", c.RTM_NEWRULE, c.NLM_F_CREATE | c.NLM_F_EXCL, rule)


def delete_rule(rule: Rule) -> Request:
    """Delete the first rule that has all that is given.

    Equivalent to: `ip rule delete priority PRIORITY ...`.
    """
    return _change("delete", c.RTM_DELRULE, 0, rule)


def list_rules(sock: Conversation, *, version: int | None = None) -> list[Rule]:
    """All rules, or those of an IP version, in the order they are asked.

    Equivalent to: `ip rule show`, of both families.
    """
    families = (c.AF_INET, c.AF_INET6) if version is None else (FAMILY[version],)
    rules = []
    for family in families:
        header = pack(_RULE, family, 0, 0, 0, 0, 0, 0)
        request = Request(kind=c.RTM_GETRULE, flags=0, body=header, doing="list rules")
        rules += [parse_rule(body) for body in sock.dump(request)]
    return rules


def parse_rule(body: bytes) -> Rule:
    """Read the body of RTM_NEWRULE or RTM_DELRULE.

    Raises:
        Undecodable: it is none, or of another family than IPv4 and IPv6.
    """
    family, dst, src, _, table, action, flags = unpack(_RULE, body, "rule")
    version = version_of(family, "a rule")
    found = parse_attributes(body[_RULE.size :])
    return Rule(
        version=version,
        priority=found.u32(c.FRA_PRIORITY),
        table=found.u32(c.FRA_TABLE, table),
        src=_prefix(found.get(c.FRA_SRC), src, version),
        dst=_prefix(found.get(c.FRA_DST), dst, version),
        incoming=found.text(c.FRA_IIFNAME),
        outgoing=found.text(c.FRA_OIFNAME),
        mark=found.u32(c.FRA_FWMARK),
        mask=found.u32(c.FRA_FWMASK),
        action=action,
        protocol=found.u8(c.FRA_PROTOCOL),
        inverted=bool(flags & c.FIB_RULE_INVERT),
        suppress_prefixlen=found.s32(c.FRA_SUPPRESS_PREFIXLEN, -1),
    )


def _change(verb: str, kind: int, flags: int, rule: Rule) -> Request:
    return Request(
        kind=kind,
        flags=flags,
        body=_header(rule) + _selectors(rule) + _answer(rule),
        doing=f"{verb} rule {rule.priority}",
    )


def _header(rule: Rule) -> bytes:
    table = rule.table if rule.table < _SMALL_TABLE else c.RT_TABLE_UNSPEC
    lengths = [prefix.prefixlen if prefix else 0 for prefix in (rule.dst, rule.src)]
    flags = c.FIB_RULE_INVERT if rule.inverted else 0
    return pack(_RULE, FAMILY[rule.version], *lengths, 0, table, rule.action, flags)


def _selectors(rule: Rule) -> bytes:
    return (
        u32(c.FRA_PRIORITY, rule.priority)
        + (attribute(c.FRA_DST, rule.dst.network_address.packed) if rule.dst else b"")
        + (attribute(c.FRA_SRC, rule.src.network_address.packed) if rule.src else b"")
        + (text(c.FRA_IIFNAME, rule.incoming) if rule.incoming else b"")
        + (text(c.FRA_OIFNAME, rule.outgoing) if rule.outgoing else b"")
        + (u32(c.FRA_FWMARK, rule.mark) if rule.mark else b"")
        + (u32(c.FRA_FWMASK, rule.mask) if rule.mask else b"")
    )


def _answer(rule: Rule) -> bytes:
    suppressed = rule.suppress_prefixlen
    return (
        (u32(c.FRA_TABLE, rule.table) if rule.action == c.FR_ACT_TO_TBL else b"")
        + u8(c.FRA_PROTOCOL, rule.protocol)
        + (u32(c.FRA_SUPPRESS_PREFIXLEN, suppressed) if suppressed >= 0 else b"")
    )


def _prefix(packed: bytes | None, length: int, version: int) -> IPNetwork | None:
    return None if packed is None else unpack_network(packed, length, version)

"""Rows of tables as the tools print them: ip(8), bridge(8), sysctl(8).

May import: netlink's records and constants, snapshot.model.
"""

from __future__ import annotations

from dari.netlink import constants as c
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute, NextHop
from dari.netlink.rule import Rule

_KINDS = {
    c.RTN_LOCAL: "local ",
    3: "broadcast ",
    4: "anycast ",
    5: "multicast ",
    c.RTN_BLACKHOLE: "blackhole ",
    c.RTN_UNREACHABLE: "unreachable ",
    c.RTN_PROHIBIT: "prohibit ",
    9: "throw ",
}
_STATES = {
    0x01: "INCOMPLETE",
    0x02: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    0x20: "FAILED",
    0x40: "NOARP",
    0x80: "PERMANENT",
}
_TABLES = {253: "default", 254: "main", 255: "local"}
_PROTOCOLS = {2: "kernel", 3: "boot", 4: "static", 9: "ra", 12: "bird", 16: "dhcp", 186: "bgp"}
Names = dict[int, str]


def route(one: KernelRoute, names: Names) -> str:
    """As ``ip route`` prints it, and as it takes it."""
    dst = "default" if one.dst.prefixlen == 0 else _prefix(str(one.dst))
    words = [f"{_KINDS.get(one.kind, '')}{dst}"]
    if one.hops:
        words += [f"nexthop {_way(hop, names)}" for hop in one.hops]
    else:
        words.append(_way(NextHop(gateway=one.gateway, device=one.device), names))
    if one.protocol not in (0, c.RTPROT_BOOT):
        words.append(f"proto {_PROTOCOLS.get(one.protocol, one.protocol)}")
    if one.source:
        words.append(f"src {one.source}")
    if one.metric and not (one.dst.version == 6 and one.metric == 1024):
        words.append(f"metric {one.metric}")
    if one.mtu:
        words.append(f"mtu {one.mtu}")
    if one.onlink:
        words.append("onlink")
    if one.table != c.RT_TABLE_MAIN and one.kind != c.RTN_LOCAL:
        words.append(f"table {_TABLES.get(one.table, one.table)}")
    return " ".join(filter(None, words))


def _prefix(text: str) -> str:
    """A whole address is printed without its length."""
    for whole in ("/32", "/128"):
        if text.endswith(whole) and (":" in text) == (whole == "/128"):
            return text.removesuffix(whole)
    return text


def _way(hop: NextHop, names: Names) -> str:
    via = f"via {hop.gateway}" if hop.gateway else ""
    device = f"dev {names[hop.device]}" if hop.device in names else ""
    return " ".join(filter(None, (via, device)))


def rule(one: Rule) -> str:
    """As ``ip rule`` prints it."""
    words = [f"{one.priority}:", "not" if one.inverted else "", f"from {one.src or 'all'}"]
    words += selectors(one)
    actions = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
    words.append(actions.get(one.action) or f"lookup {_TABLES.get(one.table, one.table)}")
    if one.suppress_prefixlen >= 0:
        words.append(f"suppress_prefixlength {one.suppress_prefixlen}")
    return " ".join(filter(None, words))


def selectors(one: Rule) -> list[str]:
    """What a rule asks of a packet beside its source."""
    mask = "" if one.mask in (0, 0xFFFFFFFF) else f"/{one.mask:#x}"
    return [
        f"to {one.dst}" if one.dst else "",
        f"fwmark {one.mark:#x}{mask}" if one.mark or one.mask else "",
        f"iif {one.incoming}" if one.incoming else "",
        f"oif {one.outgoing}" if one.outgoing else "",
    ]


def neighbour(one: Neighbour, names: Names) -> str:
    """As ``ip neighbour`` prints it."""
    mac = f"lladdr {one.mac} " if one.mac else ""
    return f"{one.address} dev {names.get(one.index, one.index)} {mac}{state(one.state)}"


def state(number: int) -> str:
    """A neighbour's state (NUD_*) in iproute2's word."""
    return _STATES.get(number, "NONE")


def fdb(one: Neighbour, names: Names) -> str:
    """As ``bridge fdb`` prints it."""
    words = [one.mac, f"dev {names.get(one.index, one.index)}"]
    words.append(f"dst {one.address}" if one.address else "")
    words.append(f"master {names[one.master]}" if one.master in names else "")
    words.append("self" if one.flags & c.NTF_SELF else "")
    if one.state & c.NUD_PERMANENT:
        words.append("permanent")
    elif one.state & c.NUD_NOARP:
        words.append("static")
    return " ".join(filter(None, words))


def link(one: Link) -> str:
    """Name, state and MTU, as ``ip link`` has them."""
    word = ("UP" if one.carrier else "NO-CARRIER") if one.up else "DOWN"
    return f"{one.name}: {word} mtu {one.mtu} {one.mac}".rstrip()

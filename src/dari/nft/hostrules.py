"""The section of the table that leads host ports to pods: pure, tested as text.

Pods whose configurations have the same conditions and mark share chains and maps,
a `Group`; what is theirs alone is elements.

May import: model, record, nft.section.
"""

from __future__ import annotations

from functools import lru_cache

from dari.nft.section import Section, digest, merged
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dari.model import IPAddress, IPNetwork, Owner
    from dari.nft.section import Elements

PROTOCOLS = ("tcp", "udp", "sctp")
CHAIN = "hostports"
DEFAULT_BIT = 13


class Group(Record):
    """What several pods' host ports have in common.

    Attributes:
        version: of IP.
        sources: whose connections are masqueraded, so that answers come back this way.
        conditions: that a connection must meet, in nft's language.
        bit: of the packet's mark, set from here to the masquerading of a connection.
    """

    version: int
    sources: tuple[IPNetwork, ...] = ()
    conditions: str = ""
    bit: int = DEFAULT_BIT

    @property
    def suffix(self) -> str:
        """What its sets and maps are called by, behind what they are for."""
        return f"{self.version}_{digest(repr(self))}"


class Claim(Record):
    """A host port at some of the node's addresses, and the pod it leads to.

    Attributes:
        owner: the attachment.
        network: its network's name.
        protocol: one of `PROTOCOLS`.
        port: the host's.
        at: the node's address, or the whole family (0.0.0.0/0, ::/0).
        to: the pod's address.
        to_port: the pod's port.
        group: whose connections are led there, and which are masqueraded.
    """

    owner: Owner
    network: str
    protocol: str
    port: int
    at: IPNetwork
    to: IPAddress
    to_port: int
    group: Group

    @property
    def place(self) -> str:
        """How a person writes the host's end: ``8080/tcp``, ``192.0.2.1:8080/tcp``."""
        address = "" if self.at.prefixlen == 0 else str(self.at.network_address)
        bracketed = f"[{address}]" if ":" in address else address
        return f"{bracketed}{':' if address else ''}{self.port}/{self.protocol}"

    def meets(self, other: Claim) -> bool:
        """Could one packet be meant for both?"""
        same_port = (self.protocol, self.port) == (other.protocol, other.port)
        return same_port and self.at.version == other.at.version and self.at.overlaps(other.at)


@lru_cache(maxsize=4)  # a process that lives on asks with each pod
def hostport_section(groups: tuple[Group, ...]) -> Section:
    """Chains, and empty maps, for these groups.

    A packet for one of the node's own addresses is led to the pod. What has to be
    masqueraded is marked on the way, and the mark is taken off again. Since
    `route_localnet` opens the node's 127.0.0.0/8 to neighbours, a guard closes it.
    """
    lines = [line for group in groups for line in _declarations(group)]
    rules = [rule for group in groups for rule in _rules(group)]
    marks = [f"{1 << bit:#x}" for bit in sorted({each.bit for each in groups})]
    lines += _chain(CHAIN, "", rules)
    local = ["ip6 daddr ::1 return", f"fib daddr type local jump {CHAIN}"]
    lines += _chain("hostport_prerouting", "type nat hook prerouting priority dstnat", local[1:])
    lines += _chain("hostport_output", "type nat hook output priority -100", local)
    lines += _chain(
        "hostport_postrouting",
        "type nat hook postrouting priority srcnat - 5",
        [
            f"meta mark & {mark} == {mark} "
            f"meta mark set meta mark & {0xFFFFFFFF ^ int(mark, 16):#x} masquerade"
            for mark in marks
        ],
    )
    lines += _chain(
        "hostport_guard",
        "type filter hook prerouting priority raw",
        ['iifname != "lo" ip daddr 127.0.0.0/8 drop'],
    )
    return Section(chain=CHAIN, uses=len(rules) + 2, text="\n".join([*lines, ""]))


def hostport_elements(claims: Iterable[Claim]) -> Elements:
    """What these claims are in maps and sets."""
    return merged(_elements(each) for each in claims)


def _declarations(group: Group) -> list[str]:
    """Maps that lead to pods, and sets of the ports that may have to be masqueraded."""
    kind = "ipv4_addr" if group.version == 4 else "ipv6_addr"
    port, at = "inet_proto . inet_service", f"{kind} . inet_proto . inet_service"
    target, suffix = f"{kind} . inet_service", group.suffix
    return [
        f"\tmap anywhere{suffix} {{\n\t\ttype {port} : {target}\n\t}}",
        f"\tmap somewhere{suffix} {{\n\t\ttype {at} : {target}\n\t}}",
        f"\tset hairpin_any{suffix} {{\n\t\ttype {port}\n\t}}",
        f"\tset hairpin_some{suffix} {{\n\t\ttype {at}\n\t}}",
    ]


def _rules(group: Group) -> list[str]:
    ip = "ip" if group.version == 4 else "ip6"
    when = f"{group.conditions} " if group.conditions else ""
    port, at = "meta l4proto . th dport", f"{ip} daddr . meta l4proto . th dport"
    suffix = group.suffix
    marked = [
        f"{when}{_from(group, ip)}{what} @hairpin_{which}{suffix} "
        f"meta mark set meta mark | {1 << group.bit:#x}"
        for what, which in ((port, "any"), (at, "some"))
        if group.sources
    ]
    return [
        *marked,
        f"{when}dnat {ip} to {at} map @somewhere{suffix}",
        f"{when}dnat {ip} to {port} map @anywhere{suffix}",
    ]


def _from(group: Group, ip: str) -> str:
    if any(each.prefixlen == 0 for each in group.sources):
        return ""
    return f"{ip} saddr {{ {', '.join(map(str, group.sources))} }} "


def _chain(name: str, hook: str, rules: list[str]) -> list[str]:
    head = [f"\t\t{hook}; policy accept;"] if hook else []
    return [f"\tchain {name} {{", *head, *(f"\t\t{rule}" for rule in rules), "\t}"]


def _elements(claim: Claim) -> Elements:
    suffix = claim.group.suffix
    port = f"{claim.protocol} . {claim.port}"
    target = f"{claim.to} . {claim.to_port}"
    if claim.at.prefixlen == 0:
        led = {f"anywhere{suffix}": (f"{port} : {target}",)}
        hairpin = {f"hairpin_any{suffix}": (port,)}
    else:
        at = f"{claim.at.network_address} . {port}"
        led = {f"somewhere{suffix}": (f"{at} : {target}",)}
        hairpin = {f"hairpin_some{suffix}": (at,)}
    return {**led, **hairpin} if claim.group.sources else led

"""iptables-legacy's rules in the form in which nft lists its own, so that one reader reads both.

What nft has no word for becomes an extension (``xt``), as where nft lists rules of
iptables-nft: whoever reads the rule knows then that it cannot tell.

Source: iptables(8), iptables-extensions(8); libnftables-json(5).
May import: snapshot.model.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING

from dari.snapshot.model import LegacyTable

if TYPE_CHECKING:
    from dari.model import Json

MARK = "-legacy "  # within the name of each such table
_FAMILY = {"iptables": "ip", "ip6tables": "ip6"}
_HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
# NF_IP_PRI_*, linux/netfilter_ipv4.h
_PRIORITY = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
_NAT_PRIORITY = {"PREROUTING": -100, "OUTPUT": -100, "INPUT": 100, "POSTROUTING": 100}
_VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}
_LOGS = ("LOG", "NFLOG", "ULOG")
_TO = {"SNAT": "--to-source", "DNAT": "--to-destination"}


def name_of(table: LegacyTable) -> str:
    """What its table is called among nft's: ``iptables-legacy filter``."""
    return f"{table.program}{MARK}{table.name}"


def is_legacy(table: str) -> bool:
    """Is a table of this name one of iptables-legacy's?"""
    return MARK in table


def as_ruleset(tables: Iterable[LegacyTable]) -> Iterator[Json]:
    """Chains and rules as ``nft -j list ruleset`` would have them; a rule's handle counts it.

    The chain of a rule names it together with its number, as ``iptables -D CHAIN NUMBER``
    takes it.
    """
    for table in tables:
        place = {"family": _FAMILY[table.program], "table": name_of(table)}
        for chain, policy in table.policies.items():
            if chain in _HOOKS:
                yield {"chain": {**place, "name": chain, **_base(table.name, chain, policy)}}
        numbers: dict[str, int] = {}
        for text in table.rules:
            chain, statements = statements_of(table.program, text, table.policies)
            numbers[chain] = numbers.get(chain, 0) + 1
            yield {"rule": {**place, "chain": chain, "handle": numbers[chain], "expr": statements}}


def _base(table: str, chain: str, policy: str) -> dict[str, object]:
    nat = table == "nat"
    return {
        "type": "nat" if nat else "filter",
        "hook": chain.lower(),
        "prio": _NAT_PRIORITY.get(chain, 0) if nat else _PRIORITY.get(table, 0),
        "policy": policy.lower() or "accept",
    }


def statements_of(program: str, text: str, chains: Container[str]) -> tuple[str, list[Json]]:
    """A line of ``iptables-save`` as its chain's name and nft's statements.

    Args:
        chains: the table's; any other target is an extension.
    """
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    reader = _Reader(_FAMILY[program], words[2:], chains)
    return (words[1] if len(words) > 1 else ""), list(reader.statements())


class _Reader:
    """Goes through the words of one rule."""

    def __init__(self, family: str, words: list[str], chains: Container[str]) -> None:
        self._family = family
        self._words = words
        self._chains = chains
        self._protocol = "th"

    def statements(self) -> Iterator[Json]:
        """Its matches, then its target; whatever is not known, as an extension."""
        while self._words:
            inverted = self._words[0] == "!"
            if inverted:
                self._next()
            option = self._next()
            if option in ("-j", "-g"):
                yield self._target(option, self._next())
                return
            yield from self._match(option, inverted)

    def _match(self, option: str, inverted: bool) -> Iterator[Json]:
        if option in ("-m", "--comment"):
            self._next()  # a module's options tell what it asks; a comment asks nothing
            return
        read = _MATCHES.get(option)
        if read is None:
            while self._words and self._words[0] != "!" and not self._words[0].startswith("-"):
                self._next()
            yield {"xt": {"type": "match", "name": option.lstrip("-")}}
            return
        argument = self._next()
        if option == "-p":
            self._protocol = argument
        try:
            left, right = read(self._family, self._protocol, argument)
        except ValueError:
            yield {"xt": {"type": "match", "name": option.lstrip("-")}}
            return
        yield {"match": {"op": "!=" if inverted else "==", "left": left, "right": right}}

    def _next(self) -> str:
        return self._words.pop(0) if self._words else ""

    def _target(self, option: str, name: str) -> Json:
        if name in self._chains:
            return {("goto" if option == "-g" else "jump"): {"target": name}}
        if name in _VERDICTS:
            return {_VERDICTS[name]: None}
        if name in _LOGS:
            return {"log": None}
        if name == "MASQUERADE":
            return {"masquerade": None}
        given = {each: self._words[at + 1] for at, each in enumerate(self._words[:-1])}
        if name in _TO:
            return {name.lower(): _address(given.get(_TO[name], ""))}
        if name == "REDIRECT":
            return {"redirect": _address(f":{given.get('--to-ports', '')}")}
        return {"xt": {"type": "target", "name": name}}


def _address(given: str) -> dict[str, object]:
    """``1.2.3.4:80``, ``[fd00::1]:80`` or ``:80``; a range is told by its first."""
    first = given.partition("-")[0]
    address, colon, port = first.rpartition(":")
    if first.startswith("[") or (colon and first.count(":") == 1):
        number: dict[str, object] = {"port": int(port)} if port.isdecimal() else {}
        return {**({"addr": address.strip("[]")} if address else {}), **number}
    return {"addr": first}


Read = Callable[[str, str, str], tuple[object, object]]
"""Family, protocol and an option's argument, as the two sides of a match."""


def _field(name: str) -> Read:
    def read(family: str, _protocol: str, given: str) -> tuple[object, object]:
        network = ip_network(given, strict=False)
        whole = {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}
        return {"payload": {"protocol": family, "field": name}}, whole

    return read


def _link(name: str) -> Read:
    return lambda _family, _protocol, given: (
        {"meta": {"key": name}},
        f"{given[:-1]}*" if given.endswith("+") else given,
    )


def _port(name: str) -> Read:
    def read(_family: str, protocol: str, given: str) -> tuple[object, object]:
        left = {"payload": {"protocol": protocol, "field": name}}
        return left, {"set": [_range(each) for each in given.split(",")]}

    return read


def _range(given: str) -> object:
    low, colon, high = given.partition(":")
    return {"range": [int(low), int(high)]} if colon else int(low)


def _states(_family: str, _protocol: str, given: str) -> tuple[object, object]:
    return {"ct": {"key": "state"}}, [each.lower() for each in given.split(",")]


def _mark(_family: str, _protocol: str, given: str) -> tuple[object, object]:
    value, slash, mask = given.partition("/")
    key = {"meta": {"key": "mark"}}
    return ({"&": [key, int(mask, 0)]} if slash else key), int(value, 0)


def _kind(flag: str) -> Read:
    return lambda _family, _protocol, given: (
        {"fib": {"result": "type", "flags": [flag]}},
        given.lower(),
    )


_MATCHES: Mapping[str, Read] = {
    "-s": _field("saddr"),
    "-d": _field("daddr"),
    "-i": _link("iifname"),
    "-o": _link("oifname"),
    "-p": lambda _family, _protocol, given: ({"meta": {"key": "l4proto"}}, given),
    "--sport": _port("sport"),
    "--dport": _port("dport"),
    "--sports": _port("sport"),
    "--dports": _port("dport"),
    "--state": _states,
    "--ctstate": _states,
    "--mark": _mark,
    "--src-type": _kind("saddr"),
    "--dst-type": _kind("daddr"),
}

"""A ruleset's chains by hook, rules by chain, and sets and maps by name.

May import: model, record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dari.record import Record

if TYPE_CHECKING:
    from dari.model import Json

NAT = "nat"
# nft(8), table 6: priorities by name, for listings that have names.
_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50}
_PRIORITIES["srcnat"] = 100
_FAMILIES = {4: ("ip", "inet"), 6: ("ip6", "inet")}


class Rule(Record):
    """One rule, and where it is: `family`, `table` and `chain` with `handle` name it."""

    family: str
    table: str
    chain: str
    handle: int
    statements: tuple[Json, ...]
    comment: str = ""

    @property
    def place(self) -> str:
        """Its chain, as nft names it."""
        return f"{self.family} {self.table} {self.chain}"


class Chain(Record):
    """A base chain; `policy` is what becomes of what no rule decides about."""

    family: str
    table: str
    name: str
    type: str
    hook: str
    priority: int
    policy: str

    @property
    def place(self) -> str:
        """Its name, as nft has it."""
        return f"{self.family} {self.table} {self.name}"


class Ruleset:
    """What one place's nftables hold.

    Args:
        objects: of ``nft -j list ruleset``.
    """

    def __init__(self, objects: Iterable[Json]) -> None:
        self._chains: dict[str, list[Chain]] = defaultdict(list)
        self._rules: dict[tuple[str, str, str], list[Rule]] = defaultdict(list)
        self._sets: dict[tuple[str, str, str], Sequence[object]] = {}
        for each in objects:
            for kind, held in each.items():
                if isinstance(held, dict):
                    self._add(kind, held)
        for chains in self._chains.values():
            chains.sort(key=lambda chain: chain.priority)

    def _add(self, kind: str, held: Json) -> None:
        family, table = str(held.get("family")), str(held.get("table"))
        name = str(held.get("name"))
        if kind == "chain" and "hook" in held:
            self._chains[str(held["hook"])].append(_chain(held))
        elif kind == "rule":
            rule = _rule(held)
            self._rules[family, table, rule.chain].append(rule)
        elif kind in ("set", "map"):
            elements = held.get("elem", ())
            self._sets[family, table, name] = elements if isinstance(elements, list) else ()

    @property
    def names(self) -> set[str]:
        """Names of tables and of chains that hold rules, base chains or not."""
        return {name for _family, *names in self._rules for name in names}

    @property
    def empty(self) -> bool:
        """Is there no base chain at all?"""
        return not self._chains

    def chains(self, hook: str, version: int) -> list[Chain]:
        """Base chains of a hook that a packet of an IP version meets, in their order."""
        return [one for one in self._chains.get(hook, ()) if one.family in _FAMILIES[version]]

    def bridge_chains(self, hook: str) -> list[Chain]:
        """Base chains of a hook that frames on a bridge meet, in their order."""
        return [one for one in self._chains.get(hook, ()) if one.family == "bridge"]

    def rules(self, family: str, table: str, chain: str) -> list[Rule]:
        """A chain's rules, in their order."""
        return self._rules.get((family, table, chain), [])

    def elements(self, rule: Rule, name: str) -> Sequence[object]:
        """What a named set or map of the rule's table holds."""
        return self._sets.get((rule.family, rule.table, name), ())

    def all_chains(self) -> list[Chain]:
        """Every base chain, by hook."""
        return [one for chains in self._chains.values() for one in chains]


def _chain(held: Json) -> Chain:
    priority = held.get("prio", 0)
    number = priority if isinstance(priority, int) else _PRIORITIES.get(str(priority), 0)
    return Chain(
        family=str(held.get("family")),
        table=str(held.get("table")),
        name=str(held.get("name")),
        type=str(held.get("type", "filter")),
        hook=str(held["hook"]),
        priority=number,
        policy=str(held.get("policy", "accept")),
    )


def _rule(held: Json) -> Rule:
    handle, statements = held.get("handle", 0), held.get("expr", ())
    listed = statements if isinstance(statements, list) else []
    return Rule(
        family=str(held.get("family")),
        table=str(held.get("table")),
        chain=str(held.get("chain")),
        handle=handle if isinstance(handle, int) else 0,
        statements=tuple(one for one in listed if isinstance(one, dict)),
        comment=str(held.get("comment", "")),
    )

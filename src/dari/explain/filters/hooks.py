"""Runs the chains of one hook for one packet.

May import: model, record, filters.match, filters.ruleset.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from dari.explain.filters.match import Seen, Unknown, contains, elements, holds, value
from dari.record import Record
from dari.tables.ruleset import NAT, Chain, Rule, Ruleset
from dari.tables.words import statement_words

if TYPE_CHECKING:
    from dari.model import IPAddress

ACCEPT, DROP, REJECT, RETURN, GO_ON = "accept", "drop", "reject", "return", "go on"
MASQUERADE, SNAT, DNAT, REDIRECT = "masquerade", "snat", "dnat", "redirect"
_REWRITES = (MASQUERADE, SNAT, DNAT, REDIRECT)
_HARMLESS = frozenset({"counter", "log", "quota", "ct helper", "set", "ct timeout", "last"})
_DEEPEST = 16  # NFT_JUMP_STACK_SIZE
_DECIDES = frozenset({"drop", "reject", *_REWRITES, "jump", "goto", "vmap", "queue", "tproxy"})


class Event(Record):
    """One thing that rules did or that could not be read.

    Attributes:
        kind: a verdict, a rewriting, ``mark`` or ``unread``.
        rule: None where it is a chain's policy.
        row: the rule in nft's words.
        address, port: rewritten to; None and 0 where it is not told.
        mark: the packet's new mark.
    """

    kind: str
    chain: Chain
    rule: Rule | None = None
    row: str = ""
    address: IPAddress | None = None
    port: int = 0
    mark: int = 0


class Run:
    """One packet's way through the chains of one hook.

    Args:
        ruleset: of the place.
        seen: what rules see of it.
    """

    def __init__(self, ruleset: Ruleset, seen: Seen) -> None:
        self._ruleset = ruleset
        self.seen = seen
        self.events: list[Event] = []

    def through(self, chain: Chain) -> str:
        """Run one base chain; its verdict: `ACCEPT`, `DROP` or `REJECT`."""
        verdict = self._chain(chain, chain.family, chain.table, chain.name, 0)
        if verdict in (GO_ON, RETURN):
            verdict = chain.policy
            if verdict == DROP:
                row = f"chain {chain.place}: policy drop"
                self.events.append(Event(kind=DROP, chain=chain, row=row))
        return verdict

    def _chain(self, base: Chain, family: str, table: str, name: str, depth: int) -> str:
        if depth > _DEEPEST:
            return GO_ON
        for rule in self._ruleset.rules(family, table, name):
            verdict = self._rule(base, rule, depth)
            if verdict == RETURN:
                return GO_ON
            if verdict != GO_ON:
                return verdict
        return GO_ON

    def _rule(self, base: Chain, rule: Rule, depth: int) -> str:
        for statement in rule.statements:
            try:
                verdict = self._statement(base, rule, statement, depth)
            except Unknown:
                self._unread(base, rule)
                return GO_ON
            if verdict is None:
                return GO_ON
            if verdict != GO_ON:
                return verdict
        return GO_ON

    def _unread(self, base: Chain, rule: Rule) -> None:
        """Only a rule that could stop or rewrite the packet is worth a word."""
        kinds = {kind for each in rule.statements for kind in each}
        extensions = [each["xt"] for each in rule.statements if "xt" in each]
        targets = [one for one in extensions if isinstance(one, dict) and "target" in one.values()]
        if kinds & _DECIDES or targets:
            self.events.append(
                Event(kind="unread", chain=base, rule=rule, row=statement_words(rule.statements))
            )

    def _statement(
        self, base: Chain, rule: Rule, statement: Mapping[str, Any], depth: int
    ) -> str | None:
        """A verdict, `GO_ON`, or None where the rule does not match."""
        kind, held = next(iter(statement.items()))
        if kind == "match":
            return GO_ON if holds(self._ruleset, rule, held, self.seen) else None
        if kind == "xt":
            return self._extension(base, rule, held)
        if kind in (ACCEPT, DROP, REJECT):
            return self._verdict(base, rule, kind)
        if kind == RETURN:
            return RETURN
        if kind in ("jump", "goto"):
            return self._jump(base, rule, kind, str(held["target"]), depth)
        if kind == "vmap":
            return self._verdict_map(base, rule, held, depth)
        if kind in _REWRITES:
            return self._rewrite(base, rule, kind, held or {})
        if kind == "mangle":
            return self._mangle(base, rule, held)
        if kind in _HARMLESS:
            return GO_ON
        raise Unknown(kind)

    def _extension(self, base: Chain, rule: Rule, held: Mapping[str, Any]) -> str | None:
        """What nft shows of iptables' extensions is their name alone."""
        name = str(held.get("name"))
        if held.get("type") == "match" and name == "comment":
            return GO_ON
        if name == "REJECT":
            return self._verdict(base, rule, REJECT)
        if name == "MASQUERADE":
            return self._rewrite(base, rule, MASQUERADE, {})
        raise Unknown(name)

    def _verdict(self, base: Chain, rule: Rule, kind: str) -> str:
        if kind != ACCEPT:
            row = f"{rule.place}: {statement_words(rule.statements)}"
            self.events.append(Event(kind=kind, chain=base, rule=rule, row=row))
        return kind

    def _jump(self, base: Chain, rule: Rule, kind: str, target: str, depth: int) -> str:
        verdict = self._chain(base, rule.family, rule.table, target, depth + 1)
        return RETURN if verdict == GO_ON and kind == "goto" else verdict

    def _verdict_map(self, base: Chain, rule: Rule, held: Mapping[str, Any], depth: int) -> str:
        key = value(held.get("key"), self.seen)
        for pair in elements(self._ruleset, rule, held.get("data")):
            if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], dict):
                raise Unknown("vmap")
            if key is not None and contains(self._ruleset, rule, [pair[0]], key):
                verdict = self._statement(base, rule, pair[1], depth)
                return verdict or GO_ON
        return GO_ON

    def _rewrite(self, base: Chain, rule: Rule, kind: str, held: Mapping[str, Any]) -> str:
        if base.type != NAT:
            raise Unknown(kind)
        address, port = self._target(rule, held)
        row = f"{rule.place}: {statement_words(rule.statements)}"
        self.events.append(
            Event(kind=kind, chain=base, rule=rule, row=row, address=address, port=port)
        )
        return ACCEPT

    def _target(self, rule: Rule, held: Mapping[str, Any]) -> tuple[IPAddress | None, int]:
        given, port = held.get("addr"), held.get("port")
        if isinstance(given, dict) and "map" in given:
            given = self._mapped(rule, given["map"])
        if isinstance(given, dict) and "concat" in given:
            given, port = given["concat"]
        if isinstance(port, dict):
            raise Unknown("port")
        try:
            address = ip_address(str(given)) if given is not None else None
        except ValueError:
            raise Unknown(str(given)) from None
        return address, int(port or 0)

    def _mapped(self, rule: Rule, held: Mapping[str, Any]) -> object:
        key = value(held.get("key"), self.seen)
        for pair in elements(self._ruleset, rule, held.get("data")):
            if not isinstance(pair, list) or len(pair) != 2 or key is None:
                continue
            if contains(self._ruleset, rule, [pair[0]], key):
                found: object = pair[1]
                return found
        raise Unknown("map")

    def _mangle(self, base: Chain, rule: Rule, held: Mapping[str, Any]) -> str:
        key, wanted = held.get("key"), held.get("value")
        if key != {"meta": {"key": "mark"}}:
            return GO_ON
        mark = self._arithmetic(wanted)
        self.seen = self.seen.replace(mark=mark)
        self.events.append(Event(kind="mark", chain=base, rule=rule, mark=mark))
        return GO_ON

    def _arithmetic(self, wanted: object) -> int:
        if isinstance(wanted, int):
            return wanted
        if isinstance(wanted, dict) and len(wanted) == 1:
            kind, held = next(iter(wanted.items()))
            if kind == "meta" and held == {"key": "mark"}:
                return self.seen.mark
            if kind in ("&", "|", "^") and isinstance(held, list):
                numbers = [self._arithmetic(each) for each in held]
                first, *rest = numbers
                for each in rest:
                    first = {"&": first & each, "|": first | each, "^": first ^ each}[kind]
                return first
        raise Unknown("mark")

"""Rules: which route table is asked (`ip rule`), and what firewalls do (`nft list ruleset`).

May import: netlink's records, nft.section, snapshot.model, tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dari.language import N_
from dari.netlink.rule import Rule as PolicyRule
from dari.nft.section import TABLE
from dari.snapshot.model import LegacyTable
from dari.tables import rows
from dari.tables.facts import Facts
from dari.tables.legacy import as_ruleset, name_of, statements_of
from dari.tables.messages import _
from dari.tables.ruleset import Chain, Rule, Ruleset
from dari.tables.table import Row, Table
from dari.tables.words import statement_words

if TYPE_CHECKING:
    from dari.model import Json

_LEGACY = "iptables-legacy"
PURPOSE = N_("what is asked of a packet beside its destination, and what rules do to it")
_USUAL = {0: N_("this machine's own addresses"), 32766: N_("the table that `route` shows")}
_USUAL[32767] = N_("what is asked last; usually empty")
_OWN_WAY = N_("packets that it fits do not ask the main table first")
_HOOKS = {
    "prerouting": N_("every packet that arrives, before a route is looked for"),
    "input": N_("packets for this machine itself"),
    "forward": N_("packets that it passes on, such as pods'"),
    "output": N_("packets that it makes itself"),
    "postrouting": N_("every packet that leaves, when its route is known"),
}
_IPTABLES = ("filter", "nat", "mangle", "raw", "security")
_DOES = {
    "accept": N_("lets such packets by"),
    "drop": N_("drops such packets without a word"),
    "reject": N_("refuses such packets and tells the sender"),
    "masquerade": N_("gives them this machine's address for a source"),
    "snat": N_("gives them another source"),
    "dnat": N_("leads them to another destination"),
    "redirect": N_("leads them to this machine"),
    "jump": N_("asks another chain"),
    "goto": N_("asks another chain"),
    "vmap": N_("decides by a map"),
    "mangle": N_("marks them"),
    "return": N_("goes back to the chain before"),
}
_KUBE = "KUBE-"


def rules(facts: Facts) -> Table:
    """Policy rules, then base chains by hook with the rules of each, then chains jumped to."""
    ruleset = Ruleset(facts.place.ruleset)
    found = [_policy_row(one) for one in facts.place.rules]
    for chain in ruleset.all_chains():
        found.append(_chain_row(chain))
        found += _rule_rows(ruleset, chain)
    for table in facts.place.legacy_tables:
        found += _legacy_rows(table)
    found += _unread_rows(facts)
    return Table(
        name="rules", purpose=_(PURPOSE), columns=("WHERE", "RULE", "WHOSE"), rows=tuple(found)
    )


def _policy_row(one: PolicyRule) -> Row:
    text = rows.rule(one)
    whose = "kernel" if one.priority in _USUAL else "another program"
    why = _(_USUAL.get(one.priority, _OWN_WAY))
    return Row(cells=(f"ip rule, IPv{one.version}", text, whose), why=why)


def _chain_row(chain: Chain) -> Row:
    what = _(_HOOKS.get(chain.hook, chain.hook))
    drops = _("{what}; what no rule decides about is dropped")
    lets_by = _("{what}; what no rule decides about is let by")
    return Row(
        cells=(chain.place, f"hook {chain.hook}, priority {chain.priority}", _whose(chain)),
        why=(drops if chain.policy == "drop" else lets_by).format(what=what),
    )


def _rule_rows(ruleset: Ruleset, chain: Chain) -> Iterator[Row]:
    seen: set[str] = set()
    waiting = [chain.name]
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for rule in ruleset.rules(chain.family, chain.table, name):
            yield Row(
                cells=(f"  {name}", statement_words(rule.statements), _whose(chain)),
                why=_does(rule),
            )
            waiting += _targets(rule)


def _targets(rule: Rule) -> list[str]:
    return [
        str(held.get("target"))
        for each in rule.statements
        for kind, held in each.items()
        if kind in ("jump", "goto") and isinstance(held, dict)
    ]


def _legacy_rows(table: LegacyTable) -> Iterator[Row]:
    """Chains with their policies, and rules as their own program prints them."""
    name = name_of(table)
    for chain in Ruleset(as_ruleset([table])).all_chains():
        yield Row(
            cells=(f"{name} {chain.name}", f"policy {chain.policy.upper()}", _LEGACY),
            why=_chain_row(chain).why,
        )
    for text in table.rules:
        chain_name, statements = statements_of(table.program, text, table.policies)
        yield Row(cells=(f"  {chain_name}", text, _LEGACY), why=_end(statements))


def _unread_rows(facts: Facts) -> Iterator[Row]:
    read = {f"{table.program} {table.name}" for table in facts.place.legacy_tables}
    for each in facts.place.legacy:
        if each not in read:
            why = _("in use, and there is no program iptables-legacy-save that could read it")
            yield Row(cells=(_LEGACY, each, "-"), why=why)


def _does(rule: Rule) -> str:
    """A rule's end, in words."""
    return rule.comment or _end(rule.statements)


def _end(statements: Sequence[Json]) -> str:
    for each in reversed(statements):
        for kind, held in each.items():
            if kind == "xt" and isinstance(held, dict):
                return _("what iptables shows as {name}").format(name=held.get("name"))
            if kind in _DOES:
                return _(_DOES[kind])
    return _("counts or notes them")


def _whose(chain: Chain) -> str:
    if chain.table == TABLE:
        return "dari"
    if chain.table.startswith("kube") or chain.name.startswith(_KUBE):
        return "kube-proxy"
    if chain.table in _IPTABLES and chain.family in ("ip", "ip6"):
        return "iptables"
    return f"table {chain.table}"

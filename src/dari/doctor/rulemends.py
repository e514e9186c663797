"""Rules as findings name them, and the commands that mend them: of nftables and iptables-legacy.

May import: explain.filters, language, tables, doctor.commands.
"""

from __future__ import annotations

from dari.doctor.commands import line
from dari.explain.filters.hooks import Event
from dari.language import Messages
from dari.tables.legacy import is_legacy
from dari.tables.ruleset import Chain, Rule

_ = Messages("doctor")


def called(event: Event) -> str:
    """The rule that decided, or the chain whose policy did."""
    if event.rule is not None:
        return place(event.rule)
    return _("{chain} (its policy)").format(chain=_chain(event.chain))


def place(rule: Rule) -> str:
    """A rule's chain, with its handle; in iptables-legacy, its number."""
    if is_legacy(rule.table):
        return _("{chain} (rule number {number})").format(chain=_chain(rule), number=rule.handle)
    return _("{chain} (rule {handle})").format(chain=_chain(rule), handle=rule.handle)


def _chain(one: Chain | Rule) -> str:
    name = one.name if isinstance(one, Chain) else one.chain
    return f"{one.table} {name}" if is_legacy(one.table) else one.place


def let_through(event: Event, protocol: str, port: int) -> str:
    """An accept before everything else in the chain that drops."""
    chain = event.rule or event.chain
    if is_legacy(chain.table):
        name = event.rule.chain if event.rule else event.chain.name
        port_words = ("-p", protocol, "--dport", port, "-j", "ACCEPT")
        return line(*_legacy(chain.table), "-I", name, *port_words)
    return line("nft", "insert", "rule", *chain.place.split(), protocol, "dport", port, "accept")


def accept_forwarded(event: Event) -> str:
    """Take away the rule that drops all; where it is the policy, let that accept."""
    if event.rule is not None:
        return delete(event.rule)
    if is_legacy(event.chain.table):
        return line(*_legacy(event.chain.table), "-P", event.chain.name, "ACCEPT")
    return f"nft 'chain {event.chain.place} {{ policy accept ; }}'"


def delete(rule: Rule) -> str:
    """Take one rule away."""
    if is_legacy(rule.table):
        return line(*_legacy(rule.table), "-D", rule.chain, rule.handle)
    return line("nft", "delete", "rule", *rule.place.split(), "handle", rule.handle)


def _legacy(table: str) -> tuple[str, ...]:
    program, name = table.split()
    return (program, "-t", name)

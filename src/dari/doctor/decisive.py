"""What rules surely do to a packet, by the same reading as `dari explain`'s.

Where a rule that might decide cannot be read, nothing is sure, and nothing is said.

May import: explain.filters, model, tables.ruleset.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dari.explain.filters.hooks import ACCEPT, DROP, MASQUERADE, REJECT, RETURN, SNAT, Event, Run
from dari.explain.filters.match import Seen
from dari.tables.ruleset import NAT, Chain, Rule, Ruleset

if TYPE_CHECKING:
    from dari.model import IPAddress

FORWARDED_PORT = 80
_SENDERS_PORT = 40000
_SIZE = 84  # bytes
_STOPPED, _REWRITTEN = (DROP, REJECT), (MASQUERADE, SNAT)
_LETS_BY, _UNREAD = (ACCEPT, RETURN), "unread"


class _Strict(Run):
    """Takes note, too, of a rule that might let the packet by and cannot be read."""

    def _unread(self, base: Chain, rule: Rule) -> None:
        super()._unread(base, rule)
        if any(kind in _LETS_BY for each in rule.statements for kind in each):
            self.events.append(Event(kind=_UNREAD, chain=base, rule=rule))


def decisive(rules: Ruleset, hook: str, packet: Seen, *, nat: bool = False) -> Event | None:
    """What surely becomes of a packet at a hook, if that is not that it passes as it is.

    Args:
        nat: run the chains that rewrite, rather than those that filter.
    """
    chains = rules.chains(hook, packet.src.version)
    return decided(rules, [one for one in chains if (one.type == NAT) is nat], packet)


def decided(rules: Ruleset, chains: Iterable[Chain], packet: Seen) -> Event | None:
    """The same of these base chains, in their order."""
    for chain in chains:
        run = _Strict(rules, packet)
        run.through(chain)
        packet = run.seen
        kinds = {each.kind for each in run.events}
        if kinds & {*_STOPPED, *_REWRITTEN} and _UNREAD not in kinds:
            return run.events[-1]
    return None


def packet_of(
    source: IPAddress, target: IPAddress, protocol: str, port: int, incoming: str, outgoing: str
) -> Seen:
    """The first packet of a connection, from one address to another.

    Args:
        incoming, outgoing: names of the links; without an outgoing one it is for this machine.
    """
    return Seen(
        src=source,
        dst=target,
        protocol=protocol,
        sport=_SENDERS_PORT,
        dport=port,
        mark=0,
        reply=False,
        size=_SIZE,
        incoming=incoming,
        outgoing=outgoing,
        to_local=not outgoing,
    )

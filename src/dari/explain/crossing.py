"""Rules of layer 3 that bridges apply to what they pass on: br_netfilter. Pure.

Source: net/bridge/br_netfilter_hooks.c.
May import: within explain: packet, rules, stops, wire, world.
"""

from __future__ import annotations

from collections.abc import Iterator

from dari.causes.finding import Finding
from dari.explain.packet import Memory, Packet
from dari.explain.rules import FORWARD, POSTROUTING, PREROUTING, Rules
from dari.explain.wire import Arrival
from dari.explain.world import Spot
from dari.netlink.link import Link

Crossing = tuple[str, Spot, Link, Link | None]


def crossings(arrival: Arrival, version: int) -> Iterator[Crossing]:
    """Each hook that a packet met on its way: its name, the place, the bridge, the link out."""
    name = f"net/bridge/bridge-nf-call-{'iptables' if version == 4 else 'ip6tables'}"
    for spot, bridge in reversed(arrival.crossed):
        if spot.ruleset.empty or spot.setting(name) == "0":
            continue
        yield PREROUTING, spot, bridge, None
        yield FORWARD, spot, bridge, bridge
        yield POSTROUTING, spot, bridge, bridge


def question_lost(rules: Rules, arrival: Arrival, packet: Packet) -> tuple[bool, Finding | None]:
    """Is neighbour discovery's question dropped on its way, and why?

    It is ICMPv6, which rules that mean pods' packets may drop too; ARP meets none of them.

    Args:
        rules: that tell nobody.
        packet: what is asked for.
    """
    if packet.dst.version == 4:
        return False, None
    for hook, spot, bridge, outgoing in crossings(arrival, packet.dst.version):
        passed = rules.at(hook, spot, packet, bridge.name, outgoing)
        if passed.stopped is not None:
            return True, passed.finding
    return False, None


def unheard(rules: Rules) -> Rules:
    """The same rules, to be asked without a word to anybody, and without a trace."""
    return rules.apart(lambda _hop: None, Memory())

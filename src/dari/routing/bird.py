"""Dari's part of BIRD 2's configuration, as text: pure.

BIRD's own configuration, which is its owner's, has ``protocol device`` and a
``protocol kernel`` for each family, and includes this part (docs/backends.md has
it in full). Here are only the ranges that this node announces and whom it talks
to; every name begins with ``dari_``, so that nothing of the owner's is hit.

What comes in is held against the records: of a node only the ranges that the plan
grants it, of a router only what is within the cluster's ranges.

Source: BIRD 2.0 User's Guide, chapters 3 to 6.
May import: model, record, and within routing: peer, prefixes, reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from dari.record import Record
from dari.routing.prefixes import key_of

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork
    from dari.routing.peer import Claim, Peer
    from dari.routing.reach import Reach

AS = 64512
_NOT_IN_A_SYMBOL = re.compile(r"[^a-z0-9_]")
_LONGEST_NAME = 31  # BIRD's symbols have 64 characters at most
_MARK = re.compile(r"^define (dari_[0-9a-f]{16}) = 1;$", re.MULTILINE)
_HEADER = "# Written by dari's agent, and anew whenever the cluster changes.\n"
# BIRD's defaults are for the Internet: 5 s to the first try, 240 s until a dead peer is noticed.
_TIMERS = (
    "  connect delay time 1;",
    "  connect retry time 5;",
    "  error wait time 1, 10;",
    "  hold time 15;",
    "  graceful restart on;",
)


class Neighbour(Record):
    """A router to peer with."""

    address: IPAddress
    as_number: int = 0


class Bgp(Record):
    """Whom to peer with.

    Attributes:
        as_number: this node's.
        neighbours: routers.
        mesh: with every node that speaks BGP too.
    """

    as_number: int = AS
    neighbours: tuple[Neighbour, ...] = ()
    mesh: bool = True


class Speaker(Record):
    """What the text is made of.

    Attributes:
        bridge: the link that holds the own ranges.
        peers: the other nodes that speak BGP.
        learnt: what the plan grants them.
        cluster: all pods' ranges.
    """

    own: Peer
    bgp: Bgp
    bridge: str
    peers: tuple[Peer, ...] = ()
    learnt: tuple[Claim, ...] = ()
    cluster: tuple[IPNetwork, ...] = ()


class _Session(Record):
    """One neighbour, and in BIRD's words what is accepted from it."""

    name: str
    neighbour: Neighbour
    accepted: str


def render(speaker: Speaker, reach: Reach) -> str:
    """The whole part, ending in a mark by which a running BIRD shows that it read it.

    Args:
        reach: how this node reaches the others now.
    """
    sessions = [*_mesh(speaker), *_routers(speaker)]
    blocks = [*_own_ranges(speaker), *(_session(each, speaker, reach) for each in sessions)]
    text = "".join(f"\n{block}\n" for block in blocks)
    return f"{_HEADER}{text}\ndefine {_mark_of(text)} = 1;\n"


def find_mark(text: str) -> str:
    """The mark in what `render` made; empty: there is none."""
    found = _MARK.search(text)
    return found[1] if found else ""


def _mark_of(text: str) -> str:
    return f"dari_{blake2b(text.encode(), digest_size=8).hexdigest()}"


def _own_ranges(speaker: Speaker) -> Iterator[str]:
    """What this node announces, for as long as its bridge is there."""
    for version in (4, 6):
        own = [each for each in speaker.own.ranges if each.version == version]
        if own:
            routes = [f'  route {each} via "{speaker.bridge}";' for each in own]
            yield _block(f"static {_own(version)}", [f"  ipv{version};", *routes])


def _mesh(speaker: Speaker) -> Iterator[_Session]:
    """One session with each node for each family that both have addresses of."""
    if not speaker.bgp.mesh:
        return
    for peer in sorted(speaker.peers, key=lambda peer: peer.name):
        for address in peer.addresses:
            granted = [
                claim.network
                for claim in speaker.learnt
                if claim.peer == peer and claim.network.version == address.version
            ]
            yield _Session(
                name=f"dari_{_symbol(peer.name)}_{address.version}",
                neighbour=Neighbour(address=address, as_number=peer.speech.as_number),
                accepted=_within(granted, "") if granted else "",
            )


def _routers(speaker: Speaker) -> Iterator[_Session]:
    every = {*speaker.cluster, *(claim.network for claim in speaker.learnt)}
    for neighbour in speaker.bgp.neighbours:
        version = neighbour.address.version
        others = [each for each in every if each.version == version]
        own = [each for each in speaker.own.ranges if each.version == version]
        but = f" && !({_within(own, '+')})" if own else ""
        yield _Session(
            name=f"dari_router_{_symbol(str(neighbour.address))}",
            neighbour=neighbour,
            accepted=f"{_within(others, '+')}{but}" if others else "",
        )


def _session(one: _Session, speaker: Speaker, reach: Reach) -> str:
    own, there = speaker.own, one.neighbour.address
    hop = reach.hop(there)
    beyond = hop.gateway if hop else None
    local = own.address(there.version)
    foreign = one.neighbour.as_number != speaker.bgp.as_number
    return _block(
        f"bgp {one.name}",
        [
            f"  router id {_router_id(own)};",
            f"  local {f'{local} ' if local else ''}as {speaker.bgp.as_number};",
            f"  neighbor {there} as {one.neighbour.as_number};",
            "  multihop;" if beyond else "  direct;",
            *(["  allow local as;"] if foreign else []),
            *_TIMERS,
            f"  ipv{there.version} {{",
            f"    {_import(one.accepted, beyond)}",
            f'    export where proto = "{_own(there.version)}";',
            "    next hop self;",
            "  };",
        ],
    )


def _import(accepted: str, beyond: IPAddress | None) -> str:
    """What comes in, and for a neighbour that is not on the link, by way of whom it is reached."""
    if not accepted:
        return "import none;"
    if beyond is None:
        return f"import where {accepted};"
    return f"import filter {{ if {accepted} then {{ gw = {beyond}; accept; }} reject; }};"


def _within(networks: Sequence[IPNetwork], tail: str) -> str:
    ordered = sorted(networks, key=key_of)
    return f"net ~ [ {', '.join(f'{each}{tail}' for each in ordered)} ]"


def _block(head: str, lines: Sequence[str]) -> str:
    return "\n".join([f"protocol {head} {{", *lines, "}"])


def _own(version: int) -> str:
    return f"dari_own{version}"


def _symbol(name: str) -> str:
    """A name as one of BIRD's, at most 40 characters, and still no other's."""
    plain = _NOT_IN_A_SYMBOL.sub("_", name)
    if plain == name and len(plain) <= _LONGEST_NAME:
        return plain
    return f"{plain[:_LONGEST_NAME]}_{blake2b(name.encode(), digest_size=4).hexdigest()}"


def _router_id(own: Peer) -> IPAddress:
    """The node's IPv4 address, or for want of one a number that follows from its name."""
    digest = blake2b(own.name.encode(), digest_size=4).digest()
    return own.address(4) or IPv4Address(digest)

"""Which ranges that nodes claim may have a route at all: pure.

What the records say is not trusted: a range that two nodes claim, or that would
lead a node's own address astray, gets no route, and the reason is told.

May import, within routing: peer, prefixes.
"""

from __future__ import annotations

from collections.abc import Sequence

from dari.routing.peer import Claim, Peer
from dari.routing.prefixes import Key, key_of, last_of

_Keyed = tuple[Key, Claim]


def refuse(claims: Sequence[Claim], nodes: Sequence[Peer]) -> dict[Claim, str]:
    """The claims that get no route, and why.

    Args:
        claims: of all nodes, this one included.
        nodes: all nodes, this one included.
    """
    ordered = sorted(
        ((key_of(claim.network), claim) for claim in claims), key=lambda keyed: keyed[0]
    )
    astray = _leading_astray(ordered, nodes)
    return _claimed_twice(ordered) | astray | _unreadable(claims)


def _unreadable(claims: Sequence[Claim]) -> dict[Claim, str]:
    return {
        claim: f"{claim.peer.name}: {claim.peer.trouble}: no route to its pods"
        for claim in claims
        if claim.peer.trouble
    }


def _claimed_twice(ordered: Sequence[_Keyed]) -> dict[Claim, str]:
    """Claims that overlap another node's. Prefixes nest or are apart, so a stack finds them."""
    refused: dict[Claim, str] = {}
    around: list[_Keyed] = []
    for key, claim in ordered:
        while around and not _holds(around[-1][0], key):
            around.pop()
        for _, outer in around:
            if outer.peer.name != claim.peer.name:
                refused[outer] = refused[claim] = _conflict(outer, claim)
        around.append((key, claim))
    return refused


def _holds(outer: Key, inner: Key) -> bool:
    return outer[0] == inner[0] and outer[1] <= inner[1] <= last_of(outer)


def _conflict(left: Claim, right: Claim) -> str:
    if left.network == right.network:
        first, second = sorted((left.peer.name, right.peer.name))
        return f"pod range {left.network} is claimed by both {first} and {second}: no route to it"
    return (
        f"pod range {left.network} of {left.peer.name} overlaps {right.network} of "
        f"{right.peer.name}: no route to either"
    )


def _leading_astray(ordered: Sequence[_Keyed], nodes: Sequence[Peer]) -> dict[Claim, str]:
    """Claims that hold a node's address: such a route would cut the nodes off."""
    marks = sorted(
        (address.version, int(address), node.name) for node in nodes for address in node.addresses
    )
    refused: dict[Claim, str] = {}
    position = 0
    for key, claim in ordered:
        start = (*key[:2], "")
        while position < len(marks) and marks[position] < start:
            position += 1
        if position < len(marks):
            version, number, name = marks[position]
            if version == key[0] and number <= last_of(key):
                refused[claim] = (
                    f"pod range {claim.network} of {claim.peer.name} holds the address of "
                    f"node {name}: no route to it"
                )
    return refused

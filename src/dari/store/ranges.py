"""Which part of a cluster's range a node gets: pure arithmetic.

May import: errors, model, record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING

from dari.errors import BadConfig, NotAvailable
from dari.model import NodeName
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork

DEFAULT_PREFIX = {4: 24, 6: 64}


class RangesExhausted(NotAvailable):
    """Every range of the cluster is held by a node."""


class RangeTaken(BadConfig):
    """Two nodes claim the same addresses; the message names both."""


class ClusterRange(Record):
    """A prefix that nodes get their ranges from; `node_prefix` is a node's prefix length."""

    network: IPNetwork
    node_prefix: int


class Claim(Record):
    """A prefix that a node holds."""

    node: NodeName
    network: IPNetwork


def allot(
    name: NodeName,
    clusters: Sequence[ClusterRange],
    earlier: Sequence[IPNetwork],
    others: Sequence[Claim],
) -> tuple[IPNetwork, ...]:
    """Choose a node's ranges: one of each cluster range.

    What the node had before within a cluster range it keeps, of whatever size,
    since its pods have addresses of it. Otherwise it gets the first part that
    overlaps nobody's claim.

    Args:
        name: the node's, for errors.
        clusters: what to allot from.
        earlier: what the node's own record held until now.
        others: what all other nodes hold, allotted or given.

    Raises:
        RangeTaken: what the node had before is claimed by another as well.
        RangesExhausted: no part is left.
    """
    kept = [each for each in earlier if any(within(each, one.network) for one in clusters)]
    refuse_taken(name, kept, others)
    allotted: list[IPNetwork] = []
    for cluster in clusters:
        had = [each for each in kept if within(each, cluster.network)]
        allotted += had or [_first_free(cluster, others, allotted)]
    return tuple(allotted)


def refuse_taken(name: NodeName, wanted: Iterable[IPNetwork], others: Iterable[Claim]) -> None:
    """Refuse prefixes of which another node holds a part.

    Raises:
        RangeTaken: it names both nodes and both prefixes.
    """
    claims = list(others)
    for network in wanted:
        for claim in claims:
            if _overlap(network, claim.network):
                raise RangeTaken(
                    f"pod range {network} of {name} overlaps {claim.network} of {claim.node}",
                    "give one of them another range, or remove the record of a node that is gone",
                )


def unclaimed(wanted: Iterable[IPNetwork], others: Iterable[Claim]) -> tuple[IPNetwork, ...]:
    """Those of the prefixes of which nobody else holds a part."""
    taken = [claim.network for claim in others]
    return tuple(each for each in wanted if not any(_overlap(each, other) for other in taken))


def _first_free(
    cluster: ClusterRange, others: Sequence[Claim], own: Sequence[IPNetwork]
) -> IPNetwork:
    """Walk the claims in order and take the first gap that a node's range fits into."""
    taken = [claim.network for claim in others] + list(own)
    candidate = int(cluster.network.network_address)
    size = 1 << (cluster.network.max_prefixlen - cluster.node_prefix)
    for first, last in _intervals(cluster.network, taken):
        if first > candidate + size - 1:
            break
        if last >= candidate:
            candidate = (last // size + 1) * size
    if candidate + size - 1 > int(cluster.network.broadcast_address):
        raise RangesExhausted(
            f"cluster range {cluster.network}: all {_count(cluster)} ranges of "
            f"/{cluster.node_prefix} are held by nodes",
            "remove the records of nodes that are gone, or add a cluster range",
        )
    return ip_network((_address(candidate, cluster.network), cluster.node_prefix))


def _count(cluster: ClusterRange) -> int:
    return 1 << (cluster.node_prefix - cluster.network.prefixlen)


def _intervals(within: IPNetwork, taken: Iterable[IPNetwork]) -> Iterator[tuple[int, int]]:
    """First and last number of each prefix that touches `within`, in order."""
    touching = [each for each in taken if _overlap(each, within)]
    return iter(
        sorted((int(each.network_address), int(each.broadcast_address)) for each in touching)
    )


def _address(number: int, like: IPNetwork) -> IPAddress:
    return type(like.network_address)(number)


def within(inner: IPNetwork, outer: IPNetwork) -> bool:
    """Is the one prefix a part of the other, or the same?"""
    return _overlap(inner, outer) and inner.prefixlen >= outer.prefixlen


def _overlap(left: IPNetwork, right: IPNetwork) -> bool:
    """As `overlaps`, which would keep two more addresses with each of thousands of networks."""
    if left.version != right.version:
        return False
    rest = left.max_prefixlen - min(left.prefixlen, right.prefixlen)
    return int(left.network_address) >> rest == int(right.network_address) >> rest

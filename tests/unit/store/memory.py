"""The store's stateful fake: passes the same contract suite as the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from dari.model import NodeName
from dari.store.base import Listing
from dari.store.ranges import Claim, ClusterRange, allot, refuse_taken, unclaimed
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from dari.model import IPNetwork
    from dari.store.base import Names


class Cluster:
    """What several `MemoryStore`s share: the records, and who waits for a change."""

    def __init__(self) -> None:
        self.nodes: dict[NodeName, NodeRecord] = {}
        self.waiting: set[asyncio.Event] = set()

    def changed(self) -> None:
        for event in self.waiting:
            event.set()

    def claims(self, but: NodeName) -> list[Claim]:
        return [
            Claim(node=record.name, network=network)
            for record in self.nodes.values()
            for network in record.pod_ranges
            if record.name != but
        ]


class MemoryStore:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def records(self) -> Listing:
        nodes = self._cluster.nodes
        return Listing(records=tuple(nodes[name] for name in sorted(nodes)))

    async def some(self, names: Names) -> Listing:
        nodes = self._cluster.nodes
        return Listing(records=tuple(nodes[name] for name in sorted(names) if name in nodes))

    async def get(self, name: NodeName) -> NodeRecord | None:
        return self._cluster.nodes.get(name)

    async def put(self, record: NodeRecord) -> None:
        refuse_taken(record.name, record.pod_ranges, self._cluster.claims(record.name))
        self._cluster.nodes[record.name] = record
        self._cluster.changed()

    async def remove(self, name: NodeName) -> bool:
        there = self._cluster.nodes.pop(name, None) is not None
        self._cluster.changed()
        return there

    async def allot(
        self, name: NodeName, clusters: Sequence[ClusterRange], used: Sequence[IPNetwork] = ()
    ) -> tuple[IPNetwork, ...]:
        record = self._cluster.nodes.get(name, NodeRecord(name=name))
        others = self._cluster.claims(name)
        earlier = record.pod_ranges or unclaimed(used, others)
        ranges = allot(name, clusters, earlier, others)
        self._cluster.nodes[name] = record.replace(pod_ranges=ranges)
        self._cluster.changed()
        return ranges

    async def announce(self, name: NodeName) -> None:
        """Nobody waits for it."""

    async def close(self) -> None:
        """Nothing is open."""

    async def watch(self) -> AsyncIterator[Names | None]:
        event = asyncio.Event()
        self._cluster.waiting.add(event)
        try:
            yield None
            while await event.wait():
                event.clear()
                yield None
        finally:
            self._cluster.waiting.discard(event)

"""The etcd store: records as in `etcd.source`, ranges by compare-and-swap.

No two nodes get the same range because every write that changes a node's ranges
also writes one key, ``PREFIX/ranges``, and is done only if nobody wrote that key
since the revision at which all claims were read. Whoever comes second reads again
and chooses anew. Any write depends on the node's own record still being the one that
was read; one that leaves the ranges as they are depends on nothing else.

May import: errors, model, record, store.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from dari.errors import TryAgain, Undecodable
from dari.model import NodeName
from dari.store.base import Listing
from dari.store.etcd.api import Etcd, EtcdSettings, items, number, section, wrap
from dari.store.etcd.liveness import Sign, SignSource
from dari.store.etcd.source import EtcdSource
from dari.store.ranges import (
    ClusterRange,
    RangesExhausted,
    RangeTaken,
    allot,
    refuse_taken,
    unclaimed,
    within,
)
from dari.store.record import NodeRecord, encode
from dari.store.remote.entries import Entry, Snapshot, claims, read_entry
from dari.store.remote.mirror import Mirror
from dari.store.remote.pauses import Pauses

if TYPE_CHECKING:
    from dari.model import IPNetwork, Json
    from dari.store.base import Names

_PATIENCE = 60.0  # seconds that others may come first
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 2.0

Decide = Callable[[Snapshot], NodeRecord]


class EtcdStore:
    """Records in etcd.

    Args:
        settings: how it is reached.
    """

    def __init__(self, settings: EtcdSettings) -> None:
        self._etcd = Etcd(settings)
        self._source = EtcdSource(self._etcd, settings.prefix)
        self._mirror = Mirror(self._source, settings.timing)
        signs = SignSource(self._etcd, settings.prefix)
        self._signs = Mirror(signs, settings.timing)
        self._sign = Sign(self._etcd, signs, settings.sign_seconds)
        self._guard = wrap(f"{settings.prefix}/ranges".encode())

    async def records(self) -> Listing:
        """All records, and whose agents give no sign of life; see `Store.records`."""
        listing = await self._mirror.listing()
        signs = (await self._signs.current()).entries
        silent = tuple(each.name for each in listing.records if each.name not in signs)
        return listing.replace(silent=silent) if silent else listing

    async def some(self, names: Names) -> Listing:
        return await self._mirror.some(names)

    async def get(self, name: NodeName) -> NodeRecord | None:
        entry = await self._entry(name)
        if entry is not None and entry.trouble:
            raise Undecodable(entry.trouble)
        return entry.record if entry else None

    async def put(self, record: NodeRecord) -> None:
        def decide(known: Snapshot) -> NodeRecord:
            others = claims(known.entries.values(), record.name, strict=False)
            refuse_taken(record.name, record.pod_ranges, others)
            return record

        await self._write(record.name, decide)

    async def remove(self, name: NodeName) -> bool:
        body = {"key": wrap(self._source.key(name).encode())}
        answer = await self._etcd.call("/v3/kv/deleterange", body)
        self._mirror.wrote(name, None)
        return number(answer, "deleted") > 0

    async def allot(
        self, name: NodeName, clusters: Sequence[ClusterRange], used: Sequence[IPNetwork] = ()
    ) -> tuple[IPNetwork, ...]:
        def decide(known: Snapshot) -> NodeRecord:
            entry = known.entries.get(name, Entry(name=name))
            earlier = entry.ranges or ()
            complete = all(
                any(within(each, cluster.network) for each in earlier) for cluster in clusters
            )
            others = claims(known.entries.values(), name, strict=not complete)
            record = entry.record or NodeRecord(name=name)
            earlier = earlier or unclaimed(used, others)
            return record.replace(pod_ranges=allot(name, clusters, earlier, others))

        return (await self._write(name, decide)).pod_ranges

    async def watch(self) -> AsyncIterator[Names | None]:
        """Tell of changed records; signs of life are kept up with in silence."""
        signs = asyncio.create_task(_follow(self._signs), name="signs of life")
        try:
            async for names in self._mirror.watch():
                yield names
        finally:
            signs.cancel()
            await asyncio.wait([signs])

    async def announce(self, name: NodeName) -> None:
        """Give a sign of life, from now on until the store is closed."""
        self._sign.give(name)

    async def close(self) -> None:
        await self._sign.end()
        await self._etcd.close()

    async def _entry(self, name: NodeName) -> Entry | None:
        body = {"key": wrap(self._source.key(name).encode())}
        found = items(await self._etcd.call("/v3/kv/range", body), "kvs")
        return self._source.entry(found[0]) if found else None

    async def _write(self, name: NodeName, decide: Decide) -> NodeRecord:
        """Write what is decided on what was read, deciding anew whenever it was outrun.

        Raises:
            TryAgain: others came first for a minute.
            DariError: what `decide` raises on records that are surely current.
        """
        pauses = Pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        end = time.monotonic() + _PATIENCE
        certain = not self._mirror.active
        known = await self._mirror.current()
        while time.monotonic() < end:
            try:
                record = decide(known)
            except (RangeTaken, RangesExhausted, TryAgain):
                if certain:
                    raise
            else:
                if await self._swap(known, record):
                    return record
                await asyncio.sleep(pauses.next())
            known, certain = await self._mirror.snapshot(), True
        raise TryAgain(
            f"etcd: the record of {name} was not written, since others wrote ranges all the time"
        )

    async def _swap(self, known: Snapshot, record: NodeRecord) -> bool:
        """Write a record unless what it was decided on has changed since."""
        entry = known.entries.get(record.name, Entry(name=record.name))
        if record == entry.record:
            return True
        key, content = wrap(self._source.key(record.name).encode()), encode(record)
        compares, writes = [_compare(key, "EQUAL", entry.revision)], [_put(key, content)]
        if record.pod_ranges != entry.ranges:
            compares.append(_compare(self._guard, "LESS", known.position.revision + 1))
            writes.append(_put(self._guard, b""))
        body = {"compare": compares, "success": writes}
        answer = await self._etcd.call("/v3/kv/txn", body)
        if not answer.get("succeeded"):
            return False
        revision = number(section(answer, "header"), "revision")
        written = read_entry(record.name, content, "what was written", revision, entry.birth)
        self._mirror.wrote(record.name, written)
        return True


async def _follow(mirror: Mirror) -> None:
    async for _ in mirror.watch():
        pass


def _compare(key: str, result: str, revision: int) -> Json:
    """When the key was last written; one that is not there counts as written at 0."""
    return {"key": key, "target": "MOD", "result": result, "mod_revision": str(revision)}


def _put(key: str, content: bytes) -> Json:
    return {"request_put": {"key": key, "value": wrap(content)}}

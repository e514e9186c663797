"""A copy of a remote store's records, kept up to date by a watch.

The agent asks for all records at every pass; thousands of agents that each had
them sent every time would be the store's whole load. So all are listed once, and
then changes are followed. Where that breaks off it is taken up where it was; where
the store has forgotten that moment, or turns out to be another one than before
(restored from a backup, it has counted less far), all are listed again.

A watch that has nothing to tell looks the same as one whose server was stopped or
cut off. So now and then the server is asked how far it has counted.

While contact is lost the copy is not given out as if it were current: asking for
it raises `Unreachable`, and whoever asked keeps what it had.

May import: errors, model, record, store.base, store.record, store.remote.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Protocol

from dari.errors import DariError
from dari.model import NodeName
from dari.record import Record
from dari.store.base import Listing, Unreachable
from dari.store.remote.entries import Entry, Position, Snapshot
from dari.store.remote.pauses import Pauses, Timing

if TYPE_CHECKING:
    from dari.store.base import Names


class Expired(DariError):
    """The store no longer knows what happened since, or is not the one it was."""


class Change(Record):
    """What a watch tells.

    Attributes:
        revision: everything up to here has been told.
        name: of the node that changed; empty: none, only the count did.
        entry: what it is now; None: it is gone.
    """

    revision: int
    name: NodeName = NodeName("")
    entry: Entry | None = None


class Source(Protocol):
    """What differs between remote stores. Each method raises a `DariError` on failure."""

    async def list(self) -> Snapshot:
        """All entries."""

    def follow(self, since: Position) -> AsyncGenerator[Change, None]:
        """What changes after a moment; ends when the server ends it.

        Raises:
            Expired: that moment is no longer known, or still to come.
        """

    async def position(self, witness: NodeName) -> Position:
        """How far the store has counted now, and how old one entry is; cheap."""


class _Watcher:
    """Somebody who waits for changes, and what has changed since they last looked."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._names: set[NodeName] | None = set()

    def tell(self, name: NodeName | None) -> None:
        if name is None:
            self._names = None
        elif self._names is not None:
            self._names.add(name)
        self.changed.set()

    def take(self) -> frozenset[NodeName] | None:
        names, self._names = self._names, set()
        self.changed.clear()
        return None if names is None else frozenset(names)


class Mirror:
    """Keeps the copy while somebody watches.

    Args:
        source: the store.
        timing: how long to wait for what.
        clock: seconds since 1970.
    """

    def __init__(
        self, source: Source, timing: Timing, clock: Callable[[], float] = time.time
    ) -> None:
        self._source = source
        self._timing = timing
        self._clock = clock
        self._entries: dict[NodeName, Entry] = {}
        self._position: Position | None = None
        self._listing: Listing | None = None
        self._outdated = False
        self._witness = NodeName("")
        self._highest = 0  # revision that was seen, of the watch or of own writes
        self._list_after = 0.0
        self._trouble: Unreachable | None = None
        self._settled = asyncio.Event()
        self._watchers: set[_Watcher] = set()
        self._pump: asyncio.Task[None] | None = None

    async def watch(self) -> AsyncGenerator[frozenset[NodeName] | None, None]:
        """Yield at once and after each change, of the records or of contact; see `Store.watch`."""
        watcher = _Watcher()
        self._watchers.add(watcher)
        if self._pump is None:
            self._pump = asyncio.create_task(self._keep(), name="mirror")
            self._pump.add_done_callback(lambda _: self._tell())
        try:
            yield None
            while True:
                await watcher.changed.wait()
                names = watcher.take()
                if self._pump is not None and self._pump.done():
                    self._pump.result()
                yield names
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                await self._stop()

    async def listing(self) -> Listing:
        """All records: the copy while there is a watch, otherwise asked for now.

        Raises:
            Unreachable: the store cannot be asked.
        """
        known = await self.current()
        if not self.active:
            return listing_of(known)
        if self._listing is None:
            self._listing = listing_of(known)
        if self._listing.revision != self._highest:
            self._listing = self._listing.replace(revision=self._highest)
        return self._listing

    async def some(self, names: Names) -> Listing:
        """The same of these nodes alone.

        Raises:
            Unreachable: the store cannot be asked.
        """
        known = await self.current()
        entries = {name: known.entries[name] for name in names if name in known.entries}
        listing = listing_of(known.replace(entries=entries))
        return listing.replace(revision=self._highest) if self.active else listing

    @property
    def active(self) -> bool:
        """Is there a watch, so that what `current` gives is a copy?"""
        return self._pump is not None

    async def current(self) -> Snapshot:
        """All entries: the copy while there is a watch, otherwise asked for now.

        Raises:
            Unreachable: the store cannot be asked; while there is a watch, its pauses
                are everybody's, so the server is not even tried.
        """
        if self._pump is not None:
            await self._settled.wait()
        if self._pump is None or (self._position is None and self._trouble is None):
            return await self.snapshot()
        if self._trouble is not None:
            raise self._trouble
        return self._copy()

    async def snapshot(self) -> Snapshot:
        """All entries, asked for now.

        Raises:
            Unreachable: the store cannot be asked.
        """
        try:
            return await self._source.list()
        except Expired as error:
            raise Unreachable(error.message, error.details) from None

    def _copy(self) -> Snapshot:
        assert self._position is not None
        return Snapshot(position=self._position, entries=self._entries)

    def wrote(self, name: NodeName, entry: Entry | None) -> None:
        """Take over what was just written, so that it is read even before the watch tells."""
        self._witness = name
        self._highest = max(self._highest, entry.revision if entry else 0)
        if self._settled.is_set() and self._position is not None:
            self._take(name, entry)

    async def _stop(self) -> None:
        pump, self._pump = self._pump, None
        self._settled.set()
        self._settled = asyncio.Event()
        self._position, self._trouble, self._listing = None, None, None
        self._outdated = False
        self._entries = {}
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])

    def _tell(self, name: NodeName | None = None) -> None:
        for each in self._watchers:
            each.tell(name)

    async def _keep(self) -> None:
        timing = self._timing
        pauses = Pauses(timing.first_pause, timing.longest_pause)
        while True:
            try:
                await self._catch_up(pauses)
                await self._follow(pauses)
            except Expired:
                # The copy is of use until there is a newer one: it is a moment old.
                self._outdated = True
            except DariError as error:
                self._lose(error)
            await asyncio.sleep(pauses.next())

    async def _catch_up(self, pauses: Pauses) -> None:
        """List everything, unless the store still is where the watch left it.

        Once in a while everything is listed in any case: a store that went back and
        then counted past where it had been would otherwise go unnoticed.
        """
        now = time.monotonic()
        if self._position is None or self._outdated or now > self._list_after:
            snapshot = await self.snapshot()
            self._list_after = now + pauses.spread(self._timing.relist)
            self._outdated = False
            self._entries = dict(snapshot.entries)
            self._position = snapshot.position
            self._highest = snapshot.position.revision
            self._found(changed=True)
        else:
            await self._compare()
            self._found(changed=False)

    def _found(self, *, changed: bool) -> None:
        """There is contact, and the copy is what the store held a moment ago."""
        if changed:
            self._listing = None
        if changed or self._trouble is not None:
            self._trouble = None
            self._tell()
        self._settled.set()

    def _lose(self, error: DariError) -> None:
        """Contact is lost. The first reason stays, so that it is told once."""
        if self._trouble is None:
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock()))
            self._trouble = Unreachable(
                f"store {error.message}; since {since}, what was known is kept", error.details
            )
            self._tell()
        self._settled.set()

    async def _compare(self) -> None:
        """Is the store the one that the copy is of?

        What this node wrote is asked for along: a store that was restored and has
        since counted past the copy's revision lacks it, or has it from before.
        """
        before, own = self._position, self._entries.get(self._witness)
        highest = self._highest
        # Both are from before the question: what comes meanwhile is newer than the answer.
        now = await self._source.position(self._witness)
        if before is None:
            return
        if now.revision < highest or now.origin != before.origin:
            raise Expired("the store is not what it was: it has counted less far")
        if now.witness >= 0 and now.witness < (own.revision if own else 0):
            raise Expired("the store is not what it was: it lost what this node wrote")

    async def _follow(self, pauses: Pauses) -> None:
        """Take over changes until the watch ends, has lived long enough, or the server is gone."""
        probe = asyncio.create_task(self._probe(pauses), name="probe")
        reading = asyncio.create_task(self._read(pauses), name="changes")
        try:
            async with asyncio.timeout(pauses.spread(self._timing.lifetime)):
                await asyncio.wait({probe, reading}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            for task in (probe, reading):
                task.cancel()
            results = await asyncio.gather(probe, reading, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _probe(self, pauses: Pauses) -> None:
        while True:
            await asyncio.sleep(pauses.spread(self._timing.probe))
            await self._compare()
            pauses.reset()

    async def _read(self, pauses: Pauses) -> None:
        assert self._position is not None
        changes = self._source.follow(self._position)
        try:
            async for change in changes:
                if change.revision > self._position.revision:
                    self._position = self._position.replace(revision=change.revision)
                    self._highest = max(self._highest, change.revision)
                if change.name:
                    pauses.reset()
                    self._take(change.name, change.entry)
        finally:
            await changes.aclose()

    def _take(self, name: NodeName, entry: Entry | None) -> None:
        known = self._entries.get(name)
        if entry is not None and known is not None and entry.revision < known.revision:
            return
        if entry is None:
            self._entries.pop(name, None)
        elif known is not None and entry.replace(revision=known.revision) == known:
            # A kubelet's sign of life changes its Node, and nothing that matters here.
            self._entries[name] = known.replace(revision=entry.revision)
            return
        else:
            self._entries[name] = entry
        self._listing = None
        self._tell(name)


def listing_of(snapshot: Snapshot) -> Listing:
    """What a store answers, from its entries."""
    entries = [snapshot.entries[name] for name in sorted(snapshot.entries)]
    return Listing(
        records=tuple(each.record for each in entries if each.record is not None),
        damaged=tuple(each.trouble for each in entries if each.trouble),
        revision=snapshot.position.revision,
        origin=snapshot.position.origin,
    )

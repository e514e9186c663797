"""What the store said, and for a while what it no longer says.

A node that is removed from the store loses its routes at once. But a store that
comes back with less than it had (emptied, or restored from a backup) has removed
nobody: its nodes still run, and write themselves anew as soon as they notice.
Until then, or for a stated time at most, they keep their routes.

How it shows: the store has counted less far than before, or is another one; or
what this node wrote itself is not there any more. Each node is its own witness.

Pure; the clocks are the caller's. The one that counts goes on whatever becomes of the time
of day; what is held is of this process, so that it needs to outlive no boot.

May import: model, record, store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Set

from dari.model import NodeName
from dari.record import Record
from dari.store.base import Listing
from dari.store.record import NodeRecord

_NAMED = 5  # nodes in a message; thousands may be held


class _Held(Record):
    """`until` counts; `told` is the same moment for people."""

    record: NodeRecord
    until: float
    told: float


class Memory:
    """The cluster's records as this node goes by them.

    Args:
        own: this node's name, of which the store alone tells; empty for a router.
        grace: seconds that vanished nodes are kept.
        wall: seconds since 1970, for words alone.
    """

    def __init__(self, own: NodeName, grace: float, wall: Callable[[], float] = time.time) -> None:
        self._own = own
        self._grace = grace
        self._wall = wall
        self._wrote: NodeRecord | None = None
        self._revision, self._origin = 0, ""
        self._held: dict[NodeName, _Held] = {}
        self._reason = ""
        self._records: dict[NodeName, NodeRecord] | None = None
        self._in_order: tuple[NodeRecord, ...] | None = None

    @property
    def records(self) -> tuple[NodeRecord, ...] | None:
        """All of them by name; the same object until one differs. None: nothing is known."""
        if self._in_order is None and self._records is not None:
            self._in_order = tuple(self._records[name] for name in sorted(self._records))
        return self._in_order

    @property
    def held(self) -> tuple[NodeName, ...]:
        """Nodes that are kept although the store does not say so."""
        return tuple(sorted(self._held))

    def wrote(self, record: NodeRecord) -> None:
        """The store has taken this node's record."""
        self._wrote = record

    def take(self, listing: Listing, now: float) -> None:
        """The store has answered.

        Args:
            listing: all records.
            now: seconds from any fixed moment.
        """
        there = {each.name: each for each in listing.records}
        doubt = self._doubt(listing, there)
        if doubt:
            self._hold(there, now)
            self._reason = doubt
        self._release(there, now)
        self._revision, self._origin = listing.revision, listing.origin
        kept = {name: each.record for name, each in self._held.items()}
        merged = {**there, **kept}
        if merged != self._records:
            self._records, self._in_order = merged, None

    def take_some(
        self, names: Set[NodeName], listing: Listing
    ) -> dict[NodeName, NodeRecord | None] | None:
        """The store has answered about some nodes.

        Args:
            names: which.
            listing: their records.

        Returns:
            Which others' records differ now, and what they are; None in place of one
            that is gone. None in place of all: whether to believe it, all records tell.
        """
        there = {each.name: each for each in listing.records}
        known = self._records
        if known is None or self._held or listing.damaged:
            return None
        if self._is_doubtful(listing, there) or (self._own in names and not self._is_own(there)):
            return None
        changed = {name: there.get(name) for name in names if there.get(name) != known.get(name)}
        for name, record in changed.items():
            if record is None:
                del known[name]
            else:
                known[name] = record
        if changed:
            self._in_order = None
        self._revision = listing.revision
        changed.pop(self._own, None)
        return changed

    def knows(self, names: Set[NodeName]) -> bool:
        """Has each of these nodes a record?"""
        return self._records is not None and names <= self._records.keys()

    def _is_doubtful(self, listing: Listing, there: Mapping[NodeName, NodeRecord]) -> bool:
        """Could the store be another one than before, or hold less?"""
        known = self._records or {}
        older = any(
            each.name in known and each.updated < known[each.name].updated
            for each in listing.records
        )
        return older or listing.origin != self._origin or listing.revision < self._revision

    def _is_own(self, there: Mapping[NodeName, NodeRecord]) -> bool:
        """Is this node's record still what it wrote?"""
        own = there.get(self._own)
        return own is not None and own.says_the_same_as(self._wrote)

    def problem(self) -> str:
        """In words, who is kept and until when; empty: nobody is."""
        if not self._held:
            return ""
        names = self.held
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        until = max(each.told for each in self._held.values())
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
        return (
            f"{self._reason}; until {moment}, or until they write themselves anew, these "
            f"nodes are taken to be as they were: {', '.join(names[:_NAMED])}{more}"
        )

    def _doubt(self, listing: Listing, there: dict[NodeName, NodeRecord]) -> str:
        """Why the listing should not be believed where it has less than before."""
        if self._records is None:
            return ""
        if self._origin and listing.origin != self._origin:
            return "the store is another one than before"
        if listing.revision < self._revision:
            return f"the store went back from revision {self._revision} to {listing.revision}"
        if self._wrote and not self._wrote.says_the_same_as(there.get(self._own)):
            return "the store lost what this node wrote"
        return ""

    def _hold(self, there: dict[NodeName, NodeRecord], now: float) -> None:
        """Keep what is missing now, or older than it was."""
        for record in (self._records or {}).values():
            found = there.get(record.name)
            older = found is None or found.updated < record.updated
            if older and record.name not in (self._own, *self._held):
                self._held[record.name] = _Held(
                    record=record, until=now + self._grace, told=self._wall() + self._grace
                )

    def _release(self, there: dict[NodeName, NodeRecord], now: float) -> None:
        """Let go of whom the store has again, and of whom it has not after the time."""
        for name, held in list(self._held.items()):
            found = there.get(name)
            if now >= held.until or (found and found.updated >= held.record.updated):
                del self._held[name]

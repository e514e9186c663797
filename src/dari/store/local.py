"""A folder on one machine as the store: for the lab, and where nothing else is configured.

One JSON file for each node, ``nodes/<name>.json``, written whole. A lock on
``lock`` is held wherever reading decides what is written, so that two nodes never
get the same range. Watching asks for the folder's time of change, which a rename
moves: the same on every file system. Where the kernel tells which file was
written, that is quicker. Removals are left to the first: who removes one file
may be about to remove all of them.

May import: errors, files, model, record, store.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING

from dari.errors import DariError, IOFailure, TryAgain, Undecodable
from dari.files import locked, remove, write_whole
from dari.model import NodeName
from dari.record import Record
from dari.store.base import Listing
from dari.store.notices import Notices
from dari.store.ranges import Claim, ClusterRange, allot, refuse_taken, unclaimed, within
from dari.store.record import LARGEST, NodeRecord, decode, decode_ranges, encode, parse_name

if TYPE_CHECKING:
    from dari.model import IPNetwork
    from dari.store.base import Names

_SUFFIX = ".json"
_POLL_SECONDS = 0.2
_SETTLED_NS = 100_000_000  # no file system's clock is coarser


class _Read(Record):
    """What a file held when it had this mark; exactly one of record and error is there."""

    mark: int
    record: NodeRecord | None = None
    error: DariError | None = None


class LocalStore:
    """Records as files in a folder.

    Args:
        folder: made when something is first written.
    """

    def __init__(self, folder: str) -> None:
        self._nodes = f"{folder}/nodes"
        self._lock = f"{folder}/lock"
        self._known: dict[NodeName, _Read] = {}

    async def records(self) -> Listing:
        return await asyncio.to_thread(self._list)

    async def some(self, names: Names) -> Listing:
        return await asyncio.to_thread(lambda: _listing(map(self._read, sorted(names))))

    async def get(self, name: NodeName) -> NodeRecord | None:
        return await asyncio.to_thread(self._get, name)

    async def put(self, record: NodeRecord) -> None:
        await asyncio.to_thread(self._put, record)

    async def remove(self, name: NodeName) -> bool:
        return await asyncio.to_thread(remove, self._path(name))

    async def allot(
        self, name: NodeName, clusters: Sequence[ClusterRange], used: Sequence[IPNetwork] = ()
    ) -> tuple[IPNetwork, ...]:
        return await asyncio.to_thread(self._allot, name, clusters, used)

    async def watch(self) -> AsyncIterator[Names | None]:
        """Poll the folder, and hear of what is written at once; see `Store.watch`.

        A change within the clock's tick of the one seen leaves the same time
        behind, so a change is told of once more when the tick has passed.
        """
        seen, settled, due = self._changed(), False, inf
        yield None
        with Notices(self._nodes) as notices:
            while True:
                news = await notices.within(_POLL_SECONDS)
                before, seen = seen, self._changed()
                if written := frozenset(map(_name_of, filter(_is_record, news.written))):
                    yield written
                if news.lost or any(map(_is_record, news.removed)):
                    due = min(due, time.monotonic() + _POLL_SECONDS)
                elif not written and (seen != before or not settled):
                    settled, due = seen == before, 0.0
                if time.monotonic() >= due:
                    due = inf
                    yield None

    async def announce(self, name: NodeName) -> None:
        """Nobody else waits for a node of this folder."""

    async def close(self) -> None:
        """Nothing is held open between calls."""

    def _changed(self) -> int | None:
        try:
            return os.stat(self._nodes).st_mtime_ns
        except OSError:
            return None

    def _list(self) -> Listing:
        return _listing(map(self._read, self._names()))

    def _get(self, name: NodeName) -> NodeRecord | None:
        found = self._read(name)
        if found.error:
            raise found.error
        return found.record

    def _put(self, record: NodeRecord) -> None:
        with locked(self._lock):
            refuse_taken(record.name, record.pod_ranges, self._claims(record.name, strict=False))
            self._write(record)

    def _allot(
        self, name: NodeName, clusters: Sequence[ClusterRange], used: Sequence[IPNetwork] = ()
    ) -> tuple[IPNetwork, ...]:
        with locked(self._lock):
            earlier = self._earlier(name)
            complete = all(
                any(within(each, cluster.network) for each in earlier) for cluster in clusters
            )
            others = self._claims(name, strict=not complete)
            ranges = allot(name, clusters, earlier or unclaimed(used, others), others)
            if ranges != earlier:
                record = self._read(name).record or NodeRecord(name=name)
                self._write(record.replace(pod_ranges=ranges))
        return ranges

    def _earlier(self, name: NodeName) -> tuple[IPNetwork, ...]:
        """What the node holds already, though the rest of its record may be damaged."""
        try:
            return self._ranges(name)
        except Undecodable:
            return ()

    def _claims(self, but: NodeName, *, strict: bool) -> list[Claim]:
        """What all other nodes hold. `strict`: a record that hides its ranges is an error."""
        claims: list[Claim] = []
        for name in self._names():
            if name == but:
                continue
            try:
                ranges = self._ranges(name)
            except Undecodable as error:
                if strict:
                    raise TryAgain(
                        f"no range can be allotted, since a damaged record may hold any: "
                        f"{error.message}",
                        error.details,
                    ) from None
                continue
            claims += [Claim(node=name, network=network) for network in ranges]
        return claims

    def _ranges(self, name: NodeName) -> tuple[IPNetwork, ...]:
        found = self._read(name)
        if found.record:
            return found.record.pod_ranges
        try:
            return decode_ranges(read_regular(self._path(name)), self._path(name))
        except FileNotFoundError:
            return ()

    def _names(self) -> Iterator[NodeName]:
        """Names of the nodes that have a file, in order; other files are nobody's record."""
        try:
            entries = sorted(os.listdir(self._nodes))
        except FileNotFoundError:
            return
        except OSError as error:
            raise IOFailure(f"read {self._nodes}: {error.strerror}") from None
        for entry in entries:
            if _is_record(entry):
                yield _name_of(entry)

    def _path(self, name: str) -> str:
        return f"{self._nodes}/{name}{_SUFFIX}"

    def _write(self, record: NodeRecord) -> None:
        write_whole(self._path(record.name), encode(record))

    def _read(self, name: NodeName) -> _Read:
        """A node's file, read again only if it changed; an empty answer where there is none."""
        try:
            status = os.lstat(self._path(name))
        except OSError:
            self._known.pop(name, None)
            return _Read(mark=0)
        mark = _mark(status)
        known = self._known.get(name)
        if known is None or known.mark != mark:
            known = self._decode(name, mark)
            if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
                # By its own name, which is the same: thousands of names are kept once.
                self._known[known.record.name if known.record else name] = known
        return known

    def _decode(self, name: NodeName, mark: int) -> _Read:
        path = self._path(name)
        try:
            parse_name(name, f"{self._nodes}: name of a file")
            record = decode(read_regular(path), path)
            if record.name != name:
                raise Undecodable(f"{path}: name: {record.name!r} belongs into {record.name}.json")
            return _Read(mark=mark, record=record)
        except FileNotFoundError:
            return _Read(mark=0)
        except DariError as error:
            return _Read(mark=mark, error=error)


def _listing(found: Iterable[_Read]) -> Listing:
    reads = list(found)
    return Listing(
        records=tuple(each.record for each in reads if each.record),
        damaged=tuple(each.error.message for each in reads if each.error),
    )


def _is_record(file: str) -> bool:
    return not file.startswith(".") and file.endswith(_SUFFIX)


def _name_of(file: str) -> NodeName:
    return NodeName(file.removesuffix(_SUFFIX))


def _mark(status: os.stat_result) -> int:
    """What differs whenever a file was written, unless twice within a clock's tick.

    One number is smaller than three, which counts where there are thousands.
    """
    return (((status.st_ino << 96) + status.st_mtime_ns) << 64) + status.st_size


def read_regular(path: str) -> bytes:
    """Read a file that anybody may have put there: never a link's target, never a hang.

    Returns:
        At most one byte more than a record may have.

    Raises:
        FileNotFoundError: there is none.
        Undecodable: it is no regular file, or cannot be read.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Undecodable(f"{path}: cannot be read: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Undecodable(f"{path}: not a file")
        return os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)

"""Nodes' records in etcd: listed page by page at one revision, then watched.

A record is at ``PREFIX/nodes/NAME``. It has no lease: a node whose agent is down
still carries pods, and keeps its routes.

May import: errors, model, record, store.base, store.etcd.api, store.remote.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from dari.model import NodeName
from dari.store.base import Unreachable
from dari.store.etcd.api import Etcd, items, number, section, unwrap, wrap
from dari.store.remote.entries import Entry, Position, Snapshot, read_entry
from dari.store.remote.mirror import Change, Expired

if TYPE_CHECKING:
    from dari.model import Json

_PAGE = 500  # records of half a kilobyte


class EtcdSource:
    """See `store.remote.mirror.Source`.

    Args:
        etcd: makes the calls.
        prefix: see `EtcdSettings`.
        page: how many records are asked for at once.
    """

    folder = "nodes"

    def __init__(self, etcd: Etcd, prefix: str, page: int = _PAGE) -> None:
        self._etcd = etcd
        self.prefix = f"{prefix}/{self.folder}/"
        self._page = page

    def key(self, name: NodeName) -> str:
        """Where a node's record is."""
        return f"{self.prefix}{name}"

    async def list(self) -> Snapshot:
        """All records as of one revision; see `Source.list`."""
        entries: dict[NodeName, Entry] = {}
        position: Position | None = None
        start = self.prefix.encode()
        while True:
            body = {**self._span(start), "limit": str(self._page)}
            if position is not None:
                body["revision"] = str(position.revision)
            answer = await self._etcd.call("/v3/kv/range", body)
            position = position or position_of(answer)
            found = items(answer, "kvs")
            for each in found:
                entry = self.entry(each)
                entries[entry.name] = entry
            if not answer.get("more") or not found:
                return Snapshot(position=position, entries=entries)
            start = unwrap(found[-1].get("key")) + b"\0"

    async def follow(self, since: Position) -> AsyncGenerator[Change, None]:
        """Watch from the revision after the known one; see `Source.follow`.

        A watch that begins at a revision still to come waits for it in silence.
        A store restored from a backup would make it wait for long, so the
        revision that its first answer tells is looked at.
        """
        body = {
            "create_request": {
                **self._span(self.prefix.encode()),
                "start_revision": str(since.revision + 1),
                "progress_notify": True,
            }
        }
        messages = self._etcd.stream("/v3/watch", body)
        try:
            async for message in messages:
                refuse_end(message, since)
                now = number(section(message, "header"), "revision")
                for event in items(message, "events"):
                    yield self._change(event)
                if now and not message.get("created"):
                    yield Change(revision=now)
        finally:
            await messages.aclose()

    async def position(self, witness: NodeName) -> Position:
        """Ask for one key, which brings the revision along."""
        body = {"key": wrap(self.key(witness).encode()), "keys_only": True}
        answer = await self._etcd.call("/v3/kv/range", body)
        found = items(answer, "kvs")
        age = number(found[0], "mod_revision") if found else 0
        return position_of(answer).replace(witness=age)

    def entry(self, pair: Json) -> Entry:
        """A key and its value as an entry."""
        name = name_of(pair, self.prefix)
        return read_entry(
            name,
            unwrap(pair.get("value")),
            f"etcd key {self.prefix + name!r}",
            number(pair, "mod_revision"),
            str(number(pair, "create_revision")),
        )

    def _change(self, event: Json) -> Change:
        pair = section(event, "kv")
        revision = number(pair, "mod_revision")
        entry = self.entry(pair)
        if event.get("type") == "DELETE":
            return Change(revision=revision, name=entry.name)
        return Change(revision=revision, name=entry.name, entry=entry)

    def _span(self, start: bytes) -> dict[str, object]:
        folder = self.prefix.encode()
        return {"key": wrap(start), "range_end": wrap(folder[:-1] + bytes([folder[-1] + 1]))}


def name_of(pair: Json, prefix: str) -> NodeName:
    """The node that a key is of."""
    key = unwrap(pair.get("key")).decode(errors="backslashreplace")
    return NodeName(key.removeprefix(prefix))


def position_of(answer: Json) -> Position:
    """How far the cluster that answered has counted, and which it is.

    Raises:
        Unreachable: it is no answer of etcd's.
    """
    header = section(answer, "header")
    revision = number(header, "revision")
    if revision <= 0:
        raise Unreachable("etcd: an answer without a revision")
    return Position(revision=revision, origin=str(header.get("cluster_id", "")))


def refuse_end(message: Json, since: Position) -> None:
    """Raise what a watch's message says of its end.

    Raises:
        Expired: what should come next was compacted, or is not of this store.
        Unreachable: the watch was cancelled for another reason.
    """
    header = section(message, "header")
    if number(message, "compact_revision"):
        raise Expired(f"etcd: compacted up to {number(message, 'compact_revision')}")
    if message.get("canceled"):
        raise Unreachable(f"etcd: watch refused: {message.get('cancel_reason', 'no reason given')}")
    if message.get("created"):
        origin = str(header.get("cluster_id", ""))
        if number(header, "revision") < since.revision or origin != since.origin:
            raise Expired("etcd: not the store it was: it has counted less far")

"""Nodes listed page by page, then watched with bookmarks.

Source: Kubernetes API Concepts, "Efficient detection of changes", "Retrieving
large results sets in chunks".
May import: errors, model, record, store.base, store.kubernetes, store.remote.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING
from urllib.parse import quote

from dari.model import NodeName
from dari.store.base import Unreachable
from dari.store.kubernetes.api import KubeApi
from dari.store.kubernetes.nodes import entry_of, revision_of, section
from dari.store.remote.entries import Entry, Position, Snapshot
from dari.store.remote.mirror import Change

if TYPE_CHECKING:
    from dari.model import Json

NODES = "/api/v1/nodes"
# A Node is 10 to 20 KB of JSON, and more while it is decoded. Listing 5,000 of 12 KB
# leaves the agent 17 MB larger in pages of 50, 20 MB in pages of 100, and 61 MB in
# pages of 500; it takes as long in each.
_PAGE = 50
_MORE = 30.0  # seconds that a stream may be silent beyond its own end


class NodeSource:
    """See `store.remote.mirror.Source`.

    Args:
        api: talks to the API server.
        lifetime: seconds after which the server should end a watch.
        page: how many Nodes are asked for at once.
    """

    def __init__(self, api: KubeApi, lifetime: float, page: int = _PAGE) -> None:
        self._api = api
        self._lifetime = lifetime
        self._page = page

    async def list(self) -> Snapshot:
        """All Nodes as of one moment; see `Source.list`.

        Raises:
            Expired: it took so long that the moment is forgotten.
        """
        entries: dict[NodeName, Entry] = {}
        token = ""
        while True:
            query = f"?limit={self._page}" + (f"&continue={quote(token, safe='')}" if token else "")
            answer = await self._api.ask("GET", NODES + query)
            for node in _items(answer):
                entry = entry_of(node)
                entries[entry.name] = entry
            following = section(answer, "metadata").get("continue")
            if not isinstance(following, str) or not following:
                return Snapshot(position=Position(revision=revision_of(answer)), entries=entries)
            if following == token:
                raise Unreachable(f"{self._api.source}: a list that never ends")
            token = following

    async def follow(self, since: Position) -> AsyncGenerator[Change, None]:
        """Watch Nodes; see `Source.follow`."""
        path = (
            f"{NODES}?watch=1&resourceVersion={since.revision}&allowWatchBookmarks=true"
            f"&timeoutSeconds={max(1, int(self._lifetime))}"
        )
        events = self._api.lines(path, self._lifetime + _MORE)
        try:
            async for event in events:
                yield self._change(event)
        finally:
            await events.aclose()

    async def position(self, witness: NodeName) -> Position:
        """Ask for one Node, which brings the list's version along.

        A Node changes with each sign of life, so its age says nothing of a record.
        """
        return Position(revision=revision_of(await self._api.ask("GET", f"{NODES}?limit=1")))

    def _change(self, event: Json) -> Change:
        kind, thing = event.get("type"), section(event, "object")
        if kind == "ERROR":
            raise self._api.failure(thing)
        if kind == "BOOKMARK":
            return Change(revision=revision_of(thing))
        if kind not in ("ADDED", "MODIFIED", "DELETED"):
            raise Unreachable(f"{self._api.source}: an event of type {str(kind)[:40]!r}")
        entry = entry_of(thing)
        return Change(
            revision=entry.revision, name=entry.name, entry=None if kind == "DELETED" else entry
        )


def _items(answer: Json) -> list[Json]:
    items = answer.get("items")
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []

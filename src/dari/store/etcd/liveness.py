"""Signs of life in etcd: a key of each running agent, under a lease that it keeps alive.

The lease is on this key alone and never on a node's record: a node whose agent is dead
still carries its pods, and keeps its routes. So a sign that is gone is told of, and
nothing follows from it.

Keeping a lease alive changes nothing that a watch tells of; what is watched are only
agents that start and end.

Source: etcd's ``rpc.proto``, Lease.
May import: errors, model, store.etcd.api, store.etcd.source, store.remote.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from dari.errors import DariError
from dari.model import NodeName
from dari.store.etcd.api import CallFailed, Etcd, number, section, wrap
from dari.store.etcd.source import EtcdSource, name_of
from dari.store.remote.entries import Entry

if TYPE_CHECKING:
    from dari.model import Json

_RENEWALS = 3  # in that time
_NOT_FOUND = 5  # gRPC's code: the lease has expired, or was revoked


class SignSource(EtcdSource):
    """Whose sign is there: the same keys as records have, in a folder of their own."""

    folder = "alive"

    def entry(self, pair: Json) -> Entry:
        """Only the name counts."""
        revision = number(pair, "mod_revision")
        return Entry(name=name_of(pair, self.prefix), revision=revision)


class Sign:
    """This node's own.

    Args:
        etcd: makes the calls.
        source: knows where its key is.
        seconds: that it outlives its agent.
    """

    def __init__(
        self,
        etcd: Etcd,
        source: SignSource,
        seconds: float,
    ) -> None:
        self._etcd = etcd
        self._source = source
        self._seconds = seconds
        self._lease = 0
        self._task: asyncio.Task[None] | None = None

    def give(self, name: NodeName) -> None:
        """Keep it from now on, until `end`; asked again, nothing more is done."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(name), name="sign of life")

    async def end(self) -> None:
        """Take it away."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        if self._lease:
            with suppress(DariError):  # it ends by itself
                await self._etcd.call("/v3/lease/revoke", {"ID": str(self._lease)})
        self._lease = 0

    async def _keep(self, name: NodeName) -> None:
        while True:
            with suppress(DariError):  # the watch tells of a store that is gone
                await self._renew(name)
            await asyncio.sleep(self._seconds / _RENEWALS)

    async def _renew(self, name: NodeName) -> None:
        if self._lease and await self._is_kept():
            return
        answer = await self._etcd.call("/v3/lease/grant", {"TTL": str(int(self._seconds))})
        lease = number(answer, "ID")
        key = wrap(self._source.key(name).encode())
        await self._etcd.call("/v3/kv/put", {"key": key, "lease": str(lease)})
        self._lease = lease

    async def _is_kept(self) -> bool:
        """Renew the lease; False: it has expired, or this is another store than before."""
        try:
            answer = await self._etcd.call("/v3/lease/keepalive", {"ID": str(self._lease)})
        except CallFailed as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return number(section(answer, "result"), "TTL") > 0

"""The kubernetes store: a node's record is an annotation of its Node object.

Nodes come and go with the cluster, not by our hand: the kubelet makes them, and
whoever deletes one takes its record along. Ranges come from the cluster's
controller (``kube-controller-manager --allocate-node-cidrs``), which alone gives
them; we only read them.

Rights needed: nodes: get, list, watch, patch; nodes/status: patch.

May import: errors, model, record, store.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from dari.errors import BadConfig, TryAgain, Undecodable
from dari.model import NodeName
from dari.store.base import Listing
from dari.store.kubernetes.access import KubeAccess
from dari.store.kubernetes.api import MERGE, STRATEGIC, KubeApi, Missing
from dari.store.kubernetes.nodes import (
    entry_of,
    network_is_up,
    pod_cidrs,
    record_patch,
    section,
    up_patch,
)
from dari.store.kubernetes.source import NODES, NodeSource
from dari.store.ranges import ClusterRange, refuse_taken, within
from dari.store.record import NodeRecord
from dari.store.remote.entries import claims
from dari.store.remote.mirror import Mirror

if TYPE_CHECKING:
    from dari.model import IPNetwork, Json
    from dari.store.base import Names


class KubernetesStore:
    """Records in Kubernetes.

    Args:
        access: the API server.
    """

    def __init__(self, access: KubeAccess) -> None:
        self._api = KubeApi(access)
        source = NodeSource(self._api, access.timing.lifetime)
        self._mirror = Mirror(source, access.timing)
        self._announced: dict[NodeName, str] = {}

    async def records(self) -> Listing:
        return await self._mirror.listing()

    async def some(self, names: Names) -> Listing:
        return await self._mirror.some(names)

    async def get(self, name: NodeName) -> NodeRecord | None:
        try:
            entry = entry_of(await self._node(name))
        except Missing:
            return None
        if entry.trouble:
            raise Undecodable(entry.trouble)
        return entry.record

    async def put(self, record: NodeRecord) -> None:
        """Patch the Node, unless it says the same already; see `Store.put`.

        Raises:
            Missing: the node has not joined the cluster.
        """
        known = await self._mirror.current()
        others = claims(known.entries.values(), record.name, strict=False)
        refuse_taken(record.name, record.pod_ranges, others)
        entry = known.entries.get(record.name)
        if entry is None or not record.says_the_same_as(entry.record):
            await self._patch(record.name, record_patch(record))

    async def remove(self, name: NodeName) -> bool:
        """Take the record off the Node; the Node is the cluster's to delete."""
        try:
            entry = entry_of(await self._node(name))
            if entry.record is None and not entry.trouble:
                return False
            await self._patch(name, record_patch(None))
        except Missing:
            return False
        return True

    async def allot(
        self, name: NodeName, clusters: Sequence[ClusterRange], used: Sequence[IPNetwork] = ()
    ) -> tuple[IPNetwork, ...]:
        """The ranges that the cluster gave the node, whatever it uses; see `Store.allot`.

        Raises:
            Missing: the node has not joined the cluster.
            TryAgain: the cluster has not given it any.
            BadConfig: they are not of the ranges that this agent was told of.
        """
        try:
            given = pod_cidrs(await self._node(name))
        except BadConfig as error:
            raise BadConfig(f"Node {name}: {error.message}") from None
        _refuse_strange(name, given, clusters)
        known = await self._mirror.current()
        refuse_taken(name, given, claims(known.entries.values(), name, strict=False))
        return given

    def watch(self) -> AsyncIterator[Names | None]:
        return self._mirror.watch()

    async def announce(self, name: NodeName) -> None:
        """Have the Node's condition NetworkUnavailable say False, so that pods are sent there.

        Asked again, nothing is sent, until the Node is another of the same name.
        """
        known = (await self._mirror.current()).entries if self._mirror.active else {}
        entry = known.get(name)
        if entry is not None and self._announced.get(name) == entry.birth:
            return
        node = await self._node(name)
        if not network_is_up(node):
            path = f"{_path(name)}/status"
            node = await self._api.ask("PATCH", path, up_patch(time.time()), STRATEGIC)
        self._announced[name] = str(section(node, "metadata").get("uid", ""))

    async def close(self) -> None:
        await self._api.close()

    async def _node(self, name: NodeName) -> Json:
        try:
            return await self._api.ask("GET", _path(name))
        except Missing as error:
            raise Missing(
                error.message,
                "has its kubelet joined the cluster? --node-name has to be what the kubelet "
                "calls it (--hostname-override)",
            ) from None

    async def _patch(self, name: NodeName, patch: Json) -> None:
        entry = entry_of(await self._api.ask("PATCH", _path(name), patch, MERGE))
        self._mirror.wrote(name, entry)


def _path(name: NodeName) -> str:
    return f"{NODES}/{quote(name, safe='')}"


def _refuse_strange(
    name: NodeName, given: Sequence[IPNetwork], clusters: Sequence[ClusterRange]
) -> None:
    """What the cluster gives, and what the agent was told of, have to fit together.

    Otherwise it would masquerade what goes from pod to pod, or leave out a family.
    """
    for version in sorted({each.network.version for each in clusters}):
        if not any(each.version == version for each in given):
            raise TryAgain(
                f"Node {name} has no pod range of IPv{version} in spec.podCIDRs",
                "run kube-controller-manager with --allocate-node-cidrs and --cluster-cidr, "
                "or give this node a --pod-range",
            )
    for each in given:
        if not any(within(each, cluster.network) for cluster in clusters):
            raise BadConfig(
                f"Node {name}: {each} of spec.podCIDRs is in none of the cluster ranges",
                "give --cluster-range as the cluster has it (kubeadm: networking.podSubnet)",
            )

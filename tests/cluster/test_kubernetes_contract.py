"""The contract of stores, held by Kubernetes: the emulator, or the cluster that is named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from dari.model import NodeName
from dari.store.kubernetes.api import Missing
from dari.store.kubernetes.nodes import RECORD, network_is_up
from dari.store.kubernetes.store import KubernetesStore
from dari.store.ranges import ClusterRange
from tests.support.kube_cluster import Kube, kube
from tests.support.store_contract import ONE, THREE, TWO, Open, StoreContract, node

OURS_V4 = ClusterRange(network=ip_network("10.199.0.0/16"), node_prefix=24)
OURS_V6 = ClusterRange(network=ip_network("fd99::/48"), node_prefix=64)


class TestKubernetesStore(StoreContract):
    @contextmanager
    def stores(self, folder: Path) -> Iterator[Open]:
        with kube(ONE, TWO, THREE) as cluster:
            yield lambda: KubernetesStore(cluster.access())


def use(cluster: Kube, work: Any) -> Any:
    async def whole() -> Any:
        store = KubernetesStore(cluster.access())
        try:
            return await asyncio.wait_for(work(store), 60)
        finally:
            await store.close()

    return asyncio.run(whole())


def test_a_node_gets_the_ranges_that_the_cluster_gave_it() -> None:
    with kube() as cluster:
        cluster.create("dari-test-1", "10.199.7.0/24", "fd99:0:0:7::/64")
        try:
            ranges = use(
                cluster, lambda store: store.allot(NodeName("dari-test-1"), [OURS_V4, OURS_V6])
            )
        finally:
            cluster.delete("dari-test-1")
    assert ranges == (ip_network("10.199.7.0/24"), ip_network("fd99:0:0:7::/64"))


def test_ranges_outside_of_what_the_agent_was_told_are_refused_with_the_option_to_give() -> None:
    other = ClusterRange(network=ip_network("10.9.0.0/16"), node_prefix=24)
    with kube() as cluster:
        cluster.create("dari-test-1", "10.199.7.0/24")
        try:
            with pytest.raises(Exception, match=r"10\.199\.7\.0/24 of spec\.podCIDRs") as caught:
                use(cluster, lambda store: store.allot(NodeName("dari-test-1"), [other]))
        finally:
            cluster.delete("dari-test-1")
    assert "--cluster-range" in caught.value.details  # type: ignore[attr-defined]


def test_a_node_that_has_not_joined_is_waited_for() -> None:
    with kube() as cluster:
        for work in (
            lambda store: store.allot(NodeName("dari-test-none"), [OURS_V4]),
            lambda store: store.put(node(NodeName("dari-test-none"))),
        ):
            with pytest.raises(Missing, match="dari-test-none"):
                use(cluster, work)


def test_the_node_object_says_that_its_network_is_up_and_keeps_the_rest() -> None:
    with kube(ONE) as cluster:

        async def ready(store: KubernetesStore) -> None:
            await store.put(node(ONE, "10.199.1.0/24"))
            await store.announce(ONE)

        use(cluster, ready)
        found = cluster.node(ONE)
    assert network_is_up(found)
    assert RECORD in found["metadata"]["annotations"]
    kinds = [each["type"] for each in found["status"]["conditions"]]
    assert kinds.count("NetworkUnavailable") == 1

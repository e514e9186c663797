"""What every store must do: a suite that each implementation's tests inherit.

`StoreContract` holds for all; `AllottingContract` for those that choose the nodes'
ranges themselves, which Kubernetes leaves to its controller.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from dari.model import NodeName
from dari.store.base import Store
from dari.store.ranges import ClusterRange, RangesExhausted, RangeTaken
from dari.store.record import NodeRecord
from tests.support.waiting import PATIENCE

V4 = ClusterRange(network=ip_network("10.244.0.0/16"), node_prefix=24)
V6 = ClusterRange(network=ip_network("fd00:10:244::/56"), node_prefix=64)
ONE, TWO, THREE = NodeName("node1"), NodeName("node2"), NodeName("node3")

Open = Callable[[], Store]
"""Gives one more handle on the same records, as another node has it."""


def node(name: NodeName, *ranges: str, address: str = "192.168.0.1") -> NodeRecord:
    return NodeRecord(
        name=name,
        addresses=(ip_address(address),),
        pod_ranges=tuple(ip_network(each) for each in ranges),
        mac="02:00:00:00:00:01",
        backend={"kind": "direct"},
        updated=12.5,
    )


def run(opened: Open, work: Callable[[Open], Awaitable[None]]) -> None:
    """Run a test's body, and close every handle that it opened."""
    handles: list[Store] = []

    def another() -> Store:
        handles.append(opened())
        return handles[-1]

    async def whole() -> None:
        try:
            await asyncio.wait_for(work(another), PATIENCE)
        finally:
            for handle in handles:
                await handle.close()

    asyncio.run(whole())


class StoreContract(ABC):
    """A store in which node1, node2 and node3 may have records.

    Their ranges are none that a real cluster is likely to give its nodes.
    """

    @abstractmethod
    def stores(self, folder: Path) -> AbstractContextManager[Open]:
        """Empty records, for as long as the context lasts."""

    def _run(self, folder: Path, work: Callable[[Open], Awaitable[None]]) -> None:
        with self.stores(folder) as opened:
            run(opened, work)

    def test_an_empty_store_has_no_records(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            store = opened()
            assert (await store.records()).records == ()
            assert await store.get(ONE) is None
            assert not await store.remove(ONE)

        self._run(tmp_path, body)

    def test_what_one_node_puts_the_others_read(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            await opened().put(node(TWO, "10.199.2.0/24"))
            await opened().put(node(ONE, "10.199.1.0/24", "fd99::/64"))
            listing = await opened().records()
            assert [each.name for each in listing.records] == [ONE, TWO]
            assert listing.records[0] == node(ONE, "10.199.1.0/24", "fd99::/64")
            assert await opened().get(TWO) == node(TWO, "10.199.2.0/24")
            assert listing.damaged == ()

        self._run(tmp_path, body)

    def test_a_record_is_replaced_and_removed(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            store = opened()
            await store.put(node(ONE, "10.199.1.0/24"))
            await store.put(node(ONE, "10.199.1.0/24", address="192.168.0.77"))
            found = await store.get(ONE)
            assert found and str(found.addresses[0]) == "192.168.0.77"
            assert await store.remove(ONE)
            assert await store.get(ONE) is None
            assert (await store.records()).records == ()
            assert not await store.remove(ONE)

        self._run(tmp_path, body)

    def test_a_watch_tells_at_once_and_then_of_every_change(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            watcher, writer = opened(), opened()
            watch = watcher.watch()
            await anext(watch)
            for change in (
                writer.put(node(ONE, "10.199.1.0/24")),
                writer.put(node(ONE, "10.199.1.0/24", address="192.168.0.9")),
                writer.put(node(TWO, "10.199.2.0/24")),
                writer.remove(ONE),
            ):
                before = (await watcher.records()).records
                await change
                while (await watcher.records()).records == before:
                    await anext(watch)
            assert [each.name for each in (await watcher.records()).records] == [TWO]
            await watch.aclose()  # type: ignore[attr-defined]

        self._run(tmp_path, body)

    def test_some_records_are_read_alone(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            watcher, writer = opened(), opened()
            await writer.put(node(ONE, "10.199.1.0/24"))
            assert (await watcher.some({ONE, TWO})).records == (node(ONE, "10.199.1.0/24"),)
            watch = watcher.watch()
            assert await anext(watch) is None
            await writer.put(node(TWO, "10.199.2.0/24"))
            while not (found := await watcher.some({TWO, THREE})).records:
                assert await anext(watch) in (None, {TWO})
            assert found.records == (node(TWO, "10.199.2.0/24"),)
            whole = await watcher.records()
            assert (found.revision, found.origin) == (whole.revision, whole.origin)
            await watch.aclose()  # type: ignore[attr-defined]

        self._run(tmp_path, body)

    def test_what_a_watching_node_writes_it_reads_at_once(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            store = opened()
            watch = store.watch()
            await anext(watch)
            assert (await store.records()).records == ()
            await store.put(node(ONE, "10.199.1.0/24"))
            assert (await store.records()).records == (node(ONE, "10.199.1.0/24"),)
            await store.remove(ONE)
            assert (await store.records()).records == ()
            await watch.aclose()  # type: ignore[attr-defined]

        self._run(tmp_path, body)

    def test_after_a_watch_ended_records_are_still_current(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            store = opened()
            watch = store.watch()
            await anext(watch)
            assert (await store.records()).records == ()
            await watch.aclose()  # type: ignore[attr-defined]
            await opened().put(node(ONE))
            assert (await store.records()).records == (node(ONE),)

        self._run(tmp_path, body)

    def test_a_given_range_that_another_node_holds_is_refused_and_both_are_named(
        self, tmp_path: Path
    ) -> None:
        async def body(opened: Open) -> None:
            await opened().put(node(ONE, "10.199.1.0/24"))
            with pytest.raises(
                RangeTaken, match=r"10\.199\.0\.0/16 of node2.*10\.199\.1\.0/24 of nod"
            ):
                await opened().put(node(TWO, "10.199.0.0/16"))
            assert await opened().get(TWO) is None

        self._run(tmp_path, body)

    def test_a_node_that_is_ready_may_say_so_any_number_of_times(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            store = opened()
            await store.put(node(ONE))
            await store.announce(ONE)
            await store.announce(ONE)
            assert await store.get(ONE) == node(ONE)

        self._run(tmp_path, body)


class AllottingContract(StoreContract):
    """A store that chooses ranges."""

    def test_two_nodes_never_get_the_same_range(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            names = [NodeName(f"node{number}") for number in range(40)]
            allotted = await asyncio.gather(*(opened().allot(name, [V4, V6]) for name in names))
            assert all(len(ranges) == 2 for ranges in allotted)
            assert {ranges[0].prefixlen for ranges in allotted} == {24}
            assert {ranges[1].prefixlen for ranges in allotted} == {64}
            assert len({network for ranges in allotted for network in ranges}) == 80

        self._run(tmp_path, body)

    def test_a_watch_tells_of_an_allotment(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            watcher = opened()
            watch = watcher.watch()
            await anext(watch)
            ranges = await opened().allot(ONE, [V4])
            while not (found := (await watcher.records()).records):
                await anext(watch)
            assert found[0].pod_ranges == ranges
            await watch.aclose()  # type: ignore[attr-defined]

        self._run(tmp_path, body)

    def test_a_node_keeps_its_range_after_a_restart(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            await opened().allot(ONE, [V4])
            first = await opened().allot(TWO, [V4])
            await opened().remove(ONE)
            assert await opened().allot(TWO, [V4]) == first
            found = await opened().get(TWO)
            assert found and found.pod_ranges == first

        self._run(tmp_path, body)

    def test_an_allotment_keeps_the_rest_of_the_record(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            await opened().put(node(ONE))
            ranges = await opened().allot(ONE, [V4])
            assert await opened().get(ONE) == node(ONE).replace(pod_ranges=ranges)

        self._run(tmp_path, body)

    def test_a_range_that_a_node_was_given_is_not_allotted(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            await opened().put(node(ONE, "10.244.0.0/22"))
            assert await opened().allot(TWO, [V4]) == (ip_network("10.244.4.0/24"),)

        self._run(tmp_path, body)

    def test_a_node_that_the_store_forgot_gets_what_its_pods_use(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            used = (ip_network("10.244.7.0/24"),)
            assert await opened().allot(ONE, [V4], used) == used
            assert await opened().allot(ONE, [V4], [ip_network("10.244.8.0/24")]) == used
            assert await opened().allot(TWO, [V4], used) == (ip_network("10.244.0.0/24"),)
            strange = [ip_network("10.9.0.0/24")]
            assert await opened().allot(THREE, [V4], strange) == (ip_network("10.244.1.0/24"),)

        self._run(tmp_path, body)

    def test_a_node_that_lost_its_range_is_told_when_it_writes_again(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            (first,) = await opened().allot(ONE, [V4])
            await opened().remove(ONE)
            assert await opened().allot(TWO, [V4]) == (first,)
            with pytest.raises(RangeTaken, match=r"of node1 overlaps .* of node2"):
                await opened().put(node(ONE, str(first)))

        self._run(tmp_path, body)

    def test_pain_18_the_end_of_the_cluster_range_is_told_clearly(self, tmp_path: Path) -> None:
        async def body(opened: Open) -> None:
            small = ClusterRange(network=ip_network("10.9.0.0/23"), node_prefix=24)
            for name in (ONE, TWO):
                await opened().allot(name, [small])
            with pytest.raises(RangesExhausted, match=r"10\.9\.0\.0/23: all 2 ranges of /24"):
                await opened().allot(THREE, [small])
            assert len(await opened().allot(ONE, [small])) == 1
            await opened().remove(TWO)
            assert await opened().allot(THREE, [small]) == (ip_network("10.9.1.0/24"),)

        self._run(tmp_path, body)

"""The copy of a remote store, over a source that does as the test says."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Awaitable

import pytest

from dari.model import NodeName
from dari.store.base import Unreachable
from dari.store.record import NodeRecord
from dari.store.remote.entries import Entry, Position, Snapshot
from dari.store.remote.mirror import Change, Expired, Mirror
from dari.store.remote.pauses import Timing
from tests.support.waiting import PATIENCE

TIMING = Timing(probe=0.05, lifetime=30.0, first_pause=0.01, longest_pause=0.05)
ONE, TWO = NodeName("node1"), NodeName("node2")


def entry(name: NodeName, revision: int, mac: str = "") -> Entry:
    return Entry(name=name, revision=revision, record=NodeRecord(name=name, mac=mac))


class Scripted:
    """A store in the test's hand."""

    def __init__(self) -> None:
        self.entries: dict[NodeName, Entry] = {}
        self.position_now = Position(revision=10, origin="a")
        self.failure: Exception | None = None
        self.failed = 0
        self.events: asyncio.Queue[Change | Exception | None] = asyncio.Queue()
        self.lists = 0
        self.follows: list[int] = []

    async def list(self) -> Snapshot:
        self._fail()
        self.lists += 1
        return Snapshot(position=self.position_now, entries=dict(self.entries))

    async def follow(self, since: Position) -> AsyncGenerator[Change, None]:
        self._fail()
        self.follows.append(since.revision)
        while (event := await self.events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    async def position(self, witness: NodeName) -> Position:
        self._fail()
        return self.position_now

    def _fail(self) -> None:
        if self.failure is not None:
            self.failed += 1
            raise self.failure

    def change(self, name: NodeName, entry: Entry | None, revision: int) -> None:
        self.position_now = self.position_now.replace(revision=revision)
        self.events.put_nowait(Change(revision=revision, name=name, entry=entry))


def run(work: Awaitable[None]) -> None:
    async def within_time() -> None:
        await asyncio.wait_for(work, PATIENCE)

    asyncio.run(within_time())


async def following(source: Scripted, times: int) -> None:
    while len(source.follows) < times:
        await asyncio.sleep(0.005)


def test_a_watch_that_ends_is_taken_up_where_it_was() -> None:
    async def body() -> None:
        source = Scripted()
        mirror = Mirror(source, TIMING)
        watch = mirror.watch()
        await anext(watch)
        await following(source, 1)
        source.change(ONE, entry(ONE, 11), 11)
        source.events.put_nowait(None)
        await following(source, 2)
        assert (source.lists, source.follows) == (1, [10, 11])
        assert [each.name for each in (await mirror.listing()).records] == [ONE]
        await watch.aclose()

    run(body())


def test_what_is_expired_is_listed_again_and_the_copy_serves_until_then() -> None:
    async def body() -> None:
        source = Scripted()
        source.entries = {ONE: entry(ONE, 5)}
        mirror = Mirror(source, TIMING)
        watch = mirror.watch()
        await anext(watch)
        await following(source, 1)
        source.entries = {TWO: entry(TWO, 12)}
        source.position_now = Position(revision=20, origin="a")
        source.events.put_nowait(Expired("compacted"))
        assert [each.name for each in (await mirror.listing()).records] == [ONE]
        await following(source, 2)
        assert [each.name for each in (await mirror.listing()).records] == [TWO]
        assert source.lists == 2
        await watch.aclose()

    run(body())


@pytest.mark.parametrize(
    "position",
    [
        Position(revision=9, origin="a"),
        Position(revision=50, origin="b"),
        Position(revision=50, origin="a", witness=3),
    ],
)
def test_a_store_that_is_another_than_before_is_listed_again(position: Position) -> None:
    async def body() -> None:
        source = Scripted()
        mirror = Mirror(source, TIMING)
        watch = mirror.watch()
        await anext(watch)
        await following(source, 1)
        mirror.wrote(ONE, entry(ONE, 10))
        source.position_now = position
        await following(source, 2)
        assert source.lists == 2
        assert (await mirror.listing()).records == ()
        await watch.aclose()

    run(body())


def test_a_store_that_is_lost_is_told_and_its_return_too() -> None:
    async def body() -> None:
        source = Scripted()
        mirror = Mirror(source, TIMING, clock=lambda: 0.0)
        watch = mirror.watch()
        await anext(watch)
        await following(source, 1)
        source.failure = Unreachable("over there: gone", "go and look")
        await anext(watch)
        with pytest.raises(Unreachable) as caught:
            while True:
                await mirror.listing()
                await anext(watch)
        assert caught.value.message == (
            "store over there: gone; since 1970-01-01T00:00:00Z, what was known is kept"
        )
        assert caught.value.details == "go and look"
        source.failure = None
        await anext(watch)
        assert (await mirror.listing()).records == ()
        assert source.lists == 1
        await watch.aclose()

    run(body())


def test_the_first_reason_is_told_as_long_as_contact_is_lost_whatever_comes_after() -> None:
    async def body() -> None:
        source = Scripted()
        mirror = Mirror(source, TIMING)
        watch = mirror.watch()
        await anext(watch)
        await following(source, 1)
        told = []
        for reason in ("broken off", "refused", "silent"):
            source.failure, source.failed = Unreachable(reason), 0
            while source.failed < 2:
                await asyncio.sleep(0.005)
            with pytest.raises(Unreachable) as caught:
                await mirror.listing()
            told.append(caught.value.message)
        assert told[0].startswith("store broken off; since ")
        assert set(told) == {told[0]}
        await watch.aclose()

    run(body())


def test_a_store_that_cannot_be_listed_in_time_is_unreachable_and_nobody_waits_for_ever() -> None:
    async def body() -> None:
        source = Scripted()
        source.failure = Expired("the list took too long")
        mirror = Mirror(source, TIMING)
        watch = mirror.watch()
        await anext(watch)
        with pytest.raises(Unreachable, match="took too long"):
            await mirror.listing()
        await watch.aclose()

    run(body())


def test_a_fault_of_ours_ends_the_watch_and_the_next_one_goes_on() -> None:
    async def body() -> None:
        source = Scripted()
        source.failure = ZeroDivisionError()
        mirror = Mirror(source, TIMING)
        watch = mirror.watch()
        await anext(watch)
        waiting = asyncio.create_task(mirror.listing())
        with pytest.raises(ZeroDivisionError):
            await anext(watch)
        source.failure = None
        again = mirror.watch()
        await anext(again)
        assert (await mirror.listing()).records == ()
        await asyncio.gather(waiting, return_exceptions=True)
        await again.aclose()

    run(body())


def test_everything_is_listed_again_once_in_a_while() -> None:
    async def body() -> None:
        source = Scripted()
        mirror = Mirror(source, TIMING.replace(lifetime=0.05, relist=0.2))
        watch = mirror.watch()
        await anext(watch)
        while source.lists < 3 or len(source.follows) <= source.lists:
            await asyncio.sleep(0.01)
        await watch.aclose()

    run(body())


def test_a_change_that_comes_late_does_not_undo_a_newer_one() -> None:
    async def body() -> None:
        source = Scripted()
        mirror = Mirror(source, TIMING)
        watch = mirror.watch()
        await anext(watch)
        await following(source, 1)
        mirror.wrote(ONE, entry(ONE, 15, mac="02:00:00:00:00:15"))
        source.change(ONE, entry(ONE, 12, mac="02:00:00:00:00:12"), 12)
        source.change(TWO, entry(TWO, 16), 16)
        while len((await mirror.listing()).records) < 2:
            await anext(watch)
        assert (await mirror.listing()).records[0].mac == "02:00:00:00:00:15"
        assert (await mirror.listing()).revision == 16
        await watch.aclose()

    run(body())


def test_two_who_watch_share_one_copy_which_ends_with_the_last() -> None:
    async def body() -> None:
        source = Scripted()
        mirror = Mirror(source, TIMING)
        first, second = mirror.watch(), mirror.watch()
        await anext(first)
        await anext(second)
        await following(source, 1)
        await first.aclose()
        source.change(ONE, entry(ONE, 11), 11)
        while not (await mirror.listing()).records:
            await anext(second)
        assert source.lists == 1
        await second.aclose()
        assert not mirror.active

    run(body())


def test_reconnecting_a_hundred_times_leaves_nothing_behind() -> None:
    async def body() -> None:
        source = Scripted()
        mirror = Mirror(source, TIMING.replace(first_pause=0.0001, longest_pause=0.0005))
        watch = mirror.watch()
        await anext(watch)
        sizes = []
        for times in range(1, 301):
            await following(source, times)
            source.events.put_nowait(Unreachable("broken") if times % 2 else None)
            if times in (100, 300):
                gc.collect()
                sizes.append((len(asyncio.all_tasks()), len(gc.get_objects())))
        assert sizes[1][0] <= sizes[0][0]
        assert sizes[1][1] < sizes[0][1] + 500
        await watch.aclose()

    run(body())

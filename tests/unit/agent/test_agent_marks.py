from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from dari.agent.marks import Marks
from dari.model import NodeName
from tests.support.waiting import PATIENCE

NEVER = 1e12
TWO, THREE = NodeName("node2"), NodeName("node3")


def run(work: Awaitable[None]) -> None:
    async def within_time() -> None:
        await asyncio.wait_for(work, PATIENCE)

    asyncio.run(within_time())


def test_a_pass_over_everything_waits_until_it_may_and_a_node_does_not() -> None:
    async def body() -> None:
        marks = Marks()
        marks.mark("network")
        waiting = asyncio.create_task(marks.wait(NEVER))
        await asyncio.sleep(0)
        marks.mark_nodes({TWO})
        marks.mark_nodes({THREE})
        await waiting
        assert marks.take_nodes() == {TWO, THREE}
        assert marks.take_nodes() == frozenset()
        await marks.wait(time.monotonic() - 1)
        assert marks.take() == {"network"}

    run(body())


def test_a_burst_is_given_time_from_its_first_event() -> None:
    async def body() -> None:
        marks, began = Marks(), time.monotonic()
        marks.mark("store", 0.05)
        marks.mark("network", NEVER)
        await marks.wait(0.0)
        assert time.monotonic() - began >= 0.05
        assert marks.take() == {"store", "network"}

    run(body())


def test_a_pass_over_everything_has_looked_at_the_nodes_too() -> None:
    async def body() -> None:
        marks = Marks()
        marks.mark_nodes({TWO})
        marks.mark("clock")
        assert marks.take() == {"clock"}
        assert marks.take_nodes() == frozenset()

    run(body())


def test_nodes_that_change_all_the_time_do_not_hold_up_a_pass_over_everything() -> None:
    async def body() -> None:
        marks, rested = Marks(), time.monotonic() + 0.05
        marks.mark("clock")
        while not marks.is_due(rested):
            marks.mark_nodes({TWO})
            await marks.wait(rested)
            assert marks.take_nodes() in ({TWO}, frozenset())
        assert time.monotonic() >= rested
        assert not Marks().is_due(0.0)

    run(body())

"""A store that is being watched, as the agent does, and questions to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from dari.store.base import Listing, Store, Unreachable
from tests.support.waiting import PATIENCE


@asynccontextmanager
async def watched(store: Store) -> AsyncIterator[list[float]]:
    """Watch a store as long as the context lasts; gives the moments at which it told of changes."""
    told: list[float] = []

    async def follow() -> None:
        async for _ in store.watch():
            told.append(time.monotonic())

    task = asyncio.create_task(follow())
    try:
        while not told:
            await asyncio.sleep(0.005)
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


async def names(store: Store) -> list[str]:
    return [each.name for each in (await store.records()).records]


async def until(store: Store, true: Callable[[Listing], bool]) -> Listing:
    """Ask until the store answers so; that it cannot be reached meanwhile is no matter."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            found = await store.records()
        except Unreachable:
            pass
        else:
            if true(found):
                return found
        await asyncio.sleep(0.02)
    raise AssertionError("waited in vain for the store to say so")


async def until_lost(store: Store) -> Unreachable:
    """Ask until the store says that its records cannot be reached."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            await store.some(frozenset())
        except Unreachable as error:
            return error
        await asyncio.sleep(0.02)
    raise AssertionError("waited in vain for the store to be missed")

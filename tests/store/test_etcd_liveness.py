"""Signs of life in etcd: who is shown as silent, and that nothing else follows from it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dari.store.etcd.store import EtcdStore
from tests.support.etcd import Etcd, etcd
from tests.support.store_contract import ONE, TWO, node
from tests.support.watching import until, watched

SHORT = 2.0  # seconds; etcd has no shorter lease


AGENT = """
import asyncio, sys
from dari.model import NodeName
from dari.store.etcd.api import EtcdSettings
from dari.store.etcd.store import EtcdStore
from dari.store.remote.connection import parse_target

async def live():
    target = parse_target(sys.argv[1], "url")
    store = EtcdStore(EtcdSettings(endpoints=(target,), sign_seconds=float(sys.argv[2])))
    await store.announce(NodeName("node1"))
    await asyncio.to_thread(sys.stdin.read)  # until it is told to end, or killed
    await store.close()

asyncio.run(live())
"""


async def live(server: Etcd, end: Callable[[subprocess.Popen[bytes]], object]) -> None:
    """An agent that is seen alive for longer than one lease, and then is no more."""
    witness = EtcdStore(server.settings())
    await witness.put(node(ONE, "10.244.1.0/24"))
    assert (await witness.records()).silent == (ONE,)
    words = [sys.executable, "-c", AGENT, server.url, str(SHORT)]
    async with watched(witness):
        with subprocess.Popen(words, stdin=subprocess.PIPE) as agent:
            await until(witness, lambda found: found.silent == ())
            await asyncio.sleep(2 * SHORT)
            # Else its first sign has ended by now, and no other has come.
            await until(witness, lambda found: found.silent == ())
            end(agent)
        await until(witness, lambda found: found.silent == (ONE,))


async def is_told_of_and_stays(server: Etcd) -> None:
    store = EtcdStore(server.settings())
    async with watched(store):
        found = await until(store, lambda found: found.silent == (ONE,))
        assert [each.name for each in found.records] == [ONE]
        await store.put(node(TWO, "10.244.2.0/24"))
        await store.announce(TWO)
        await until(store, lambda found: found.silent == (ONE,) and len(found.records) == 2)
        await store.remove(TWO)
    await store.close()


def test_an_agent_that_ends_is_silent_at_once_and_one_that_is_killed_soon(tmp_path: Path) -> None:
    with etcd(tmp_path) as server:
        asyncio.run(live(server, lambda agent: agent.communicate()))
        asyncio.run(is_told_of_and_stays(server))
        asyncio.run(live(server, lambda agent: agent.kill()))
        asyncio.run(is_told_of_and_stays(server))


def test_a_sign_comes_back_after_the_store_forgot_it(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        store = EtcdStore(server.settings(sign_seconds=SHORT))
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            await store.announce(ONE)
            await until(store, lambda found: found.silent == () and bool(found.records))
            server.kill()
            server.start("emptied")
            await until(store, lambda found: not found.records)
            await store.put(node(ONE, "10.244.1.0/24"))
            await until(store, lambda found: found.silent == () and bool(found.records))

    with etcd(tmp_path) as server:
        asyncio.run(asyncio.wait_for(body(server), 60))

"""etcd that is killed, stopped, compacted, emptied, restored, or full of nonsense."""

from __future__ import annotations

import asyncio
import os
import shutil
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from dari.errors import DariError, TryAgain, Undecodable
from dari.model import NodeName
from dari.store.base import Unreachable
from dari.store.etcd.api import Etcd as EtcdApi
from dari.store.etcd.source import EtcdSource
from dari.store.etcd.store import EtcdStore
from dari.store.ranges import RangeTaken
from dari.store.remote.connection import parse_target
from dari.store.remote.mirror import Expired
from dari.store.remote.tls import Material
from tests.support.certificates import authority, issued
from tests.support.etcd import PORT, Etcd, etcd
from tests.support.store_contract import ONE, THREE, TWO, V4, node
from tests.support.timing import IMPATIENT
from tests.support.watching import names, until, until_lost, watched


def run(work: Awaitable[None]) -> None:
    async def within_time() -> None:
        await asyncio.wait_for(work, 120)

    asyncio.run(within_time())


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


def put_raw(server: Etcd, key: str, value: str) -> None:
    server.call("/v3/kv/put", {"key": b64(key), "value": b64(value)})


def compact(server: Etcd) -> None:
    revision = server.call("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
    server.call("/v3/kv/compaction", {"revision": revision, "physical": True})


async def refused(store: EtcdStore, words: str) -> None:
    """Reading fails with an error of ours that has these words."""
    with pytest.raises(DariError, match=words):
        await store.records()
    await store.close()


def test_a_server_that_is_killed_is_missed_at_once_and_its_return_is_noticed(
    tmp_path: Path,
) -> None:
    async def body(server: Etcd) -> None:
        store, other = EtcdStore(server.settings()), EtcdStore(server.settings())
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            await until(store, lambda found: len(found.records) == 1)
            server.kill()
            lost = await until_lost(store)
            assert "what was known is kept" in lost.message
            with pytest.raises(Unreachable):
                await store.allot(TWO, [V4])
            server.start()
            await until(store, lambda found: len(found.records) == 1)
            await other.put(node(TWO, "10.244.2.0/24"))
            await until(store, lambda found: len(found.records) == 2)
        await other.close()

    with etcd(tmp_path) as server:
        run(body(server))


def test_a_server_that_is_stopped_looks_like_one_that_is_silent_until_it_is_asked(
    tmp_path: Path,
) -> None:
    async def body(server: Etcd) -> None:
        writer = EtcdStore(server.settings())
        await writer.put(node(ONE, "10.244.1.0/24"))
        await writer.close()
        store = EtcdStore(server.settings(timing=IMPATIENT))
        async with watched(store):
            await until(store, lambda found: len(found.records) == 1)
            server.freeze()
            lost = await until_lost(store)
            assert "no answer in time" in lost.message
            server.thaw()
            await until(store, lambda found: len(found.records) == 1)

    with etcd(tmp_path) as server:
        run(body(server))


def test_losing_the_server_is_told_once_with_one_and_the_same_words(tmp_path: Path) -> None:
    """However it fails afterwards: what comes in its place hangs up, talks nonsense, is silent."""

    async def body(server: Etcd) -> None:
        store = EtcdStore(server.settings(timing=IMPATIENT))
        async with watched(store):
            await until(store, lambda found: True)
            server.kill()
            first = await until_lost(store)
            for answer in (b"", b"SSH-2.0-nobody\r\n", b"HTTP/1.1 200 OK\r\n\r\n", None):
                async with impostor(answer) as refused:
                    await refused.wait()
                assert (await until_lost(store)).message == first.message

    with etcd(tmp_path) as server:
        run(body(server))


@asynccontextmanager
async def impostor(answer: bytes | None) -> AsyncIterator[asyncio.Event]:
    """What listens in etcd's place; tells once a request and all that came of it are over.

    Args:
        answer: what it says before it hangs up; None: nothing, until the other end does.
    """
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        if answer is not None:
            writer.write(answer)
            writer.write_eof()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        over.set()

    async with await asyncio.start_server(serve, "127.0.0.1", PORT):
        yield over


def test_changes_and_compaction_while_the_watch_was_broken_are_caught_up_with(
    tmp_path: Path,
) -> None:
    """The store is stopped, so that its copy falls behind what is compacted."""

    async def body(server: Etcd) -> None:
        api = EtcdApi(server.settings())
        source = EtcdSource(api, "/dari")
        writer = EtcdStore(server.settings())
        await writer.put(node(ONE, "10.244.1.0/24"))
        position = (await source.list()).position
        for number in range(5):
            await writer.put(node(TWO, "10.244.2.0/24", address=f"192.168.0.{number + 10}"))
        compact(server)
        with pytest.raises(Expired, match="compacted"):
            async for _ in source.follow(position):
                pass
        await api.close()
        await writer.close()

    with etcd(tmp_path) as server:
        run(body(server))


def test_compaction_under_steady_change_loses_nothing(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        store, writer = EtcdStore(server.settings()), EtcdStore(server.settings())
        async with watched(store):
            for number in range(1, 40):
                await writer.put(node(ONE, "10.244.1.0/24", address=f"192.168.1.{number}"))
                if number % 5 == 0:
                    compact(server)
                if number == 20:
                    server.kill()
                    server.start()
            # What is watched may be behind all this while, and still without any record.
            last = node(ONE, "10.244.1.0/24", address="192.168.1.39")
            await until(store, lambda found: found.records == (last,))
        await writer.close()

    with etcd(tmp_path) as server:
        run(body(server))


def test_a_server_that_comes_back_empty_is_another_store(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        store = EtcdStore(server.settings())
        async with watched(store):
            for name, third in ((ONE, 1), (TWO, 2)):
                await store.put(node(name, f"10.244.{third}.0/24"))
            before = await store.records()
            server.kill()
            server.start("emptied")
            after = await until(store, lambda found: not found.records)
            assert after.revision < before.revision
            await store.put(node(ONE, "10.244.1.0/24"))
            assert await names(store) == [ONE]

    with etcd(tmp_path) as server:
        run(body(server))


def test_a_server_restored_from_a_copy_of_its_folder_has_counted_less_far(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        store, writer = EtcdStore(server.settings()), EtcdStore(server.settings())
        await writer.put(node(ONE, "10.244.1.0/24"))
        server.kill()
        shutil.copytree(tmp_path / "data", tmp_path / "backup")
        server.start()
        async with watched(store):
            await until(store, lambda found: len(found.records) == 1)
            await writer.put(node(TWO, "10.244.2.0/24"))
            for number in range(9):
                await writer.put(node(ONE, "10.244.1.0/24", address=f"192.168.0.{number + 9}"))
            before = await until(store, lambda found: len(found.records) == 2)
            server.kill()
            server.start("backup")
            after = await until(store, lambda found: len(found.records) == 1)
            assert after.revision < before.revision
            await writer.put(node(THREE, "10.244.3.0/24"))
            await until(store, lambda found: len(found.records) == 2)
        await writer.close()

    with etcd(tmp_path) as server:
        run(body(server))


def test_hostile_records_are_named_and_the_others_read(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        store = EtcdStore(server.settings())
        await store.put(node(ONE, "10.244.1.0/24"))
        nodes = "/dari/nodes/"
        put_raw(server, f"{nodes}broken", "{")
        put_raw(server, f"{nodes}renamed", '{"name": "another"}')
        put_raw(server, f"{nodes}No Name", '{"name": "No Name"}')
        put_raw(server, f"{nodes}a/b", '{"name": "a/b"}')
        put_raw(server, f"{nodes}", '{"name": ""}')
        put_raw(server, f"{nodes}wide", '{"name": "wide", "pod_ranges": ["0.0.0.0/0"]}')
        put_raw(server, f"{nodes}large", '{"name": "large"}' + " " * 70000)
        server.call("/v3/kv/put", {"key": b64encode(b"/dari/nodes/\xff\xfe").decode()})
        put_raw(server, "/dari/nodes0", "not below the prefix")
        put_raw(server, "/dari/other", "nor this")
        found = await store.records()
        assert [each.name for each in found.records] == [ONE]
        assert len(found.damaged) == 8
        for word in ("broken", "renamed", "No Name", "a/b", "wide", "large", "xff"):
            assert any(word in text for text in found.damaged), word
        with pytest.raises(Undecodable, match="broken"):
            await store.get(NodeName("broken"))
        with pytest.raises(TryAgain, match="a damaged record may hold any"):
            await store.allot(TWO, [V4])
        await store.close()

    with etcd(tmp_path) as server:
        run(body(server))


def test_hostile_records_that_come_while_watching_are_named_too(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        store = EtcdStore(server.settings())
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            put_raw(server, "/dari/nodes/node2", "[" * 5000)
            found = await until(store, lambda found: bool(found.damaged))
            assert [each.name for each in found.records] == [ONE]
            server.call("/v3/kv/deleterange", {"key": b64("/dari/nodes/node2")})
            await until(store, lambda found: not found.damaged)

    with etcd(tmp_path) as server:
        run(body(server))


def test_many_records_come_in_pages_of_one_revision(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        writer, api = EtcdStore(server.settings()), EtcdApi(server.settings())
        every = [NodeName(f"node{number}") for number in range(23)]
        for number, name in enumerate(every):
            await writer.put(node(name, f"10.244.{number}.0/24"))
        found = await EtcdSource(api, "/dari", page=5).list()
        assert sorted(found.entries) == sorted(every)
        await writer.close()
        await api.close()

    with etcd(tmp_path) as server:
        run(body(server))


def test_pain_20_sixteen_nodes_that_ask_at_once_over_and_over_never_share_a_range(
    tmp_path: Path,
) -> None:
    async def body(server: Etcd) -> None:
        stores = [EtcdStore(server.settings()) for _ in range(16)]

        async def ask(group: int) -> list[str]:
            found: list[str] = []
            for number in range(4):
                name = NodeName(f"node{group}-{number}")
                found += map(str, await stores[group].allot(name, [V4]))
            return found

        asked = await asyncio.gather(*(ask(group) for group in range(16)))
        given = [network for networks in asked for network in networks]
        assert len(given) == len(set(given)) == 64
        for store in stores:
            await store.close()

    with etcd(tmp_path) as server:
        run(body(server))


def test_nodes_that_ask_from_stale_copies_never_share_a_range(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        one, two = EtcdStore(server.settings()), EtcdStore(server.settings())
        async with watched(one), watched(two):
            await one.records()
            await two.records()
            first, second = await asyncio.gather(one.allot(ONE, [V4]), two.allot(TWO, [V4]))
            assert first != second
            with pytest.raises(RangeTaken):
                await two.put(node(TWO, str(first[0])))

    with etcd(tmp_path) as server:
        run(body(server))


def test_a_member_that_is_down_is_passed_over(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        nobody = parse_target(f"http://127.0.0.2:{PORT}", "url")
        there = parse_target(server.url, "url")
        for targets in ((nobody, there), (there, nobody)):
            store = EtcdStore(server.settings(endpoints=targets))
            async with watched(store):
                await store.put(node(ONE, "10.244.1.0/24"))
                assert await names(store) == [ONE]
        await refused(EtcdStore(server.settings(endpoints=(nobody,))), "Connection refused")

    with etcd(tmp_path) as server:
        run(body(server))


def test_tls_in_both_directions(tmp_path: Path) -> None:
    ca = authority(tmp_path)
    cert, key = issued(tmp_path, ca, "node1")

    async def body(server: Etcd) -> None:
        store = EtcdStore(server.settings())
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            assert await names(store) == [ONE]
        stranger = Material(path=str(authority(tmp_path, "stranger")[0]))
        tls = server.settings().tls
        wrong = EtcdStore(server.settings(tls=tls.replace(ca=stranger)))
        await refused(wrong, "its certificate was refused")
        nobody = EtcdStore(server.settings(tls=tls.replace(cert=Material(), key=Material())))
        await refused(nobody, r"https://127\.0\.0\.1")

    with etcd(tmp_path, (ca[0], cert, key)) as server:
        run(body(server))


def grant(server: Etcd) -> None:
    """A user who may do what dari needs, and nothing else; then passwords are asked for."""
    for path, body in (
        ("/v3/auth/user/add", {"name": "root", "password": "r"}),
        ("/v3/auth/role/add", {"name": "root"}),
        ("/v3/auth/user/grant", {"user": "root", "role": "root"}),
        ("/v3/auth/role/add", {"name": "dari"}),
        (
            "/v3/auth/role/grant",
            {
                "name": "dari",
                "perm": {"permType": "READWRITE", "key": b64("/dari/"), "range_end": b64("/dari0")},
            },
        ),
        ("/v3/auth/user/add", {"name": "dari", "password": "secret"}),
        ("/v3/auth/user/grant", {"user": "dari", "role": "dari"}),
        ("/v3/auth/enable", {}),
    ):
        server.call(path, body)


def test_a_password_with_the_least_rights_is_enough_and_tokens_that_end_are_renewed(
    tmp_path: Path,
) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n")

    async def body(server: Etcd) -> None:
        logged_in: dict[str, Any] = {"user": "dari", "password_file": str(password)}
        store = EtcdStore(server.settings(**logged_in))
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            assert await store.allot(TWO, [V4]) == (ip_network("10.244.0.0/24"),)
            # A restart makes all simple tokens void.
            server.kill()
            server.start()
            await until(store, lambda found: len(found.records) == 2)
            await store.put(node(ONE, "10.244.1.0/24", address="192.168.0.50"))
            # Calls that find it out at the same time are all made again.
            server.kill()
            server.start()
            await asyncio.gather(*(store.get(ONE) for _ in range(20)))
        password.write_text("wrong")
        await refused(EtcdStore(server.settings(**logged_in)), "login as dari refused")
        await refused(EtcdStore(server.settings()), "user name is empty")

    with etcd(tmp_path) as server:
        grant(server)
        run(body(server))


def test_a_server_that_comes_and_goes_leaves_nothing_open(tmp_path: Path) -> None:
    async def body(server: Etcd) -> None:
        store = EtcdStore(server.settings())
        async with watched(store):
            await store.records()
            counts = []
            for _ in range(6):
                server.kill()
                await until_lost(store)
                server.start()
                await until(store, lambda found: True)
                counts.append(len(os.listdir("/proc/self/fd")))
            # A connection of either watch may still be on its way at the first count.
            assert max(counts) <= counts[0] + 2, counts

    with etcd(tmp_path) as server:
        run(body(server))

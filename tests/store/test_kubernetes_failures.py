"""An API server that forgets, breaks off, sends garbage, is slow, refuses, or goes back."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dari.errors import DariError, Undecodable
from dari.model import NodeName
from dari.store.base import Unreachable
from dari.store.kubernetes.access import KubeAccess, in_cluster
from dari.store.kubernetes.api import STRATEGIC, KubeApi
from dari.store.kubernetes.nodes import RECORD
from dari.store.kubernetes.source import NodeSource
from dari.store.kubernetes.store import KubernetesStore
from dari.store.ranges import RangeTaken
from dari.store.remote.connection import Target, parse_target
from dari.store.remote.mirror import Expired
from dari.store.remote.tls import Material, Tls
from tests.support.certificates import authority, issued
from tests.support.kube_api import KubeApiServer, Refusal
from tests.support.kube_cluster import EmulatedKube, emulated
from tests.support.store_contract import ONE, THREE, TWO, V4, node
from tests.support.timing import IMPATIENT, PATIENT
from tests.support.watching import names, until, until_lost, watched

Body = Callable[[KubeApiServer], Awaitable[None]]


def run(body: Body) -> None:
    with emulated() as server:
        for name in (ONE, TWO, THREE):
            server.create(name)
        asyncio.run(asyncio.wait_for(_awaited(body, server), 120))


async def _awaited(body: Body, server: KubeApiServer) -> None:
    await body(server)


def access(server: KubeApiServer) -> KubeAccess:
    return EmulatedKube(server).access()


def watches(server: KubeApiServer) -> list[str]:
    return [path for verb, path, _ in list(server.requests) if "watch=1" in path]


def lists(server: KubeApiServer) -> int:
    """How often all Nodes were asked for, from the first page on."""
    wanted = "/api/v1/nodes?limit=50"
    return sum(path == wanted for _, path, _ in list(server.requests))


async def being_watched(server: KubeApiServer) -> None:
    while not server.watching:
        await asyncio.sleep(0.01)


def test_many_nodes_come_in_small_pages_and_none_twice() -> None:
    async def body(server: KubeApiServer) -> None:
        for number in range(21):
            server.create(f"other{number}")
        server.page = 4
        api = KubeApi(access(server))
        found = await NodeSource(api, 10).list()
        assert len(found.entries) == 24
        assert sum("continue=" in path for _, path, _ in server.requests) == 5
        await api.close()

    run(body)


def test_a_page_that_comes_too_late_begins_the_list_anew() -> None:
    async def body(server: KubeApiServer) -> None:
        calls = iter(range(100))

        def before(verb: str, path: str) -> None:
            if "continue=" in path and next(calls) == 0:
                server.compact()

        server.before = before
        store = KubernetesStore(access(server))
        async with watched(store):
            await until(store, lambda found: True)
        assert lists(server) == 2

    run(body)


def test_bookmarks_move_the_watch_on_so_that_compaction_does_not_matter() -> None:
    async def body(server: KubeApiServer) -> None:
        store = KubernetesStore(access(server))
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            await being_watched(server)
            server.compact()
            while server.bookmarked < server.nodes.version:
                await asyncio.sleep(0.01)
            server.drop()
            await store.put(node(TWO, "10.244.2.0/24"))
            await until(store, lambda found: len(found.records) == 2)
        assert lists(server) == 1

    run(body)


@pytest.mark.parametrize("as_event", [True, False])
def test_410_has_everything_listed_again(as_event: bool) -> None:
    async def body(server: KubeApiServer) -> None:
        server.gone_as_event = as_event
        server.bookmark_every = 60
        store = KubernetesStore(access(server))
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            await being_watched(server)
            server.delete(THREE)
            patch = {RECORD: json.dumps({"name": "node2"})}
            with server.nodes.changed:
                server.nodes.objects[TWO]["metadata"]["annotations"] = patch
            server.compact()
            server.drop()
            await until(store, lambda found: len(found.records) == 2)
        assert lists(server) == 2

    run(body)


def test_410_is_told_apart_from_other_errors() -> None:
    async def body(server: KubeApiServer) -> None:
        api = KubeApi(access(server))
        source = NodeSource(api, 10)
        position = (await source.list()).position
        server.compact()
        with pytest.raises(Expired):
            async for _ in source.follow(position):
                pass
        await api.close()

    run(body)


def test_a_connection_cut_in_the_middle_of_a_line_loses_nothing() -> None:
    async def body(server: KubeApiServer) -> None:
        store = KubernetesStore(access(server))
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            await being_watched(server)
            server.drop(b'{"type":"MODIFIED","object":{"kind":"No')
            record = json.dumps({"name": "node2", "pod_ranges": ["10.244.2.0/24"]})
            server.annotate(TWO, RECORD, record)
            found = await until(store, lambda found: len(found.records) == 2)
            assert found.damaged == ()
        assert lists(server) == 1

    run(body)


@pytest.mark.parametrize(
    "line",
    [
        b"<html>proxy error</html>",
        b"[]",
        b'{"type":"MODIFIED"}',
        b'{"type":"SURPRISE","object":{}}',
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"abc"}}}',
        b'{"type":"ERROR","object":{"code":500,"message":"etcd is gone"}}',
        b'{"type":"MODIFIED","object":{"metadata":{"name":"node2","resourceVersion":[]}}}',
        b"\xff\xfe\x00",
    ],
)
def test_garbage_in_a_watch_breaks_it_and_nothing_else(line: bytes) -> None:
    async def body(server: KubeApiServer) -> None:
        store = KubernetesStore(access(server))
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            await being_watched(server)
            server.say(line)
            await until_lost_or_watched_again(store, server)
            server.annotate(TWO, RECORD, json.dumps({"name": "node2"}))
            await until(store, lambda found: len(found.records) == 2)

    async def until_lost_or_watched_again(store: KubernetesStore, server: KubeApiServer) -> None:
        while len(watches(server)) < 2:
            await asyncio.sleep(0.01)

    run(body)


def test_a_server_that_is_slow_is_missed_and_one_that_drips_as_well() -> None:
    async def body(server: KubeApiServer) -> None:
        gate = threading.Event()
        server.annotate(ONE, RECORD, json.dumps({"name": ONE}))
        store = KubernetesStore(access(server).replace(timing=IMPATIENT))
        async with watched(store):
            await until(store, lambda found: len(found.records) == 1)
            server.before = lambda verb, path: None if "watch=1" in path else _wait(gate)
            lost = await until_lost(store)
            assert "no answer in time" in lost.message
            gate.set()
            await until(store, lambda found: len(found.records) == 1)

    def _wait(gate: threading.Event) -> None:
        gate.wait(60)

    run(body)


def test_a_token_that_was_rotated_is_read_again(tmp_path: Path) -> None:
    async def body(server: KubeApiServer) -> None:
        token = tmp_path / "token"
        token.write_text("first\n")
        server.tokens = {"first"}
        store = KubernetesStore(access(server).replace(token_file=str(token)))
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            server.tokens = {"second"}
            lost = await until_lost(store)
            assert "Unauthorized" in lost.message
            token.write_text("second\n")
            await until(store, lambda found: len(found.records) == 1)

    run(body)


def test_a_right_that_is_missing_is_named() -> None:
    async def body(server: KubeApiServer) -> None:
        def before(verb: str, path: str) -> None:
            if verb == "PATCH":
                raise Refusal(403, "Forbidden", 'cannot patch resource "nodes/status"')

        server.before = before
        store = KubernetesStore(access(server))
        with pytest.raises(Unreachable, match="cannot patch") as caught:
            await store.announce(ONE)
        assert "nodes/status: patch" in caught.value.details
        await store.close()

    run(body)


def test_a_server_restored_from_a_backup_is_noticed_and_listed_again() -> None:
    async def body(server: KubeApiServer) -> None:
        store = KubernetesStore(access(server))
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            backup = server.backup()
            for number in range(5):
                await store.put(node(TWO, "10.244.2.0/24", address=f"192.168.0.{number + 9}"))
            before = await until(store, lambda found: len(found.records) == 2)
            await being_watched(server)
            server.restore(backup)
            after = await until(store, lambda found: len(found.records) == 1)
            assert after.revision <= before.revision

    run(body)


def test_nodes_that_come_and_go_are_followed() -> None:
    async def body(server: KubeApiServer) -> None:
        store = KubernetesStore(access(server))
        async with watched(store):
            for name, third in ((ONE, 1), (TWO, 2)):
                await store.put(node(name, f"10.244.{third}.0/24"))
            server.delete(TWO)
            await until(store, lambda found: [each.name for each in found.records] == [ONE])
            server.create(TWO, "10.244.9.0/24")
            await store.put(node(TWO, "10.244.9.0/24"))
            assert await names(store) == [ONE, TWO]

    run(body)


def test_a_kubelets_signs_of_life_wake_nobody() -> None:
    async def body(server: KubeApiServer) -> None:
        store = KubernetesStore(access(server))
        async with watched(store) as told:
            await store.put(node(ONE, "10.244.1.0/24"))
            await until(store, lambda found: len(found.records) == 1)
            await being_watched(server)
            first = await store.records()
            told.clear()
            for number in range(20):
                patch = {"status": {"conditions": [{"type": "Ready", "status": str(number)}]}}
                with server.nodes.changed:
                    server.nodes.patch(ONE, patch, STRATEGIC, True)
            server.annotate(TWO, RECORD, json.dumps({"name": "node2"}))
            await until(store, lambda found: len(found.records) == 2)
            assert len(told) <= 2, "one for each of the twenty changes that matter to nobody?"
            assert (await store.records()).records[0] is first.records[0]

    run(body)


def test_a_record_is_patched_only_when_it_says_something_new() -> None:
    async def body(server: KubeApiServer) -> None:
        store = KubernetesStore(access(server))
        async with watched(store):
            for moment in (1.0, 2.0, 3.0):
                await store.put(node(ONE, "10.244.1.0/24").replace(updated=moment))
                await store.announce(ONE)
            patches = [(path, kind) for verb, path, kind in server.requests if verb == "PATCH"]
            assert patches == [
                ("/api/v1/nodes/node1", "application/merge-patch+json"),
                ("/api/v1/nodes/node1/status", "application/strategic-merge-patch+json"),
            ]
            await store.put(node(ONE, "10.244.1.0/24", address="192.168.0.8"))
            assert sum(verb == "PATCH" for verb, _, _ in server.requests) == 3

    run(body)


def test_a_node_that_is_made_anew_is_told_again_that_its_network_is_up() -> None:
    async def body(server: KubeApiServer) -> None:
        store = KubernetesStore(access(server))
        async with watched(store):
            await store.announce(ONE)
            first = server.nodes.objects[ONE]["metadata"]["uid"]
            server.delete(ONE)
            server.create(ONE)
            while server.nodes.objects[ONE]["metadata"]["uid"] == first:
                await asyncio.sleep(0.01)
            while not server.nodes.objects[ONE]["status"].get("conditions"):
                await store.announce(ONE)
                await asyncio.sleep(0.02)

    run(body)


def test_a_range_that_the_cluster_gave_another_node_is_refused() -> None:
    async def body(server: KubeApiServer) -> None:
        server.create("node9", "10.244.9.0/24")
        store = KubernetesStore(access(server))
        with pytest.raises(RangeTaken, match=r"of node1 overlaps 10\.244\.9\.0/24 of node9"):
            await store.put(node(ONE, "10.244.0.0/16"))
        server.create("node8", "10.244.9.0/25")
        with pytest.raises(RangeTaken, match=r"node8 overlaps .* node9"):
            await store.allot(NodeName("node8"), [V4])
        await store.close()

    run(body)


@pytest.mark.parametrize(
    "annotation",
    ["", "{", "[]", '{"name": "node2"}', '{"name": "node1", "mac": 5}', "x" * 70000, "\x00", "한"],
)
def test_hostile_annotations_are_named_and_the_others_read(annotation: str) -> None:
    async def body(server: KubeApiServer) -> None:
        store = KubernetesStore(access(server))
        await store.put(node(THREE, "10.244.3.0/24"))
        server.annotate(ONE, RECORD, annotation)
        found = await store.records()
        assert [each.name for each in found.records] == [THREE]
        assert (
            len(found.damaged) == 1 and "Node node1: annotation dari.dev/record" in found.damaged[0]
        )
        with pytest.raises(Undecodable):
            await store.get(ONE)
        await store.put(node(ONE))
        assert await names(store) == [ONE, THREE]
        await store.close()

    run(body)


def test_strange_pod_ranges_of_a_node_are_named() -> None:
    async def body(server: KubeApiServer) -> None:
        server.create("node9", "0.0.0.0/0")
        store = KubernetesStore(access(server))
        found = await store.records()
        assert len(found.damaged) == 1 and "Node node9: spec.podCIDRs[0]" in found.damaged[0]
        with pytest.raises(DariError, match=r"Node node9: spec\.podCIDRs\[0\]"):
            await store.allot(NodeName("node9"), [V4])
        await store.close()

    run(body)


def test_https_with_a_token_as_in_a_pod(tmp_path: Path) -> None:
    ca = authority(tmp_path)
    cert, key = issued(tmp_path, ca, "kube")
    (tmp_path / "token").write_text("secret")
    (tmp_path / "ca.crt").write_bytes(ca[0].read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = KubeApiServer(context)
    server.tokens = {"secret"}
    server.start()
    server.create(ONE)
    environ = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(server.port),
    }

    async def body() -> None:
        store = KubernetesStore(in_cluster(environ, str(tmp_path)).replace(timing=PATIENT))
        async with watched(store):
            await store.put(node(ONE, "10.244.1.0/24"))
            assert await names(store) == [ONE]
            server.stop()
            await until_lost(store)
            server.start()
            await until(store, lambda found: len(found.records) == 1)
        stranger = Tls(ca=Material(path=str(authority(tmp_path, "stranger")[0])))
        wrong = KubernetesStore(
            in_cluster(environ, str(tmp_path)).replace(tls=stranger, timing=PATIENT)
        )
        with pytest.raises(Unreachable, match="its certificate was refused"):
            await wrong.records()

    try:
        asyncio.run(asyncio.wait_for(body(), 120))
    finally:
        server.stop()


def test_what_is_no_api_server_is_said_to_be_none() -> None:
    async def body(server: KubeApiServer) -> None:
        server.before = lambda verb, path: _refuse()
        store = KubernetesStore(access(server))
        with pytest.raises(Unreachable, match="try later"):
            await store.records()
        await store.close()
        nobody = KubernetesStore(
            KubeAccess(target=Target(scheme="http", host="127.0.0.1", port=1), timing=PATIENT)
        )
        with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1: Connection refused"):
            await nobody.records()
        unknown = parse_target("http://no-such-host.invalid", "url")
        with pytest.raises(Unreachable, match="its name is unknown"):
            await KubernetesStore(KubeAccess(target=unknown, timing=PATIENT)).records()

    def _refuse() -> None:
        raise Refusal(429, "TooManyRequests", "try later")

    run(body)

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from dari.errors import DariError, TryAgain, Undecodable
from dari.model import NodeName
from dari.store.base import Listing
from dari.store.local import LocalStore
from dari.store.ranges import ClusterRange
from dari.store.record import NodeRecord

V4 = ClusterRange(network=ip_network("10.244.0.0/16"), node_prefix=24)
ALLOT = """
import asyncio, sys
from ipaddress import ip_network
from dari.store.local import LocalStore
from dari.store.ranges import ClusterRange
cluster = ClusterRange(network=ip_network("10.244.0.0/16"), node_prefix=24)
for name in sys.argv[2:]:
    print(*asyncio.run(LocalStore(sys.argv[1]).allot(name, [cluster])))
"""


def put(store: LocalStore, name: str, *ranges: str) -> None:
    networks = tuple(ip_network(each) for each in ranges)
    asyncio.run(store.put(NodeRecord(name=NodeName(name), pod_ranges=networks)))


def allot(store: LocalStore, name: str) -> list[str]:
    return [str(each) for each in asyncio.run(store.allot(NodeName(name), [V4]))]


def listing(store: LocalStore) -> Listing:
    return asyncio.run(store.records())


def test_pain_20_many_processes_at_once_get_ranges_of_their_own(tmp_path: Path) -> None:
    groups = [[f"n{group}-{number}" for number in range(8)] for group in range(8)]
    command = [sys.executable, "-c", ALLOT, str(tmp_path)]
    running = [
        subprocess.Popen([*command, *names], stdout=subprocess.PIPE, text=True) for names in groups
    ]
    given = [line for process in running for line in process.communicate()[0].split()]
    assert all(process.returncode == 0 for process in running)
    assert len(given) == len(set(given)) == 64


def test_nothing_but_records_and_the_lock_is_left_in_the_folder(tmp_path: Path) -> None:
    put(LocalStore(str(tmp_path)), "node1", "10.244.1.0/24")
    assert sorted(os.listdir(tmp_path)) == ["lock", "nodes"]
    assert os.listdir(tmp_path / "nodes") == ["node1.json"]


def test_damaged_records_are_told_of_and_the_others_still_read(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    put(store, "node1", "10.244.1.0/24")
    nodes = tmp_path / "nodes"
    (nodes / "broken.json").write_bytes(b"{")
    (nodes / "renamed.json").write_bytes(b'{"name": "another"}')
    (nodes / "No Name.json").write_bytes(b'{"name": "No Name"}')
    os.mkfifo(nodes / "fifo.json")
    os.symlink("/etc/hostname", nodes / "link.json")
    os.mkdir(nodes / "folder.json")
    with open(os.fsencode(nodes) + b"/\xff.json", "wb"):
        pass
    (nodes / ".node2.json.1.tmp").write_bytes(b"{}")
    (nodes / "README").write_bytes(b"not a record")
    found = listing(store)
    assert [record.name for record in found.records] == ["node1"]
    assert len(found.damaged) == 7
    for name in ("broken", "renamed", "No Name", "fifo", "link", "folder", "udcff"):
        assert any(name in text for text in found.damaged)
    for text in found.damaged:
        text.encode()


def test_getting_a_damaged_record_says_what_is_wrong(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    put(store, "node1")
    (tmp_path / "nodes" / "node1.json").write_text('{"name": "node1", "mac": 5}')
    with pytest.raises(Undecodable, match=r"node1\.json: mac"):
        asyncio.run(store.get(NodeName("node1")))


def test_a_change_in_place_is_read(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    put(store, "node1", "10.244.1.0/24")
    path = tmp_path / "nodes" / "node1.json"
    for third in (2, 3, 4, 5):
        document = json.loads(path.read_text())
        document["pod_ranges"] = [f"10.244.{third}.0/24"]
        path.write_text(json.dumps(document))
        assert str(listing(store).records[0].pod_ranges[0]) == f"10.244.{third}.0/24"


def test_a_record_settled_long_ago_is_read_once(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    put(store, "node1", "10.244.1.0/24")
    os.utime(tmp_path / "nodes" / "node1.json", (1, 1))
    assert listing(store).records[0] is listing(store).records[0]


def test_no_range_is_given_while_a_record_hides_its_own(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    put(store, "node1", "10.244.0.0/24")
    hidden = tmp_path / "nodes" / "node2.json"
    hidden.write_bytes(b"")
    with pytest.raises(TryAgain, match=r"node2\.json"):
        allot(store, "node3")
    assert allot(store, "node1") == ["10.244.0.0/24"]
    put(store, "node4", "10.244.9.0/24")
    hidden.unlink()
    assert allot(store, "node3") == ["10.244.1.0/24"]


def test_ranges_of_a_record_damaged_elsewhere_are_respected(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    put(store, "node1", "10.244.0.0/24")
    path = tmp_path / "nodes" / "node1.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mac": "?"}))
    assert allot(store, "node2") == ["10.244.1.0/24"]
    assert allot(store, "node1") == ["10.244.0.0/24"]


def test_a_node_whose_own_record_is_broken_gets_a_range_again(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    put(store, "node1", "10.244.0.0/24")
    (tmp_path / "nodes" / "node2.json").parent.joinpath("node2.json").write_bytes(b"\0")
    assert allot(store, "node2") == ["10.244.1.0/24"]


def test_a_lock_held_by_a_stranger_is_reported_and_not_waited_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 5))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with open(tmp_path / "lock", "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(TryAgain, match="lock"):
            LocalStore(str(tmp_path))._allot(NodeName("node1"), [V4])


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DariError):
        allot(LocalStore(str(tmp_path / "file")), "node1")


def test_a_watch_names_what_is_written_and_leaves_removals_to_a_look_at_all(
    tmp_path: Path,
) -> None:
    async def body() -> None:
        writer, watch = LocalStore(str(tmp_path)), LocalStore(str(tmp_path)).watch()
        one, two = NodeName("node1"), NodeName("node2")
        await writer.put(NodeRecord(name=one))
        for _ in range(2):  # at once, and when the clock's tick has passed
            assert await anext(watch) is None
        await writer.put(NodeRecord(name=one, updated=2.0))
        await writer.put(NodeRecord(name=two))
        named: set[NodeName] = set()
        while named != {one, two}:
            written = await anext(watch)
            assert written is not None
            named |= written
        await writer.remove(one)
        (tmp_path / "nodes" / ".hidden.json").touch()
        assert await anext(watch) is None
        await watch.aclose()  # type: ignore[attr-defined]

    asyncio.run(asyncio.wait_for(body(), 30))


def test_a_folder_that_is_made_anew_is_watched_again(tmp_path: Path) -> None:
    async def body() -> None:
        store, watch = LocalStore(str(tmp_path)), LocalStore(str(tmp_path)).watch()
        one = NodeName("node1")
        await anext(watch)
        for _ in range(2):
            await store.put(NodeRecord(name=one))
            while not (await store.records()).records:
                await anext(watch)
            await store.put(NodeRecord(name=one, updated=2.0))
            while await anext(watch) != {one}:
                await store.put(NodeRecord(name=one, updated=3.0))
            shutil.rmtree(tmp_path / "nodes")
            while await anext(watch) is not None:
                pass
        await watch.aclose()  # type: ignore[attr-defined]

    asyncio.run(asyncio.wait_for(body(), 30))

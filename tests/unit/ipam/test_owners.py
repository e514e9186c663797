"""The index of owners: believed only while nobody else was in the folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.ipam.book import opened
from dari.ipam.folder import Lease, LeaseFolder
from dari.ipam.hostlocal import HostLocal
from dari.ipam.owners import FileIndex, MemoryIndex
from tests.unit.ipam.node import Node, network, owner

if TYPE_CHECKING:
    from dari.ipam.owners import OwnerIndex
    from dari.model import Owner

POOL = {"subnet": "10.1.0.0/24"}


def test_it_is_believed_with_its_own_stamp_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "owners" / "x")
    index = FileIndex(path)
    assert not index.load(0)
    index.add("10.1.0.2", owner("c1"))
    stamp = index.save()
    assert FileIndex(path).load(stamp)
    assert not FileIndex(path).load(stamp + 1)
    assert index.save() != stamp
    assert not FileIndex(path).load(stamp)
    Path(path).write_bytes(b"garbage")
    assert not FileIndex(path).load(stamp)


def test_saving_leaves_one_file(tmp_path: Path) -> None:
    FileIndex(str(tmp_path / "owners" / "x")).save()
    assert [path.name for path in (tmp_path / "owners").iterdir()] == ["x"]


@pytest.fixture(params=["file", "memory"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> OwnerIndex:
    """Each kind of index there is; the tests that take it are their contract."""
    return FileIndex(str(tmp_path / "x")) if request.param == "file" else MemoryIndex()


def test_it_is_believed_with_the_last_stamp_alone(index: OwnerIndex) -> None:
    assert not index.load(0)
    index.fill([Lease(name="10.1.0.2", owner=owner("c1"))])
    first = index.save()
    assert index.load(first)
    assert index.names_of(owner("c1")) == ["10.1.0.2"]
    assert not index.load(first + 1)
    index.fill([])
    second = index.save()
    assert first != second
    assert not index.load(first)
    assert index.load(second)
    assert index.names_of(owner("c1")) == []


def test_names_that_begin_alike_are_told_apart(index: OwnerIndex) -> None:
    index.fill(
        [
            Lease(name="10.1.0.2", owner=owner("c1")),
            Lease(name="10.1.0.20", owner=owner("c1", "eth01")),
            Lease(name="10.1.0.3", owner=owner("c1", "")),
            Lease(name="10.1.0.4", owner=owner("xc1")),
            Lease(name="10.1.0.5", owner=None),
        ]
    )
    assert index.names_of(owner("c1")) == ["10.1.0.2"]
    assert index.names_of(owner("c1", "")) == ["10.1.0.3"]
    index.remove("10.1.0.2")
    index.remove("10.1.0.5")
    assert index.names_of(owner("c1")) == []
    assert index.names_of(owner("c1", "eth01")) == ["10.1.0.20"]


_NAMES = st.sampled_from(["10.1.0.1", "10.1.0.11", "0.1.0.1", "fd00::1", "::1"])
_OWNERS = st.sampled_from([owner("a"), owner("a", "b"), owner("a", ""), owner("aa", "b")])


@settings(deadline=None)
@given(st.lists(st.tuples(_NAMES, st.one_of(st.none(), _OWNERS)), max_size=30))
def test_it_agrees_with_a_dictionary(steps: list[tuple[str, Owner | None]]) -> None:
    indexes: list[OwnerIndex] = [FileIndex("/nowhere"), MemoryIndex()]
    model: dict[str, Owner] = {}
    for name, holder in steps:
        model.pop(name, None)
        if holder is not None:
            model[name] = holder
        for index in indexes:
            index.remove(name)
            if holder is not None:
                index.add(name, holder)
    for one in (owner("a"), owner("a", "b"), owner("a", ""), owner("aa", "b")):
        names = sorted(name for name, held in model.items() if held == one)
        assert [sorted(index.names_of(one)) for index in indexes] == [names, names]


def test_two_processes_with_an_index_each_see_each_other_s_leases(node: Node) -> None:
    kept = MemoryIndex()
    conf = network(POOL)
    of_agent = HostLocal(conf, node.paths, "", lambda _: kept)
    of_executable = HostLocal(conf, node.paths)
    assert of_agent.allocate(owner("c1")) == of_executable.allocate(owner("c1"))
    assert of_executable.allocate(owner("c2")) == of_agent.allocate(owner("c2"))
    of_executable.release(owner("c1"))
    of_agent.release(owner("c2"))
    assert node.held() == {}


def test_pain_20_an_add_under_the_lock_reads_no_lease_but_its_own(node: Node) -> None:
    leases = node.leases(POOL)
    for number in range(50):
        leases.allocate(owner(f"c{number}"))
    folder = LeaseFolder(str(node.folder))
    (index_file,) = (node.run / "dari" / "owners").iterdir()
    with folder.locked():
        assert FileIndex(str(index_file)).load(folder.stamp())
    read: list[str] = []

    class Watched(LeaseFolder):
        def read(self, name: str) -> Lease | None:
            read.append(name)
            return super().read(name)

    watched = Watched(str(node.folder))
    with watched.locked(), opened(watched, FileIndex(str(index_file))) as book:
        assert book.held_by(owner("c7")) == ["10.1.0.9"]
        assert book.held_by(owner("new")) == []
        assert book.claim(["10.1.0.200"], owner("new")) == "10.1.0.200"
        book.release(owner("c7"))
    assert read == ["10.1.0.9", "10.1.0.9"]


def test_a_file_of_others_is_noticed(node: Node) -> None:
    leases = node.leases(POOL)
    leases.allocate(owner("c1"))
    node.put("10.1.0.77", b"c2\r\neth0")
    assert str(leases.allocate(owner("c2"))[0].address) == "10.1.0.77/24"


def test_a_lease_changed_in_place_is_noticed_by_its_old_owner(node: Node) -> None:
    leases = node.leases(POOL)
    leases.allocate(owner("c1"))
    node.put("10.1.0.2", b"c2\r\neth0")
    assert str(leases.allocate(owner("c1"))[0].address) == "10.1.0.3/24"
    leases.release(owner("c2"))
    assert list(node.held()) == ["10.1.0.3"]


def test_without_a_place_for_the_index_leases_work_all_the_same(node: Node) -> None:
    (node.run / "dari").mkdir()
    (node.run / "dari" / "owners").write_text("a file where a folder should be")
    leases = node.leases(POOL)
    leases.allocate(owner("c1"))
    assert leases.allocate(owner("c1")) == leases.allocate(owner("c1"))
    leases.release(owner("c1"))
    assert node.held() == {}

"""Leases of an earlier boot, and the many ways not to mistake one for such."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from dari.errors import IOFailure
from dari.ipam.boot import boot_began
from tests.unit.ipam.node import Node, backdate, given, owner

POOL = {"subnet": "10.1.0.0/29"}
LONG_AGO = 1_000_000_000.0


def reboot(node: Node) -> None:
    """What was on disk is old now, and what was in memory is gone."""
    for path in node.folder.iterdir():
        backdate(path, LONG_AGO)
    shutil.rmtree(node.run)
    node.boot()


def test_pain_1_addresses_do_not_leak_at_every_reboot(node: Node) -> None:
    for boot in range(4):
        for number in range(5):  # all there are
            node.leases(POOL).allocate(owner(f"c{boot}.{number}"))
        assert len(node.held()) == 5
        reboot(node)
    node.leases(POOL).status()
    assert node.held() == {}


def test_gc_after_a_reboot_finds_nothing_left(node: Node) -> None:
    node.leases(POOL).allocate(owner("c1"))
    reboot(node)
    assert node.leases(POOL).collect([owner("c1")]) == []
    assert node.held() == {}


def test_old_leases_not_understood_and_empty_ones_go_too(node: Node) -> None:
    node.put("10.1.0.2", b"\xff\xff")
    node.put("10.1.0.3", b"")
    reboot(node)
    node.put("10.1.0.4", b"theirs\r\neth0")
    assert given(node.leases(POOL).allocate(owner("c1"))) == ["10.1.0.2/29"]
    assert sorted(node.held()) == ["10.1.0.2", "10.1.0.4"]


def test_it_is_done_once_in_a_boot(node: Node) -> None:
    node.leases(POOL).allocate(owner("c1"))
    backdate(node.folder / "10.1.0.2", LONG_AGO)  # the wall clock was set back
    node.leases(POOL).allocate(owner("c2"))
    assert sorted(node.held()) == ["10.1.0.2", "10.1.0.3"]


def test_leases_that_the_reference_made_in_this_boot_stay(node: Node) -> None:
    node.put("10.1.0.2", b"theirs\r\neth0")
    (node.run / "netns").mkdir()  # entries come and go; it is not they that tell the boot
    assert given(node.leases(POOL).allocate(owner("c1"))) == ["10.1.0.3/29"]
    assert sorted(node.held()) == ["10.1.0.2", "10.1.0.3"]


def test_one_old_entry_is_evidence_enough_to_keep(node: Node) -> None:
    node.put("10.1.0.2", b"theirs\r\neth0")
    backdate(node.folder / "10.1.0.2", LONG_AGO)
    old = node.run / "copied-with-its-time"
    old.touch()
    backdate(old, LONG_AGO - 1)
    node.leases(POOL).allocate(owner("c1"))
    assert sorted(node.held()) == ["10.1.0.2", "10.1.0.3"]


def test_no_evidence_takes_nothing(node: Node) -> None:
    node.put("10.1.0.2", b"theirs\r\neth0")
    backdate(node.folder / "10.1.0.2", LONG_AGO)
    shutil.rmtree(node.run)
    assert boot_began(str(node.run)) == 0
    node.leases(POOL).allocate(owner("c1"))
    assert sorted(node.held()) == ["10.1.0.2", "10.1.0.3"]


def test_a_boot_began_before_now_and_not_before_this_machine_existed(tmp_path: Path) -> None:
    (tmp_path / "entry").touch()
    assert LONG_AGO * 1e9 < boot_began(str(tmp_path)) <= time.time_ns()


@pytest.mark.parametrize("step", [-1e9, 1e9])
def test_a_clock_set_since_the_boot_never_makes_it_younger(
    monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    # /proc is mounted for the first process too; it has entries, but no birth time.
    before, now = boot_began("/proc"), time.time()
    assert 0 < before < now * 1e9
    monkeypatch.setattr(time, "time", lambda: now + step)
    after = boot_began("/proc")
    assert after < (now + step) * 1e9 if step < 0 else after < now * 1e9


def test_the_oldest_entry_counts(tmp_path: Path) -> None:
    for name, moment in (("a", LONG_AGO + 2), ("b", LONG_AGO), ("c", LONG_AGO + 1)):
        (tmp_path / name).touch()
        backdate(tmp_path / name, moment)
    assert boot_began(str(tmp_path)) == LONG_AGO * 1e9


def test_a_kill_before_the_marker_leaves_the_work_to_the_next(node: Node) -> None:
    node.leases(POOL).allocate(owner("c1"))
    reboot(node)
    marker = node.run / "dari" / "boot"
    marker.parent.mkdir()
    marker.write_text("no folder: the marker cannot be made")
    with pytest.raises(IOFailure, match="boot"):
        node.leases(POOL).allocate(owner("c2"))
    assert node.held() == {}
    marker.unlink()
    assert given(node.leases(POOL).allocate(owner("c2"))) == ["10.1.0.3/29"]
    assert len(os.listdir(marker)) == 1


def test_a_del_needs_no_marker(node: Node) -> None:
    node.leases(POOL).allocate(owner("c1"))
    reboot(node)
    (node.run / "dari").write_text("no folder")
    node.leases(POOL).release(owner("c1"))
    assert node.held() == {}


def test_a_folder_in_memory_has_no_earlier_boot(node: Node) -> None:
    ipam = {**POOL, "dataDir": str(node.run / "dari" / "leases")}
    node.leases(ipam).allocate(owner("c1"))
    assert not (node.run / "dari" / "boot").exists()

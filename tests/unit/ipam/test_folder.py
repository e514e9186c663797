"""The format on disk, and what others may have left there."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import IOFailure
from dari.ipam.folder import Lease, LeaseFolder, as_address, format_owner, parse_owner
from tests.unit.ipam.node import owner


@pytest.fixture
def folder(tmp_path: Path) -> LeaseFolder:
    return LeaseFolder(str(tmp_path / "networks" / "pods"))


def test_a_lease_is_the_reference_s_byte_for_byte(folder: LeaseFolder) -> None:
    with folder.locked():
        assert folder.claim(["10.1.0.2"], owner("c1")) == "10.1.0.2"
        folder.note_last_reserved(0, "10.1.0.2")
    path = Path(folder.path)
    assert (path / "10.1.0.2").read_bytes() == b"c1\r\neth0"
    assert (path / "last_reserved_ip.0").read_bytes() == b"10.1.0.2"
    assert sorted(os.listdir(path)) == ["10.1.0.2", "last_reserved_ip.0", "lock"]


def test_a_taken_address_stays_with_its_holder(folder: LeaseFolder) -> None:
    with folder.locked():
        folder.claim(["10.1.0.2"], owner("c1"))
        assert folder.claim(["10.1.0.2", "10.1.0.3"], owner("c2")) == "10.1.0.3"
        assert folder.claim(["10.1.0.2", "10.1.0.3"], owner("c3")) is None
    assert folder.read("10.1.0.2") == Lease(name="10.1.0.2", owner=owner("c1"))


def test_the_shorter_address_leaves_nothing_of_the_longer(folder: LeaseFolder) -> None:
    with folder.locked():
        folder.note_last_reserved(3, "fd00::ffff:ffff")
        folder.note_last_reserved(3, "fd00::1")
    assert (Path(folder.path) / "last_reserved_ip.3").read_bytes() == b"fd00::1"
    assert folder.last_reserved(3) == ip_address("fd00::1")
    assert folder.last_reserved(4) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"c1\r\neth0", owner("c1")),
        (b"c1\neth0\n", owner("c1")),
        (b"  c1\r\neth0\r\n", owner("c1")),
        (b"c1", owner("c1", "")),
        (b"c1\r\n", owner("c1", "")),
        (b"c.1_x-9\r\nnet1@x", owner("c.1_x-9", "net1@x")),
        (b"", None),
        (b"-c1\r\neth0", None),
        (b"c1\r\neth0\r\nmore", None),
        (b"c1 eth0", None),
        (b"c1\r\nan interface", None),
        (b"c1\r\ninterface-name-x", None),
        (b"\xff\xfe", None),
        (b"x" * 5000, None),
    ],
)
def test_contents_are_read_in_all_their_forms(content: bytes, expected: object) -> None:
    assert parse_owner(content) == expected


_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,70}", fullmatch=True)
_IFNAMES = st.from_regex(r"[^\s/:\x00-\x20\x7f]{1,5}", fullmatch=True).filter(
    lambda name: name.isascii()
)


@settings(deadline=None)
@given(_IDS, _IFNAMES)
def test_what_is_written_is_read(container_id: str, ifname: str) -> None:
    assert parse_owner(format_owner(owner(container_id, ifname))) == owner(container_id, ifname)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_content_can_be_read(content: bytes) -> None:
    found = parse_owner(content)
    assert found is None or parse_owner(format_owner(found)) == found


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("10.1.0.2", True),
        ("fd00::2", True),
        ("FD00::2", False),
        ("fd00:0::2", False),
        ("10.1.0", False),
        ("lock", False),
        ("last_reserved_ip.0", False),
        (".dari-new", False),
        ("backup", False),
    ],
)
def test_only_addresses_as_go_writes_them_are_leases(name: str, is_one: bool) -> None:
    assert (as_address(name) is not None) == is_one


def test_files_of_every_kind_are_survived(folder: LeaseFolder) -> None:
    path = Path(folder.path)
    with folder.locked():
        pass
    (path / "10.1.0.2").mkdir()
    os.mkfifo(path / "10.1.0.3")
    (path / "10.1.0.4").symlink_to("/dev/zero")
    (path / "10.1.0.5").write_bytes(os.urandom(1 << 16))
    (path / "10.1.0.6").write_bytes(b"\0" * 12)
    (path / "backup").write_bytes(b"c1\r\neth0")
    (path / os.fsdecode(b"10.1\xff")).write_bytes(b"c1\r\neth0")
    found = {lease.name: (lease.owner, lease.empty) for lease in folder.leases()}
    assert found == {
        "10.1.0.2": (None, False),
        "10.1.0.3": (None, True),
        "10.1.0.4": (None, False),
        "10.1.0.5": (None, False),
        "10.1.0.6": (None, True),
    }
    assert folder.claim(["10.1.0.2", "10.1.0.4", "10.1.0.7"], owner("c1")) == "10.1.0.7"


def test_what_a_killed_writer_left_is_swept_with_the_next_lock(folder: LeaseFolder) -> None:
    with folder.locked():
        folder.claim(["10.1.0.2"], owner("c1"))
    path = Path(folder.path)
    os.link(path / "10.1.0.2", path / ".dari-new")  # killed between link and unlink
    with folder.locked():
        assert not (path / ".dari-new").exists()
    assert folder.read("10.1.0.2") == Lease(name="10.1.0.2", owner=owner("c1"))


def test_folders_that_cannot_be_made_or_read_are_io_failures(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = LeaseFolder(str(tmp_path / "file"))
    assert not folder.exists()
    with pytest.raises(IOFailure, match="make folder") as failed, folder.locked():
        pass
    assert failed.value.code == 5
    with pytest.raises(IOFailure, match="list"):
        folder.names()
    with pytest.raises(IOFailure, match="write"):
        folder.claim(["10.1.0.2"], owner("c1"))
    assert folder.stamp() > 0
    assert LeaseFolder(str(tmp_path / "none")).stamp() == 0


def test_a_lease_that_cannot_be_removed_is_an_io_failure(folder: LeaseFolder) -> None:
    with folder.locked():
        (Path(folder.path) / "10.1.0.2").mkdir()
        with pytest.raises(IOFailure, match=r"remove .*10\.1\.0\.2"):
            folder.drop("10.1.0.2")
        folder.drop("10.1.0.3")


def test_old_leases_are_told_by_their_time(folder: LeaseFolder) -> None:
    with folder.locked():
        for name in ("10.1.0.2", "10.1.0.3"):
            folder.claim([name], owner("c1"))
    path = Path(folder.path)
    (path / "10.1.0.4").mkdir()
    (path / "backup").touch()
    for name in ("10.1.0.2", "10.1.0.4", "backup", "lock"):
        os.utime(path / name, ns=(5, 5))
    assert folder.written_before(5) == []
    assert folder.written_before(6) == ["10.1.0.2"]

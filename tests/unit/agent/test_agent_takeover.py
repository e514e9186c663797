"""Leases of pods that another plugin wired: which are taken over, and when."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path

from dari.agent.takeover import take_over
from dari.ipam.folder import LeaseFolder, format_owner
from dari.model import ContainerId, InterfaceName, Owner
from dari.paths import Paths

RANGES = [ip_network("10.244.1.0/24"), ip_network("fd00:244:1::/64")]
OWNER = Owner(container_id=ContainerId("c1"), ifname=InterfaceName("eth0"))


def paths_in(folder: Path) -> Paths:
    return Paths(
        run=str(folder / "run"),
        host_local=str(folder / "networks"),
        boot_evidence=str(folder / "evidence"),
    )


def lease(folder: Path, name: str, content: bytes = format_owner(OWNER)) -> Path:
    path = folder / "networks" / "cbr0" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def taken(paths: Paths) -> dict[str, Owner | None]:
    folder = LeaseFolder(f"{paths.leases}/dari")
    return {each.name: each.owner for each in folder.leases()} if folder.exists() else {}


def test_leases_of_the_nodes_ranges_are_copied_with_their_owners(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    for name in ("10.244.1.7", "fd00:244:1::7", "10.22.0.7", "last_reserved_ip.0", "lock"):
        lease(tmp_path, name)
    lease(tmp_path, "10.244.1.8", b"")
    (done,) = take_over(paths, RANGES)
    assert done == f"took over 2 leases of {tmp_path}/networks/cbr0"
    assert taken(paths) == {"10.244.1.7": OWNER, "fd00:244:1::7": OWNER}


def test_it_is_done_once_so_that_what_was_given_back_does_not_return(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    lease(tmp_path, "10.244.1.7")
    take_over(paths, RANGES)
    os.unlink(f"{paths.leases}/dari/10.244.1.7")
    assert take_over(paths, RANGES) == []
    assert taken(paths) == {}


def test_leases_of_an_earlier_boot_are_left(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    old = lease(tmp_path, "10.244.1.7")
    os.utime(old, (1, 1))
    (tmp_path / "evidence").mkdir()
    lease(tmp_path, "10.244.1.9")
    take_over(paths, RANGES)
    assert set(taken(paths)) == {"10.244.1.9"}


def test_an_address_that_is_leased_already_stays_whose_it_is(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    other = Owner(container_id=ContainerId("c2"), ifname=InterfaceName("eth0"))
    ours = LeaseFolder(f"{paths.leases}/dari")
    with ours.locked():
        ours.claim(["10.244.1.7"], other)
    lease(tmp_path, "10.244.1.7")
    assert take_over(paths, RANGES) == []
    assert taken(paths) == {"10.244.1.7": other}


def test_where_there_is_nothing_nothing_is_made(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    assert take_over(paths, RANGES) == []
    assert list(tmp_path.iterdir()) == []

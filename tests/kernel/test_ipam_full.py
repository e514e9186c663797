"""Leases stay right where the run folder, in memory, is full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dari.ipam.folder import Lease
from dari.ipam.owners import FileIndex
from dari.model import ContainerId, InterfaceName, Owner
from tests.support.isolation import mount
from tests.support.kernel import run


def owner(number: int) -> Owner:
    return Owner(container_id=ContainerId(f"{number:064}"), ifname=InterfaceName("eth0"))


def test_an_index_that_could_not_be_written_whole_is_not_believed() -> None:
    folder = Path("/run/small")
    folder.mkdir()
    mount("tmpfs", str(folder), "tmpfs")
    run("mount", "-o", "remount,size=16k", str(folder))
    leases = [
        Lease(name=f"10.0.{each >> 8}.{each & 255}", owner=owner(each)) for each in range(400)
    ]
    index = FileIndex(str(folder / "index"))
    index.fill(leases)
    with pytest.raises(OSError, match="No space left on device"):
        index.save()
    assert not os.listdir(folder)

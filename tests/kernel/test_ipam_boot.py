"""A reboot, as far as a test can have one: /run is made anew, and the disk stays."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dari.ipam.boot import boot_began
from tests.kernel.ipam_mixed import FOLDER, configuration, held, ours, theirs
from tests.support.isolation import add_namespace, mount

SMALL = configuration([{"subnet": "10.1.0.0/29"}])


def reboot() -> None:
    """Put a new /run in the place of the old, when the clock has gone on."""
    last = max((path.stat().st_mtime_ns for path in FOLDER.iterdir()), default=0)
    probe = Path("/run/probe")
    probe.touch()
    while probe.stat().st_mtime_ns <= last:
        probe.touch()
    mount("tmpfs", "/run", "tmpfs")


def test_pain_1_a_reboot_leaks_no_address_of_ours_or_theirs() -> None:
    for boot in range(3):
        for number in range(5):  # all there are
            (theirs if number % 2 else ours)(SMALL, "ADD", f"c{boot}.{number}")
        assert len(held()) == 5
        reboot()
    assert ours(SMALL, "ADD", "new") == ["10.1.0.2/29"]
    assert len(held()) == 1


def test_leases_that_theirs_made_in_this_boot_stay_when_ours_comes() -> None:
    theirs(SMALL, "ADD", "c1")
    # Nothing in /run is as old as that lease any more.
    shutil.rmtree("/run/netns")
    add_namespace("pod")
    assert ours(SMALL, "ADD", "c2") == ["10.1.0.3/29"]
    assert sorted(held()) == ["10.1.0.2", "10.1.0.3"]


def test_a_container_that_is_younger_than_the_leases_takes_none_of_them() -> None:
    """Its /run is its own; the node's run folder is a mount in it."""
    theirs(SMALL, "ADD", "c1")
    reboot()
    Path("/run/dari").mkdir()
    mount("tmpfs", "/run/dari", "tmpfs")
    assert ours(SMALL, "ADD", "c2") == ["10.1.0.3/29"]
    assert len(held()) == 2


def test_leases_of_this_boot_outlive_every_use_of_the_folder() -> None:
    ours(SMALL, "ADD", "c1")
    theirs(SMALL, "ADD", "c2")
    shutil.rmtree("/run/dari")
    ours(SMALL, "ADD", "c3")
    assert len(held()) == 3


def test_a_boot_begins_when_its_run_folder_is_made() -> None:
    Path("/var/lib/cni/before").touch()
    before = os.stat("/var/lib/cni/before").st_mtime_ns
    FOLDER.mkdir(parents=True)
    (FOLDER / "lock").touch()
    reboot()
    Path("/run/after").touch()
    assert before < boot_began("/run") <= os.stat("/run/after").st_mtime_ns

"""The containment itself: what runs in it ends with it, and so do its cgroups."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support import cgroups
from tests.support.containment import Containment

ENVIRON = {"PATH": os.environ["PATH"]}


def test_processes_and_cgroups_end_with_the_containment() -> None:
    with Containment() as containment, open(os.devnull, "wb") as nowhere:
        made = [place / containment.cgroup / "box" for place in hierarchies()]
        for folder in made:
            folder.mkdir(parents=True)
        process = containment.start(["sleep", "1000"], environ=ENVIRON, log=nowhere)
        assert process.poll() is None
    assert process.poll() is not None
    assert not any(folder.parent.exists() for folder in made)


def hierarchies() -> list[Path]:
    """Where cgroups can be made: at the top, or one below it for each controller."""
    if (cgroups.ROOT / "cgroup.procs").exists():
        return [cgroups.ROOT]
    return [place for place in cgroups.ROOT.iterdir() if (place / "cgroup.procs").exists()]


def test_the_containment_hides_what_the_machine_has() -> None:
    with Containment() as containment:
        assert containment.run(["ls", "/dev/shm"], environ=ENVIRON).stdout == ""
        assert containment.run(["ls", "/var/lib"], environ=ENVIRON).stdout == "cni\n"
        listed = containment.run(["ls", "/proc"], environ=ENVIRON).stdout.split()
        assert {"1"} < {each for each in listed if each.isdigit()} <= set("123456789")

"""The machine's cgroups, seen from a test that has covered /sys with its own.

A container runtime needs them. What it makes goes under one folder per test, in
every hierarchy, and that folder is taken away at the end. Both layouts are
served: one hierarchy (version 2), or one per controller with or without it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.waiting import wait_until

ROOT = Path("/sys/fs/cgroup")


def mount_all() -> None:
    """Mount every hierarchy of the machine below ROOT, where runtimes look for it."""
    found = [line.split(":", 2)[1] for line in _own_cgroups()]
    if found == [""]:
        _mount("cgroup2", "", ROOT)
        return
    subprocess.run(["mount", "-t", "tmpfs", "none", str(ROOT)], check=True)
    for controllers in found:
        named = controllers.removeprefix("name=") or "unified"
        place = ROOT / named
        place.mkdir()
        _mount("cgroup" if controllers else "cgroup2", controllers, place)


def remove(name: str) -> None:
    """Remove the folder `name` from every hierarchy, once no process is left in it."""
    wait_until(lambda: all(_removed(folder) for folder in _folders(name)))


def _own_cgroups() -> list[str]:
    return Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()


def _mount(kind: str, controllers: str, place: Path) -> None:
    named = controllers.startswith("name=")
    options = f"none,{controllers}" if named else controllers
    command = ["mount", "-t", kind, *(["-o", options] if options else []), "none", str(place)]
    subprocess.run(command, check=True)


def _folders(name: str) -> list[Path]:
    return [place / name for place in (ROOT, *ROOT.iterdir()) if (place / name).is_dir()]


def _removed(folder: Path) -> bool:
    for place, below, _files in os.walk(folder, topdown=False):
        try:
            for name in below:
                os.rmdir(os.path.join(place, name))
        except OSError:
            return False
    try:
        os.rmdir(folder)
    except OSError:
        return False
    return True

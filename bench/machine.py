"""What a figure is worth depends on where it was measured: the machine, in words.

May import: record, the standard library.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import dari
from dari.record import Record


class Machine(Record):
    """Where and with what a run was made."""

    cpu: str
    cores: int
    kernel: str
    system: str
    python: str
    dari: str
    reference: str
    date: str


def this_machine(reference: str) -> Machine:
    """Describe this machine; `reference` is the folder of the plugins compared with."""
    return Machine(
        cpu=_first(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), platform.machine()),
        cores=os.cpu_count() or 1,
        kernel=platform.release(),
        system=_first(r'^PRETTY_NAME="?([^"\n]+)', _read("/etc/os-release"), platform.system()),
        python=platform.python_version(),
        dari=dari.__version__,
        reference=package_version(reference),
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
    )


def package_version(folder: str) -> str:
    """The Debian package, with its version, that `folder` came with, or the folder's name."""
    try:
        owner = _output("dpkg-query", "-S", folder).split(":")[0]
        return _output("dpkg-query", "-W", "-f", "${Package} ${Version}", owner)
    except (OSError, subprocess.CalledProcessError):
        return folder


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if os.path.exists(path) else ""


def _first(pattern: str, text: str, otherwise: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else otherwise

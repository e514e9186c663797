"""docs/learn.md can be followed from its first line to its last, typing every command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
ENGLISH, KOREAN = DOCS / "learn.md", DOCS / "ko" / "learn.md"

# The reader's labs are recorded below /run; this one has a /run of its own.
READER = """
set -eu
mount -t tmpfs tmpfs /run
mkdir -p "$1"
printf '#!/bin/sh\\nexec "%s" -P -m dari "$@"\\n' "$2" > "$1/dari"
chmod 755 "$1/dari"
trap '"$1/dari" lab down >&2' EXIT
cd "$3"
set -x
"""


def commands(page: Path) -> list[str]:
    """The page's blocks of commands, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)


def test_both_languages_have_the_same_commands() -> None:
    assert commands(ENGLISH) == commands(KOREAN)
    assert len(commands(ENGLISH)) > 10


@pytest.mark.long(40)
def test_every_command_works_as_written(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / ".venv" / "bin").mkdir(parents=True)
    script = READER + "\n".join(commands(ENGLISH))
    source = str(DOCS.parent / "src")
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "bash",
            "-c",
            script,
            "reader",
            str(checkout / ".venv" / "bin"),
            sys.executable,
            str(checkout),
        ],
        env={**os.environ, "PYTHONPATH": source, "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

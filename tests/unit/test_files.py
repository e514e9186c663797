"""Files appear whole, or not at all; locks are waited for, and not for ever."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dari.errors import IOFailure, TryAgain
from dari.files import locked, remove, write_whole

KILLED_MIDWAY = """
import os, sys
sys.path.insert(0, sys.argv[1])
from dari import files
def die(*arguments, **named):
    os.kill(os.getpid(), 9)
setattr(os, sys.argv[3], die)
files.write_whole(sys.argv[2], b"second")
"""
SOURCE = str(Path(__file__).parents[2] / "src")


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_is_written_and_replaced_with_the_mode_asked_for(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "deep" / "er" / "file"
    for content in (b"one", b"another", b""):
        write_whole(str(path), content, mode=mode)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize(
    ("before", "step"), [(None, "link"), (None, "write"), (b"first", "write"), (b"first", "rename")]
)
def test_a_kill_midway_leaves_the_old_and_no_litter(
    tmp_path: Path, before: bytes | None, step: str
) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    command = [sys.executable, "-c", KILLED_MIDWAY, SOURCE, str(path), step]
    assert subprocess.run(command, check=False).returncode == -9
    assert (path.read_bytes() if path.exists() else None) == before
    write_whole(str(path), b"third")
    assert path.read_bytes() == b"third"
    write_whole(str(path), b"fourth")
    assert os.listdir(tmp_path) == ["file"]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IOFailure) as caught:
        write_whole(str(tmp_path / "file" / "below"), b"")
    assert str(tmp_path) in caught.value.message


def test_removing_tells_whether_there_was_one(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    write_whole(path, b"")
    assert remove(path)
    assert not remove(path)
    with pytest.raises(IOFailure):
        remove(str(tmp_path))


def test_a_lock_that_is_held_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with locked(path), pytest.raises(TryAgain) as caught, locked(path, seconds=0.05):
        pass
    assert path in caught.value.message
    with locked(path, seconds=0.05):
        pass

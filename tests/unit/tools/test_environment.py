"""The virtual environment: made once, from a path with spaces, and made anew when moved."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools.environment import Environment, digest, place_of


def checkout(folder: Path) -> Path:
    package = folder / "src" / "dari"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys; print('dari', *sys.argv[1:])\n")
    (folder / "requirements.lock").touch()
    return folder


def test_the_environment_runs_what_is_in_src(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = checkout(tmp_path / "a folder")
    said: list[str] = []
    Environment(place, said.append).provide_base()
    command = [str(place / ".venv" / "bin" / "dari"), "lab", "two words"]
    environ = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "dari lab two words\n"
    assert said == ["making .venv"]


def test_no_program_has_a_space_in_its_path(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": "/home/user/.cache"}
    assert place_of(Path("/srv/dari"), cache) == Path("/srv/dari/.venv")
    first, second = (place_of(Path(f"/srv/my {name}"), cache) for name in ("dari", "copy"))
    assert first.parent == second.parent == Path("/home/user/.cache/dari")
    assert first != second


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    place = checkout(tmp_path / "here")
    said: list[str] = []
    Environment(place, said.append).provide_base()
    launcher = place / ".venv" / "bin" / "dari"
    before = launcher.stat().st_mtime_ns
    Environment(place, said.append).provide_base()
    assert launcher.stat().st_mtime_ns == before
    assert said == ["making .venv"]


def test_the_native_entry_is_compiled_again_when_its_source_changes(tmp_path: Path) -> None:
    place = checkout(tmp_path / "here")
    builder = place / "src" / "dari" / "native" / "build.py"
    builder.parent.mkdir()
    builder.write_text("print('made')\n")
    said: list[str] = []
    environment = Environment(place, said.append)
    environment.provide_base()
    environment.provide_native_entry()
    environment.provide_native_entry()
    assert said == ["making .venv", "compiling the native entry"]
    builder.write_text("print('made anew')\n")
    environment.provide_native_entry()
    assert said[2:] == ["compiling the native entry"]


def test_a_checkout_that_was_moved_gets_a_new_one(tmp_path: Path) -> None:
    place = checkout(tmp_path / "here")
    said: list[str] = []
    Environment(place, said.append).provide_base()
    moved = place.rename(tmp_path / "there")
    Environment(moved, said.append).provide_base()
    assert said == ["making .venv", "making .venv"]
    assert str(moved) in (moved / ".venv" / "pyvenv.cfg").read_text()


def test_a_digest_tells_its_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ab", "c") == digest("ab", "c")

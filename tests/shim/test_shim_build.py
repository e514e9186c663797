"""The native entry's build: by every compiler here, without a warning, or with a reason."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import dari.native
from dari.agent.install import MARKER
from dari.native import build
from tests.shim.bindir import BinDir
from tests.shim.conftest import STRICT
from tests.support.fake_agent import FakeAgent

HERE = {"PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize("linking", [build.RELEASE, ("-O2", "-g")])
def test_every_compiler_is_content(tmp_path: Path, linking: tuple[str, ...]) -> None:
    for compiler in build.find_compilers(HERE):
        (folder := tmp_path / compiler[0]).mkdir()
        build.compile_with(compiler, (*linking, *STRICT), str(folder / "dari"))
        bin_dir = BinDir(folder, str(tmp_path / "agent.sock"))
        with FakeAgent(bin_dir.socket):
            assert bin_dir.call().stdout == b"{}\n"


def test_the_release_needs_nothing_to_run(released: Path) -> None:
    """Static: no program interpreter is asked for, so it runs on any host."""
    assert b"ld-linux" not in released.read_bytes()
    assert b"ld-musl" not in released.read_bytes()
    assert MARKER in released.read_bytes()  # or it would be taken for another's executable
    assert released.stat().st_mode & 0o777 == 0o755


def test_a_compiler_that_is_asked_for_is_the_only_one() -> None:
    assert build.find_compilers({"CC": "ccache gcc -m64", **HERE}) == [["ccache", "gcc", "-m64"]]


def test_musl_is_asked_first(tmp_path: Path) -> None:
    for name in ("gcc", "musl-gcc", "other"):
        (tmp_path / name).touch(0o755)
    assert build.find_compilers({"PATH": str(tmp_path)}) == [["musl-gcc"], ["gcc"]]


def compiler(folder: Path, script: str) -> dict[str, str]:
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"CC": str(path)}


def test_no_compiler_is_said(tmp_path: Path) -> None:
    with pytest.raises(build.NotBuilt, match="no C compiler"):
        build.build(str(tmp_path / "dari"), {"PATH": str(tmp_path)})


def test_a_compiler_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(build.NotBuilt, match="/nowhere/cc: No such file"):
        build.build(str(tmp_path / "dari"), {"CC": "/nowhere/cc"})


def test_a_missing_static_libc_is_named(tmp_path: Path) -> None:
    complaint = "echo 'ld: cannot find -lc' >&2; echo 'error: ld returned 1' >&2; exit 1"
    with pytest.raises(build.NotBuilt, match=r"cannot find -lc$"):
        build.build(str(tmp_path / "dari"), compiler(tmp_path, complaint))


def test_a_failed_build_leaves_what_was_there(tmp_path: Path) -> None:
    output = tmp_path / "dari"
    output.write_text("an earlier one")
    half_done = 'while [ "$1" != -o ]; do shift; done; echo half > "$2"; exit 1'
    with pytest.raises(build.NotBuilt):
        build.build(str(output), compiler(tmp_path, half_done))
    assert output.read_text() == "an earlier one"
    assert sorted(os.listdir(tmp_path)) == ["compiler", "dari"]


def test_a_program_that_runs_can_be_replaced(tmp_path: Path) -> None:
    """Written in place it would be: text file busy."""
    output = str(tmp_path / "dari")
    build.build(output, HERE)
    with subprocess.Popen([output], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        build.build(output, HERE)
        running.kill()


def test_without_the_source_there_is_no_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build.find_sources(str(tmp_path / "none")) == []
    monkeypatch.setattr(build, "find_sources", list)
    with pytest.raises(build.NotBuilt, match="source is not there"):
        build.build(str(tmp_path / "dari"), HERE)


def test_the_build_is_called_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "dari"
    assert build.main([str(output)]) == 0
    assert f"{output}: {output.stat().st_size} bytes" in capsys.readouterr().out


def test_a_build_by_hand_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "/nowhere/cc")
    assert build.main([str(tmp_path / "dari")]) == 1
    assert "not built: /nowhere/cc" in capsys.readouterr().err


def test_where_the_program_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dari.native, "__file__", str(tmp_path / "__init__.py"))
    assert dari.native.entry_path() is None
    shutil.copy("/bin/true", tmp_path / dari.native.NAME)
    assert dari.native.entry_path() == str(tmp_path / "dari-entry")

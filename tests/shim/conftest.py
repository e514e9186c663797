"""Builds the native entry once per run, as released and with sanitizers.

Every test that asks for `bin_dir` runs with both.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dari.native.build import RELEASE, compile_with, find_compilers
from tests.shim.bindir import BinDir

SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
STRICT = ("-Werror", "-Wstrict-prototypes", "-Wformat=2", "-Wvla")


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as the package builds it, by the best compiler there is."""
    program = tmp_path_factory.mktemp("released") / "dari"
    compile_with(find_compilers({"PATH": "/usr/bin:/bin"})[0], RELEASE, str(program))
    return program


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with AddressSanitizer and UBSan."""
    program = tmp_path_factory.mktemp("sanitized") / "dari"
    compile_with(["gcc"], SANITIZERS, str(program))
    return program


@pytest.fixture(params=["released", "sanitized"])
def program(request: pytest.FixtureRequest) -> Path:
    built = request.getfixturevalue(request.param)
    assert isinstance(built, Path)
    return built


@pytest.fixture
def bin_dir(program: Path, tmp_path: Path) -> BinDir:
    """A folder of plugins with the program in it, asking at a socket of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(program, folder / "dari")
    return BinDir(folder, str(tmp_path / "agent.sock"))

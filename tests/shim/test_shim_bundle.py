"""The file beside the entry that holds the code of its modules, and when it counts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dari.native import bundle, launch
from dari.native.settings import this_python

PYTHON, PACKAGE = this_python()

# Imports a module as `launch` would, and tells who loaded it.
PROGRAM = f"""
import sys
sys.path.insert(0, sys.argv[2])
exec(compile(open({launch.__file__!r}).read(), "launch", "exec"), names := {{"__name__": "launch"}})
names["use_bundle"](sys.argv[1])
import dari.errors as found
print(type(found.__spec__.loader).__name__, getattr(found, "ADDED", ""), found.__file__)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a copy of dari, whose sources may be changed."""
    folder = tmp_path / "패키지"
    ignored = shutil.ignore_patterns("__pycache__", "lab", "locale", "store")
    shutil.copytree(f"{PACKAGE}/dari", folder / "dari", ignore=ignored)
    return folder


@pytest.fixture
def folder(tmp_path: Path, package: Path) -> Path:
    """A folder with the bundle of that copy."""
    program = (
        f"import sys; sys.path.insert(0, {str(package)!r})\n"
        "from dari.native import bundle; sys.stdout.buffer.write(bundle.pack())"
    )
    made = subprocess.run([PYTHON, "-I", "-c", program], capture_output=True, check=True)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / bundle.FILE_NAME).write_bytes(made.stdout)
    (folder / bundle.FILE_NAME).chmod(bundle.MODE)
    return folder


def loaded_by(folder: Path, package: Path) -> list[str]:
    """Loader, mark and file of a module, where the bundle of a folder is used."""
    command = [PYTHON, "-I", "-S", "-c", PROGRAM, str(folder), str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_a_module_comes_from_the_bundle_and_knows_its_source(folder: Path, package: Path) -> None:
    assert loaded_by(folder, package) == ["Bundle", f"{package}/dari/errors.py"]


def test_a_source_that_changed_is_read_anew(folder: Path, package: Path) -> None:
    source = package / "dari" / "errors.py"
    source.write_text(f"{source.read_text()}\nADDED = 'anew'\n")
    assert loaded_by(folder, package)[:2] == ["SourceFileLoader", "anew"]


def test_a_source_of_the_same_size_that_is_newer_is_read_anew(folder: Path, package: Path) -> None:
    os.utime(package / "dari" / "errors.py", ns=(1, 1))
    assert loaded_by(folder, package)[0] == "SourceFileLoader"


def test_a_package_that_was_moved_is_found(folder: Path, package: Path) -> None:
    moved = package.rename(package.parent / "moved")
    assert loaded_by(folder, moved) == ["SourceFileLoader", f"{moved}/dari/errors.py"]


def test_without_a_bundle_modules_are_searched_for(tmp_path: Path, package: Path) -> None:
    assert loaded_by(tmp_path / "nowhere", package)[0] == "SourceFileLoader"


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_bundle_that_others_may_write_does_not_count(
    folder: Path, package: Path, mode: int
) -> None:
    (folder / bundle.FILE_NAME).chmod(mode)
    assert loaded_by(folder, package)[0] == "SourceFileLoader"


def test_a_bundle_behind_a_link_does_not_count(folder: Path, package: Path) -> None:
    file = folder / bundle.FILE_NAME
    file.symlink_to(file.rename(folder / "elsewhere"))
    assert loaded_by(folder, package)[0] == "SourceFileLoader"


def test_another_pythons_bundle_does_not_count(folder: Path, package: Path) -> None:
    file = folder / bundle.FILE_NAME
    content = file.read_bytes()
    file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert loaded_by(folder, package)[0] == "SourceFileLoader"


@pytest.mark.parametrize("left", [0, 3, 8, 99])
def test_a_bundle_that_was_cut_off_early_does_not_count(
    folder: Path, package: Path, left: int
) -> None:
    file = folder / bundle.FILE_NAME
    file.write_bytes(file.read_bytes()[:left])
    assert loaded_by(folder, package)[0] == "SourceFileLoader"

"""`pip install .` into an empty virtual environment is enough to use dari."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import dari
from dari.native import NAME

CHECKOUT = Path(__file__).parents[3]
SOURCES = ("src/dari", "shim", "pyproject.toml", "setup.py", "README.md", "LICENSE")
OFFLINE = ("--no-index", "--no-deps", "--disable-pip-version-check", "--quiet")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the checkout."""
    copy, target = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        (copy / name).parent.mkdir(exist_ok=True)
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", NAME))
        else:
            shutil.copy(source, copy / name)
    pip("wheel", "--no-build-isolation", *OFFLINE, "--wheel-dir", str(target), str(copy))
    [built] = target.iterdir()
    return built


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)


def test_the_wheel_holds_types_and_the_native_entry(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "dari/py.typed" in names
    assert (f"dari/native/{NAME}" in names) == (shutil.which("cc") is not None)
    assert not [name for name in names if name.startswith(("tests/", "bench/", "tools/"))]


def test_an_empty_environment_gets_the_command(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "an environment"
    venv.create(environment, symlinks=True)
    pip("--python", str(environment / "bin/python"), "install", *OFFLINE, str(wheel))
    command = [str(environment / "bin/dari"), "version"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
    assert dari.__version__ in done.stdout

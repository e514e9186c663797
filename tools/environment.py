"""The virtual environment in .venv: made once, brought up to date when its inputs change.

It grows in steps, since `make demo` should not wait for the tools of the tests. A
base holds dari itself, by a path file that points at src/, and what it needs, from
requirements.lock. The native entry is compiled where a compiler is; without one
dari does its job in Python. The tools for checks and tests come on top from
requirements-dev.lock. Every file is checked against its hash. A stamp per step
holds a digest of what the step was made from.

A script's first line cannot name a program whose path has a space. Where the
checkout's has one, .venv is a link to a folder in the user's cache.

May import: the standard library.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

LAUNCHER = """#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
exec "$here/python" -m dari "$@"
"""
BASE_LOCK, TOOLS_LOCK = "requirements.lock", "requirements-dev.lock"
COMPILERS = ("musl-gcc", "cc", "gcc", "clang")


class Environment:
    """The virtual environment of one checkout.

    Args:
        checkout: the folder that holds pyproject.toml and src/.
        say: is told, in a few words, of each step that takes a while.
    """

    def __init__(self, checkout: Path, say: Callable[[str], None]) -> None:
        self.checkout = checkout
        self.folder = checkout / ".venv"
        self.say = say
        self._place = place_of(checkout, os.environ)

    def provide_base(self) -> None:
        """Make the environment, and let it, and its `dari`, find src/ and what that needs."""
        wanted = digest(str(self.checkout), sys.version, LAUNCHER, self._read(BASE_LOCK))
        if self._works() and self._stamp("base") == wanted:
            return
        self._make()
        self._point_at_source()
        self._install(BASE_LOCK)
        self._write_stamp("base", wanted)

    def provide_native_entry(self) -> None:
        """Compile the native entry, if there is a compiler; it stays out otherwise."""
        sources = [file.read_text(encoding="utf-8") for file in sorted(self._shim())]
        wanted = digest(str(self.checkout), *map(str, map(shutil.which, COMPILERS)), *sources)
        if self._stamp("native") == wanted:
            return
        self.say("compiling the native entry")
        subprocess.run([self.python, "-m", "dari.native.build"], stdout=subprocess.DEVNULL)
        self._write_stamp("native", wanted)

    def provide_tools(self) -> None:
        """Install what the checks and tests need."""
        wanted = digest(str(self.checkout), self._read(TOOLS_LOCK))
        if self._stamp("tools") == wanted:
            return
        self._install(TOOLS_LOCK)
        self._write_stamp("tools", wanted)

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self._place / "bin" / "python"

    def _shim(self) -> list[Path]:
        return [*(self.checkout / "shim").glob("*"), *self.checkout.glob("src/dari/native/*.py")]

    def _works(self) -> bool:
        return self._was_made_here() and self._runs(
            "-c", "import sys; sys.exit(sys.version_info < (3, 11))"
        )

    def _was_made_here(self) -> bool:
        """The programs in it name their own folder, so one that was moved is no use."""
        record = self.folder / "pyvenv.cfg"
        return record.exists() and str(self._place) in record.read_text(encoding="utf-8")

    def _make(self) -> None:
        if self._works():
            return
        self.say("making .venv")
        for folder in (self.folder, self._place):
            _remove(folder)
        command = [sys.executable, "-m", "venv", "--without-pip", str(self._place)]
        subprocess.run(command, check=True)
        if self._place != self.folder:
            self.folder.symlink_to(self._place)

    def _point_at_source(self) -> None:
        (packages,) = self.folder.glob("lib/python3*/site-packages")
        source = str(self.checkout / "src")
        (packages / "dari-checkout.pth").write_text(source + "\n", encoding="utf-8")
        launcher = self.folder / "bin" / "dari"
        launcher.write_text(LAUNCHER, encoding="utf-8")
        launcher.chmod(0o755)

    def _install(self, lock: str) -> None:
        """Install what a lock file names; where it names nothing, pip is not needed."""
        if "==" not in self._read(lock):
            return
        self.say(f"installing into .venv what {lock} names")
        if not self._runs("-m", "pip", "--version"):
            self._run("-m", "ensurepip")
        named = str(self.checkout / lock)
        self._run("-m", "pip", "install", "--quiet", "--require-hashes", "-r", named)

    def _read(self, name: str) -> str:
        return (self.checkout / name).read_text(encoding="utf-8")

    def _runs(self, *arguments: str) -> bool:
        try:
            done = subprocess.run([self.python, *arguments], capture_output=True)
        except OSError:
            return False
        return done.returncode == 0

    def _run(self, *arguments: str) -> None:
        environ = {
            **os.environ,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }
        quiet = subprocess.DEVNULL
        subprocess.run(
            [self.python, *arguments], check=True, env=environ, stdin=quiet, stdout=quiet
        )

    def _stamp(self, step: str) -> str:
        try:
            return (self.folder / f".dari-{step}").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _write_stamp(self, step: str, value: str) -> None:
        (self.folder / f".dari-{step}").write_text(value, encoding="utf-8")


def place_of(checkout: Path, environ: Mapping[str, str]) -> Path:
    """Where the environment of a checkout is: in it, or in the cache if its path has a space."""
    if not any(map(str.isspace, str(checkout))):
        return checkout / ".venv"
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "dari" / digest(str(checkout))[:16]


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def digest(*parts: str) -> str:
    """A short text that changes when any part does."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()

"""Real labs for tests: run by root or by an ordinary user, and nothing left of them.

A `Caller` runs `dari` as somebody. The ordinary user gets a copy of the source,
since a checkout may lie where only root looks, and a Python that others may run.
`Traces` remembers what a lab consists of while it lives, and finds what is left
of that afterwards, whatever else happens on the machine.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import dari
from tests.support.waiting import wait_until

CHECKOUT = Path(__file__).parent.parent.parent
USER = 12345
ROOT, ORDINARY = "root", "ordinary"
_PYTHONS = (sys.executable, "/usr/bin/python3", "/usr/bin/python3.11", "/usr/bin/python3.12")
_numbers = itertools.count()


def unique_name() -> str:
    """A lab's name that no other test uses, also in another process."""
    return f"t{os.getpid()}-{next(_numbers)}"


class Caller:
    """Somebody who runs `dari`.

    Args:
        prefix: words before the command, such as those that change the user.
        environ: the environment.
        python: the interpreter.
        base: where this user's labs are recorded.
    """

    def __init__(
        self, prefix: Sequence[str], environ: Mapping[str, str], python: str, base: Path
    ) -> None:
        self._prefix = list(prefix)
        self.environ = dict(environ)
        self.python = python
        self.base = base

    def line(self, *words: str) -> list[str]:
        """The command line of `dari WORDS`."""
        return [*self._prefix, self.python, "-P", "-m", "dari", *words]

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `dari WORDS` to its end."""
        return subprocess.run(
            self.line(*words), env=self.environ, input=stdin, capture_output=True, text=True
        )

    def ok(self, *words: str) -> str:
        """Run `dari WORDS`, which has to succeed; return what it printed."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `dari WORDS` in a process group of its own, its output thrown away."""
        return subprocess.Popen(
            self.line(*words),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )


class Lab:
    """A lab that is up."""

    def __init__(self, caller: Caller, name: str) -> None:
        self.caller = caller
        self.name = name

    def status(self) -> Any:
        """What `dari lab status -o json` says."""
        return json.loads(self.caller.ok("lab", "status", "--name", self.name, "-o", "json"))

    def run(self, target: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a machine or pod."""
        return self.caller.run("lab", "exec", "--name", self.name, target, "--", *words)

    def ok(self, target: str, *words: str) -> str:
        """Run a command there, which has to succeed; return what it printed."""
        done = self.run(target, *words)
        assert done.returncode == 0, f"{target}: {words}: {done.stdout}{done.stderr}"
        return done.stdout

    def record(self) -> Any:
        """What is on disk of it."""
        return json.loads((self.caller.base / self.name / "state.json").read_text())


@contextmanager
def caller(who: str) -> Iterator[Caller]:
    """Root, or an ordinary user with a home of its own."""
    if who == ROOT:
        source = {"PYTHONPATH": str(Path(dari.__path__[0]).parent)}
        yield Caller([], {**os.environ, **source}, sys.executable, Path("/run/dari-lab"))
        return
    with tempfile.TemporaryDirectory(prefix="dari-user-") as home:
        yield _ordinary(Path(home))


def _ordinary(home: Path) -> Caller:
    shutil.copytree(dari.__path__[0], home / "dari", ignore=shutil.ignore_patterns("__pycache__"))
    for name in _dependencies():
        _copy_distribution(name, home)
    home.chmod(0o755)
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER)
    # setpriv still has root's capabilities when it starts a program; env has none.
    prefix = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env"]
    environ = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
    }
    return Caller(prefix, environ, _python_for(prefix), runtime / "dari-lab")


def _dependencies() -> list[str]:
    """Names of the distributions that dari needs to run."""
    with open(CHECKOUT / "pyproject.toml", "rb") as stream:
        declared = tomllib.load(stream)["project"]["dependencies"]
    return [re.split(r"[^A-Za-z0-9._-]", each)[0] for each in declared]


def _copy_distribution(name: str, target: Path) -> None:
    distribution = metadata.distribution(name)
    for file in distribution.files or []:
        if file.suffix == ".py":
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(distribution.locate_file(file)), target / file)


def _python_for(prefix: Sequence[str]) -> str:
    """An interpreter that the user of this prefix may run, 3.11 or newer."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    for python in _PYTHONS:
        with suppress(OSError):
            if subprocess.run([*prefix, python, "-c", check], capture_output=True).returncode == 0:
                return python
    raise AssertionError(f"an ordinary user may run none of {', '.join(_PYTHONS)}")


class Traces:
    """What a lab is made of: its namespaces, by kind and inode.

    All of a lab's processes are in its process namespace, and no other process is. The
    namespaces are held until they are looked for, or the kernel would give their numbers to
    those of other labs, which are made at the same time.
    """

    def __init__(self) -> None:
        self._held: dict[str, int] = {}

    def remember(self, lab: Lab) -> None:
        """Note the namespaces of all processes of a living lab."""
        (first, *_) = lab.record()["first"]
        own = os.readlink(f"/proc/{first}/ns/pid_for_children")
        for pid in _processes_in(own):
            for kind in ("net", "mnt", "uts", "pid"):
                with suppress(FileNotFoundError, ProcessLookupError):
                    self._hold(f"/proc/{pid}/ns/{kind}")
        assert len(self._held) > 3

    def _hold(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if name in self._held:
            os.close(descriptor)
        else:
            self._held[name] = descriptor

    def left(self) -> list[str]:
        """Processes that are in one of those, and mounts that hold one."""
        with open("/proc/self/mountinfo", encoding="utf-8") as stream:
            found = [line for line in stream if any(one in line for one in self._held)]
        for pid in _processes():
            for kind in ("net", "mnt", "uts", "pid"):
                with suppress(OSError):
                    if os.readlink(f"/proc/{pid}/ns/{kind}") in self._held:
                        found.append(f"process {pid} in {kind}")
        return found

    def check(self) -> None:
        """Nothing is left, as soon as the kernel has seen to it."""
        try:
            wait_until(lambda: not self.left(), "what is left to go", told=lambda: f"{self.left()}")
        finally:
            self.close()

    def close(self) -> None:
        """Hold the namespaces no more."""
        while self._held:
            os.close(self._held.popitem()[1])


def processes_of(name: str) -> list[int]:
    """Processes whose command line has a lab's name in it: its first ones."""
    found = []
    for pid in _processes():
        with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as stream:
            if f'"name": "{name}"'.encode() in stream.read():
                found.append(pid)
    return found


def _processes() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _processes_in(namespace: str) -> list[int]:
    found = []
    for pid in _processes():
        with suppress(OSError):
            if os.readlink(f"/proc/{pid}/ns/pid") == namespace:
                found.append(pid)
    return found


@contextmanager
def lab(by: Caller, *options: str) -> Iterator[Lab]:
    """A lab for the `with` block; after it nothing is left, which is checked."""
    built = Lab(by, unique_name())
    with closing(Traces()) as traces:
        try:
            by.ok("lab", "up", "--name", built.name, *options)
            traces.remember(built)
            yield built
        finally:
            by.ok("lab", "down", "--name", built.name)
        traces.check()
    assert processes_of(built.name) == []
    assert not (by.base / built.name).exists()

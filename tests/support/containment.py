"""A process tree of its own for a container runtime, on a test's own node.

Runtimes leave processes behind on purpose (shims, monitors), and files in places
that cannot be configured away. In here all processes live in one PID namespace
and die with its first; /dev/shm and /var/lib are empty folders in memory; the
cgroups made are below one folder, which goes at the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from tests.support import cgroups

INIT = """
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""
COVERED = ("/dev/shm", "/var/lib")
KEPT = "/var/lib/cni"
SECONDS = 60


class Containment:
    """Runs commands in the containment; a context manager.

    Attributes:
        cgroup: the folder, in every hierarchy, below which containers' cgroups go.
    """

    def __init__(self) -> None:
        self.cgroup = f"dari-test-{os.getpid()}-{threading.get_native_id()}"
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Containment:
        cgroups.mount_all()
        _cover()
        arguments = ["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
        command = [*arguments, sys.executable, "-I", "-S", "-c", INIT]
        self._guard = self._popen(["setpriv", "--pdeathsig", "KILL", *command])
        assert self._guard.stdout is not None
        assert self._guard.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_exception: object) -> None:
        self._guard.kill()
        for process in self._started:
            process.communicate()
        cgroups.remove(self.cgroup)

    def start(
        self, command: Sequence[str], *, environ: Mapping[str, str], log: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a program that stays; its output goes to `log`."""
        process = subprocess.Popen(
            [*self._entrance(), *command], env=environ, stdout=log, stderr=log
        )
        self._started.append(process)
        return process

    def run(
        self, command: Sequence[str], *, environ: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; fails, with what it said, if it does."""
        done = subprocess.run(
            [*self._entrance(), *command],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done

    def _popen(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._started.append(process)
        return process

    def _entrance(self) -> list[str]:
        folder = f"/proc/{self._guard.pid}/ns"
        return [
            "nsenter",
            f"--mount={folder}/mnt",
            f"--net={folder}/net",
            f"--pid={folder}/pid_for_children",
            "--",
        ]


def _cover() -> None:
    """Hide what the machine has there, for the calling thread's mounts only."""
    aside = "/run/kept"
    os.mkdir(aside)
    subprocess.run(["mount", "--bind", KEPT, aside], check=True)
    for folder in COVERED:
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    os.mkdir(KEPT)
    subprocess.run(["mount", "--move", aside, KEPT], check=True)
    os.rmdir(aside)

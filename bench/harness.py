"""Nodes to measure on, and one way to time a whole process.

Each contestant has a node of its own: a thread with fresh network and mount
namespaces, so that neither meets the other's bridge, rules or leases, and none
of it outlives the run. Programs are started from that thread by posix_spawn,
which costs the same however large this process is, and read and write plain
files in memory, so that nothing of ours runs between start and end.

May import: dari.lab.syscalls, record.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import ParamSpec, TypeVar

from dari.lab import syscalls
from dari.record import Record

P = ParamSpec("P")
T = TypeVar("T")

CLONE_FS = 0x00000200  # linux/sched.h: a thread that leaves the others' mounts needs its own
FOLDER = "/run/bench"
LEASES = f"{FOLDER}/networks"
# A program that a node's thread starts so ends with that thread, however that comes about.
BOUND = ("setpriv", "--pdeathsig", "KILL")
NODE_ADDRESS = "192.0.2.10/24"  # RFC 5737: for documentation; the far end is nobody
_INPUT, _OUTPUT, _ERRORS = (f"{FOLDER}/{name}" for name in ("stdin", "stdout", "stderr"))


class BenchFailed(Exception):
    """A program that was to be measured ended with an error; the message is its own."""


class Pod(Record):
    """A network namespace on a node, and the container that it stands for."""

    container_id: str
    netns: str


class Node:
    """A node of a contestant's own; close it to be rid of everything on it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, initializer=_enter_fresh_namespaces)
        self._pods = 0

    def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on the node and return what it does."""
        return self._thread.submit(work, *args, **kwargs).result()

    def new_pod(self) -> Pod:
        """Make an empty network namespace."""
        self._pods += 1
        name = f"pod{self._pods}"
        self.do(run_ip, "netns", "add", name)
        return Pod(container_id=name, netns=f"/run/netns/{name}")

    def new_pods(self, number: int) -> list[Pod]:
        """Make many at once."""
        names = [f"pod{self._pods + each}" for each in range(1, number + 1)]
        self._pods += number
        self.do(_ip_batch, [f"netns add {name}" for name in names])
        return [Pod(container_id=name, netns=f"/run/netns/{name}") for name in names]

    def time(self, verb: str, pod: Pod, conf: Mapping[str, object], folder: str) -> float:
        """Call a plugin as a runtime does; milliseconds from its start to its end.

        Args:
            verb: ``ADD`` or ``DEL``.
            pod: whose interface eth0 it is about.
            conf: the network configuration.
            folder: where the executables are; conf["type"] names the one to start.

        Raises:
            BenchFailed: it ended with another status than 0.
        """
        environ = call_environ(verb, pod, folder)
        return self.do(_timed, f"{folder}/{conf['type']}", environ, conf)

    def answer(self) -> str:
        """What the program that was timed last wrote to its standard output."""
        return self.do(said_in, _OUTPUT)

    def close(self) -> None:
        """End the node's thread: its namespaces, and all in them, go with it."""
        self._thread.shutdown()


def _enter_fresh_namespaces() -> None:
    syscalls.unshare(CLONE_FS)
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET)
    syscalls.keep_mounts()
    syscalls.mount("tmpfs", "/run", "tmpfs")
    syscalls.mount("sysfs", "/sys", "sysfs")
    os.makedirs(LEASES)
    run_ip("link", "set", "lo", "up")
    run_ip("link", "add", "eth0", "type", "veth", "peer", "name", "wire")
    run_ip("address", "add", NODE_ADDRESS, "dev", "eth0")
    for name in ("eth0", "wire"):
        run_ip("link", "set", name, "up")


def run_ip(*arguments: str) -> None:
    """Run `ip` on the calling thread's node."""
    subprocess.run(["ip", *arguments], check=True)


def _ip_batch(lines: Sequence[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    subprocess.run(["ip", "-batch", "-"], input=text, text=True, check=True)


def call_environ(verb: str, pod: Pod, folder: str) -> dict[str, str]:
    """The environment that a runtime gives a plugin."""
    return {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": pod.container_id,
        "CNI_NETNS": pod.netns,
        "CNI_IFNAME": "eth0",
        "CNI_PATH": folder,
        "PATH": os.environ["PATH"],
    }


def write_input(conf: Mapping[str, object]) -> None:
    """Put a configuration where `spawn` has programs read it."""
    with open(_INPUT, "w", encoding="utf-8") as file:
        file.write(json.dumps(conf))


def spawn(executable: str, environ: Mapping[str, str], output: str, errors: str) -> int:
    """Start a program that reads what `write_input` wrote; its process id."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, _INPUT, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    return os.posix_spawn(executable, [executable], environ, file_actions=actions)


def _timed(executable: str, environ: Mapping[str, str], conf: Mapping[str, object]) -> float:
    took, status = timed(executable, environ, conf)
    if status != 0:
        said = f"{said_in(_OUTPUT)} {said_in(_ERRORS)}".strip()
        raise BenchFailed(f"{executable} {environ['CNI_COMMAND']}: {said}")
    return took


def timed(
    executable: str, environ: Mapping[str, str], conf: Mapping[str, object]
) -> tuple[float, int]:
    """Run a program on the calling thread's node; milliseconds, and how it ended."""
    write_input(conf)
    start = perf_counter()
    _, status = os.waitpid(spawn(executable, environ, _OUTPUT, _ERRORS), 0)
    return (perf_counter() - start) * 1000, status


def said_in(path: str) -> str:
    """What a program wrote to a file."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()

"""Many calls at once, as several callers make them, started and awaited by one thread.

A thread for each caller would take turns at Python's lock, and that would be
measured too. Runs on a node, by `Node.do`.

May import: harness.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from time import perf_counter

from bench.harness import FOLDER, BenchFailed, Pod, call_environ, said_in, spawn, write_input

WNOTHREAD = 0x20000000  # linux/wait.h: only children of this thread


def call_all(
    verb: str, pods: Sequence[Pod], conf: Mapping[str, object], folder: str, callers: int
) -> float:
    """Call a plugin once for each pod, so many calls at a time.

    Args:
        verb: ``ADD`` or ``DEL``.
        pods: whose interfaces eth0 it is about.
        conf: the network configuration, the same for all.
        folder: where the executables are.
        callers: how many processes run at once.

    Returns:
        Milliseconds from the first start to the last end.

    Raises:
        BenchFailed: one ended with another status than 0.
    """
    write_input(conf)
    running: dict[int, Pod] = {}
    executable = f"{folder}/{conf['type']}"
    start = perf_counter()
    for pod in pods:
        if len(running) == callers:
            _await_one(verb, running)
        environ = call_environ(verb, pod, folder)
        running[spawn(executable, environ, _output(pod), os.devnull)] = pod
    while running:
        _await_one(verb, running)
    return (perf_counter() - start) * 1000


def _await_one(verb: str, running: dict[int, Pod]) -> None:
    pid, status = os.waitpid(-1, WNOTHREAD)
    pod = running.pop(pid, None)
    if pod is None:
        raise BenchFailed(f"a program that should stay ended with status {status}")
    if status != 0:
        raise BenchFailed(f"{verb} of {pod.container_id}: {said_in(_output(pod))}")


def _output(pod: Pod) -> str:
    return f"{FOLDER}/said-{pod.container_id}"

"""A node's agent, killed and started in the lab, and asked how it is.

May import: errors, agent.client, and within lab: cluster, look, programs, state; within
lab.faults: inside, scene.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping

from dari.agent.client import AgentAbsent, ask_status
from dari.errors import DariError
from dari.lab import enter, programs
from dari.lab.cluster import AGENT_LOG
from dari.lab.faults import inside
from dari.lab.faults.fault import run
from dari.lab.look import AGENT_SOCKET
from dari.lab.state import State

_LOCK = "/run/dari/agent.lock"
_PATIENCE = 30.0  # seconds; only what is broken takes that long
_POLL = 0.05


def start(state: State, node: str) -> None:
    """Start the agent of a node, if none runs, and wait until it answers.

    Raises:
        DariError: it does not within half a minute.
    """
    if _answers(state, node):
        return
    words = ("setsid", "--fork", *programs.python("dari", ["agent"]))
    with open(f"/proc/{state.holders[node].pid}/root{AGENT_LOG}", "ab") as log:
        subprocess.run(
            enter.command(state, node, words),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=programs.environment(os.environ),
        )
    _wait(lambda: _answers(state, node), f"{node}: the agent does not answer; see {AGENT_LOG}")


def kill(state: State, node: str) -> None:
    """End the agent of a node with SIGKILL, if one runs.

    Raises:
        DariError: it is still there after half a minute.
    """
    if not _answers(state, node):
        return
    number = inside.text_of(state, node, _LOCK).strip()
    inside.run_all(state, [run(node, "kill", "-KILL", number)])
    _wait(lambda: not _answers(state, node), f"{node}: the agent does not end")


def trouble(state: State, node: str) -> str:
    """What the agent of a node lacks, in a word; empty where it is well."""
    try:
        told = ask_status(_socket(state, node))
    except AgentAbsent:
        return "absent"
    except DariError as error:
        return error.message
    store = told.get("store")
    records = store if isinstance(store, Mapping) else {}
    if not told.get("ready"):
        return "not ready"
    return "" if records.get("reachable") and not records.get("held") else "store"


def _answers(state: State, node: str) -> bool:
    try:
        ask_status(_socket(state, node))
    except AgentAbsent:
        return False
    except DariError:
        return True
    return True


def _socket(state: State, node: str) -> str:
    return f"/proc/{state.holders[node].pid}/root{AGENT_SOCKET}"


def _wait(done: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise DariError(complaint)
        time.sleep(_POLL)

"""What an agent tells of itself, and what the kernel tells of it. Runs on its node.

May import: dari.agent.client, dari.netlink, harness.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import time
from collections.abc import Mapping

from bench.harness import BenchFailed
from dari.agent.client import ask_status
from dari.paths import Paths

METRICS = ("127.0.0.1", 9473)  # where an agent serves them unless told otherwise
PATIENCE = 60.0  # seconds
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_POLL = 0.02  # seconds


def agent_pid() -> int:
    """The process that listens on the agent's socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(Paths().agent_socket)
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, _, _ = _CREDENTIALS.unpack(raw)
    return int(pid)


def resident_mb() -> float:
    """The agent's resident memory in MB (10^6 bytes)."""
    with open(f"/proc/{agent_pid()}/status", encoding="utf-8") as file:
        return parse_resident(file.read())


def parse_resident(text: str) -> float:
    """VmRSS of a /proc/PID/status, in MB. Pure.

    Raises:
        BenchFailed: there is none.
    """
    found = re.search(r"^VmRSS:\s+(\d+) kB$", text, re.MULTILINE)
    if found is None:
        raise BenchFailed("the agent's memory is not told: did it end?")
    return int(found.group(1)) * 1024 / 1e6


def figures() -> Mapping[str, float]:
    """The agent's metrics, each by its name with its labels."""
    connection = http.client.HTTPConnection(*METRICS, timeout=PATIENCE)
    try:
        connection.request("GET", "/metrics")
        return parse_metrics(connection.getresponse().read().decode())
    finally:
        connection.close()


def parse_metrics(text: str) -> Mapping[str, float]:
    """Prometheus's text format, as far as an agent's metrics need it. Pure."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#")
    return {name: float(value) for name, _, value in lines}


def figures_after(command: str, calls: float) -> Mapping[str, float]:
    """The metrics once so many calls are counted, which is after they are answered.

    Raises:
        BenchFailed: they are not.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = figures()
        if found.get(f'dari_cni_seconds_count{{command="{command}"}}', 0.0) >= calls:
            return found
    raise BenchFailed(f"the agent did not count {calls:g} calls of {command}")


def until_settled() -> None:
    """Wait until every cable of a pod that ended is really gone.

    Raises:
        BenchFailed: some stay.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if ask_status(Paths().agent_socket, seconds=PATIENCE)["condemned"] == 0:
            return
        time.sleep(_POLL)
    raise BenchFailed("the agent does not delete the cables of pods that ended")

"""A real agent on the test's own node, and runtimes that call the native entry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dari import native
from dari.agent.client import ask_status
from dari.agent.install import executable, install_executables
from dari.errors import DariError
from dari.paths import Paths
from tests.support.waiting import PATIENCE, wait_until

BIN = "/opt/cni/bin"
LOG = Path("/run/agent.log")
CONF: dict[str, object] = {
    "cniVersion": "1.0.0",
    "name": "mynet",
    "type": "bridge",
    "bridge": "br7",
    "isGateway": True,
    "ipMasq": True,
    "ipam": {
        "type": "host-local",
        "subnet": "10.22.0.0/16",
        "routes": [{"dst": "0.0.0.0/0"}],
    },
}


def install(*more: str, settings: bool = True) -> None:
    """Put the native entry where runtimes look; without settings it has no fallback.

    Args:
        more: names to install it under, besides those of a bridge and its addresses.
        settings: what it falls back to.
    """
    assert native.entry_path() is not None, "build it: python -m dari.native.build"
    program = executable(Paths())
    assert program.settings
    install_executables(BIN, ["bridge", "host-local", "loopback", *more], program)
    if not settings:
        (Path(BIN) / ".dari.conf").unlink()


def start_agent(*options: str) -> subprocess.Popen[bytes]:
    """Start the agent, and return once its socket answers."""
    subprocess.run(["ip", "address", "replace", "192.0.2.1/32", "dev", "lo"], check=True)
    command = [sys.executable, "-m", "dari", "agent", "--node-address", "192.0.2.1", *options]
    with LOG.open("ab") as log:
        agent = subprocess.Popen(command, stderr=log, stdout=log)
    wait_for(_answers)
    return agent


def _answers() -> bool:
    try:
        ask_status(Paths().agent_socket)
    except DariError:
        return False
    return True


def wait_until_ready() -> None:
    """Return once the agent has all as it should be."""
    wait_for(lambda: fetch("/readyz")[0] == 200)


def wait_for(holds: Callable[[], bool]) -> None:
    """Poll until it holds; the agent's log is shown where it never does."""
    wait_until(holds, told=lambda: LOG.read_text()[-3000:] if LOG.exists() else "no log")


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    """An agent for a while; it ends by SIGTERM, and must end well."""
    agent = start_agent(*options)
    try:
        yield agent
    finally:
        agent.terminate()
        status = agent.wait(PATIENCE)
    assert status == 0, LOG.read_text()[-3000:]


class Agents:
    """One agent after another on the same node, for tests that end them."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._agent = start_agent(*options)

    def replace(self, how: signal.Signals) -> None:
        """End the agent by a signal, and start the next."""
        self._agent.send_signal(how)
        status = self._agent.wait(PATIENCE)
        assert how == signal.SIGKILL or status == 0, LOG.read_text()[-3000:]
        self._agent = start_agent(*self._options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._agent.terminate()
        self._agent.wait(PATIENCE)


def call(
    command: str, container: str, conf: dict[str, object] | None = None, netns: str | None = None
) -> tuple[int, Any]:
    """Call the entry as a runtime does; exit status and decoded answer."""
    given = conf or CONF
    done = subprocess.run(
        [f"{BIN}/{given['type']}"],
        env={
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_NETNS": f"/run/netns/{container}" if netns is None else netns,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": BIN,
            "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_NAMESPACE=shop",
        },
        input=json.dumps(given).encode(),
        capture_output=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None


def fetch(path: str, port: int = 9473) -> tuple[int, str]:
    """GET from the agent's endpoint on this machine."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, "nobody listens"


def figure(name: str) -> float:
    """One figure out of /metrics, named with its labels."""
    _, text = fetch("/metrics")
    for line in text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0.0


def resident(pid: int) -> int:
    """Resident memory of a process, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} is gone")


def open_files(pid: int) -> int:
    """How many descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    """How many threads a process has."""
    return len(os.listdir(f"/proc/{pid}/task"))

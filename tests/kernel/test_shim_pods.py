"""The native entry where a runtime looks for it: with the agent, without it, and between."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dari.agent.metrics import Metrics
from dari.agent.pods import Pods
from dari.agent.protocol import Answer
from dari.agent.server import AgentServer
from dari.native.build import RELEASE, compile_with, find_compilers
from dari.native.settings import FILE_NAME, Settings, this_python
from dari.paths import Paths
from tests.support.fake_agent import FakeAgent, dying
from tests.support.isolation import add_namespace
from tests.support.kernel import addresses, ip

BIN = Path("/opt/cni/bin")
LEASES = Path("/var/lib/cni/networks/pods")
SOCKET = Paths().agent_socket
CONFIG = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "type": "bridge",
    "bridge": "cni0",
    "isGateway": True,
    "ipam": {"type": "host-local", "subnet": "10.9.0.0/24"},
}


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("shim") / "dari"
    compile_with(find_compilers({"PATH": "/usr/bin:/bin"})[0], RELEASE, str(built))
    return built


def install(program: Path, *, fallback: bool) -> None:
    BIN.mkdir(parents=True, exist_ok=True)
    for name in ("dari", "bridge"):
        (BIN / name).write_bytes(program.read_bytes())
        (BIN / name).chmod(0o755)
    if fallback:
        python, package = this_python()
        (BIN / FILE_NAME).write_text(Settings(python=python, package=package).text())
    os.mkdir("/run/dari")


def call(command: str, netns: str) -> subprocess.CompletedProcess[bytes]:
    environ = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": "pod-1",
        "CNI_NETNS": netns,
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(BIN),
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(
        [BIN / "bridge"], input=json.dumps(CONFIG).encode(), env=environ, capture_output=True
    )


def added(netns: str) -> str:
    """Add the pod; the address that its result names."""
    done = call("ADD", netns)
    assert done.returncode == 0, done
    address = json.loads(done.stdout)["ips"][0]["address"]
    assert isinstance(address, str)
    return address


def remove(netns: str) -> None:
    done = call("DEL", netns)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def assert_no_trace() -> None:
    """Nothing is left of the pod."""
    assert [link["ifname"] for link in ip("link", "show", namespace="pod")] == ["lo"]
    assert not list(LEASES.glob("10.*"))


@contextmanager
def agent() -> Iterator[None]:
    """The part of dari's agent that answers runtimes."""
    troubles: list[str] = []
    pods = Pods(Paths(), logging.getLogger("shim"), Metrics(), lambda _call: Answer(status=1))
    reaping = threading.Thread(target=pods.reaper.run)
    server = AgentServer(SOCKET, pods.handler, troubles.append)
    reaping.start()
    server.start()
    try:
        yield
    finally:
        server.stop()
        pods.reaper.stop()
        reaping.join()
        pods.close()
    assert troubles == []


def test_without_settings_the_agent_is_where_it_always_is(program: Path) -> None:
    install(program, fallback=False)
    with FakeAgent(SOCKET) as fake:
        assert call("ADD", add_namespace("pod")).stdout == b"{}\n"
    pod = os.stat("/run/netns/pod")
    assert fake.heard[0].namespaces == fake.heard[0].inside == ((pod.st_dev, pod.st_ino),)
    assert fake.heard[0]["DARI_PLUGIN"] == "bridge"


def test_the_agent_wires_a_pod(program: Path) -> None:
    install(program, fallback=False)
    netns = add_namespace("pod")
    with agent():
        address = added(netns)
        assert addresses("eth0", "pod") == {address}
        remove(netns)
    assert_no_trace()


def test_without_an_agent_python_wires_a_pod(program: Path) -> None:
    install(program, fallback=True)
    netns = add_namespace("pod")
    address = added(netns)
    assert addresses("eth0", "pod") == {address}
    remove(netns)
    assert_no_trace()


def test_what_a_killed_agent_began_is_begun_again(program: Path) -> None:
    """The agent wires the pod whole and is killed before it says so."""
    install(program, fallback=True)
    netns = add_namespace("pod")
    first = added(netns)
    with FakeAgent(SOCKET, dying) as fake:
        again = added(netns)
    assert fake.connections == 1
    assert addresses("eth0", "pod") == {again}
    assert again != first
    assert len(list(LEASES.glob("10.*"))) == 1
    remove(netns)
    assert_no_trace()


def test_an_agent_and_python_take_over_from_each_other(program: Path) -> None:
    install(program, fallback=True)
    netns = add_namespace("pod")
    with agent():
        address = added(netns)
    assert addresses("eth0", "pod") == {address}
    remove(netns)
    assert_no_trace()
    address = added(netns)
    with agent():
        assert addresses("eth0", "pod") == {address}
        remove(netns)
    assert_no_trace()

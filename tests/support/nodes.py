"""A cluster of real nodes for kernel tests: namespaces joined by a bridge, real agents.

Each node is a thread with fresh network and mount namespaces of its own (own
`/run`, `/etc/cni`, `/opt/cni`), in which programs are started. Call it from a
kernel test's body: the underlay's bridge is then in the test's own namespace.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from dari.cli.status import ask_until_ready
from dari.paths import Paths
from tests.support.isolation import enter_fresh_namespaces
from tests.support.waiting import PATIENCE

T = TypeVar("T")


class Node:
    """One node. `do` runs anything on it; the rest is shorthand."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._store = folder / "store"
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.tid = 0
        self._thread = threading.Thread(target=self._live, name=name)
        self._thread.start()
        self.do(lambda: None)
        self.agents: list[subprocess.Popen[bytes]] = []

    def _live(self) -> None:
        self.tid = threading.get_native_id()
        enter_fresh_namespaces()
        while (work := self._work.get()) is not None:
            work()

    def do(self, work: Callable[[], T]) -> T:
        """Run `work` on the node and give back what it returns or raises."""
        done: queue.SimpleQueue[tuple[list[T], BaseException | None]] = queue.SimpleQueue()

        def wrapped() -> None:
            try:
                done.put(([work()], None))
            except BaseException as error:
                done.put(([], error))

        self._work.put(wrapped)
        result, failure = done.get(timeout=2 * PATIENCE)
        if failure is not None:
            raise failure
        return result[0]

    def close(self) -> None:
        for agent in self.agents:
            agent.kill()
            agent.wait()
        self._work.put(None)
        self._thread.join()

    def run(self, *words: str) -> str:
        """Run a program on the node; it has to succeed."""
        done = self.do(lambda: subprocess.run(words, capture_output=True, text=True, check=False))
        assert done.returncode == 0, f"{words}: {done.stderr or done.stdout}\n{self.logged()}"
        return done.stdout

    def ip(self, words: str) -> None:
        self.run("ip", *words.split())

    def asked(self, words: str) -> list[dict[str, Any]]:
        """Equivalent to: ``ip -json WORDS``."""
        found: list[dict[str, Any]] = json.loads(self.run("ip", "-json", *words.split()) or "[]")
        return [each for each in found if each]

    def routes(self, proto: str = "79") -> dict[str, str]:
        """Gateway by destination, of both families."""
        return {
            each["dst"]: each.get("gateway", "")
            for family in ("-4", "-6")
            for each in self.asked(f"{family} route show proto {proto}")
        }

    def addresses(self, link: str) -> set[str]:
        return {
            f"{each['local']}/{each['prefixlen']}"
            for found in self.asked("address")
            if found["ifname"] == link
            for each in found["addr_info"]
            if each["scope"] == "global"
        }

    def nft(self) -> str:
        return self.run("nft", "list", "ruleset")

    def sysctl(self, name: str, value: str = "") -> str:
        path = Path("/proc/sys") / name
        if value:
            self.do(lambda: path.write_text(value))
        return self.do(path.read_text).strip()

    def read(self, path: str) -> str:
        return self.do(Path(path).read_text)

    def exists(self, path: str) -> bool:
        return self.do(lambda: os.path.lexists(path))

    def dari(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run dari on the node, whatever comes of it."""
        command = [sys.executable, "-m", "dari", *words]
        return self.do(lambda: subprocess.run(command, capture_output=True, text=True, check=False))

    def agent(
        self, *options: str, role: str = "node", prefix: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """Start the agent; its log goes to the test's folder."""
        command = [*prefix, sys.executable, "-m", "dari", "agent", "--node-name", self.name]
        command += ["--store-dir", str(self._store), "--role", role, *options]
        with open(self.log, "ab") as log:
            agent = self.do(lambda: subprocess.Popen(command, stdout=log, stderr=log))
        self.agents.append(agent)
        return agent

    def status(self, wait: float = 0.0) -> dict[str, Any]:
        """What `dari status -o json` says; asked here, since it is asked often.

        Args:
            wait: seconds to wait for the agent to be ready.
        """
        return self.do(lambda: dict(ask_until_ready(Paths().agent_socket, wait)))

    def wait_ready(self) -> None:
        state = self.status(PATIENCE)
        assert state["ready"], f"{state}\n{self.logged()}"

    def logged(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@contextmanager
def cluster(folder: Path, number: int) -> Iterator[Sequence[Node]]:
    """Nodes node1, node2, … with eth0 192.168.0.N/24 and fd00::N/64 on one bridge."""
    nodes: list[Node] = []
    subprocess.run(["ip", "link", "add", "name", "switch", "up", "type", "bridge"], check=True)
    try:
        for index in range(1, number + 1):
            node = Node(f"node{index}", folder)
            nodes.append(node)
            plug(node, "switch", f"port{index}", f"192.168.0.{index}/24", f"fd00::{index}/64")
        yield nodes
    finally:
        for node in nodes:
            node.close()


def plug(node: Node, switch: str, port: str, *addresses: str, name: str = "eth0") -> None:
    """Join a node to a bridge of the test's own namespace."""
    veth = f"ip link add {port} up master {switch} type veth peer name {name} netns {node.tid}"
    subprocess.run(veth.split(), check=True)
    # A real node's interface has long had its link-local address when the agent starts. Here it
    # would be tentative for up to 2 s, in which the kernel asks for no neighbour.
    node.sysctl(f"net/ipv6/conf/{name}/accept_dad", "0")
    node.ip(f"link set {name} up")
    for address in addresses:
        node.ip(f"address add {address} dev {name}" + (" nodad" if ":" in address else ""))

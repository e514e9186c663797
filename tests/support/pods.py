"""Pods on the nodes of a test's cluster, wired by dari's own executable."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from tests.support.nodes import Node
from tests.support.pinging import Pinging, none_lost
from tests.support.waiting import PATIENCE, wait_until

_HEADERS = {4: 28, 6: 48}  # IP and ICMP, bytes


class Pod:
    """A network namespace of a node, wired by `dari add`."""

    def __init__(self, node: Node, name: str) -> None:
        self.node = node
        self.name = name
        node.run("ip", "netns", "add", name)
        added = node.dari("add", name, name, "-o", "json")
        assert added.returncode == 0, f"{added.stdout}{added.stderr}"
        ips = json.loads(added.stdout)["ips"]
        self.addresses: list[str] = [each["address"].partition("/")[0] for each in ips]

    def run(self, *words: str) -> str:
        return self.node.run("ip", "netns", "exec", self.name, *words)

    def mtu(self) -> int:
        (link,) = json.loads(self.run("ip", "-json", "link", "show", "eth0"))
        return int(link["mtu"])

    def address(self, version: int) -> str:
        return next(each for each in self.addresses if ip_address(each).version == version)

    def reaches(self, other: Pod) -> None:
        """In every family, with packets as large as the pod may send, none cut up."""
        for target in other.addresses:
            version = ip_address(target).version
            size = self.mtu() - _HEADERS[version]
            self.run("ping", "-c", "1", "-w", "60", "-M", "do", "-s", str(size), target)

    def pinging(self, target: str) -> Pinging:
        return Pinging(self.node, target, namespace=self.name)

    def sees(self, other: Pod, version: int) -> str:
        """From which address a TCP connection of the other pod comes here."""
        own = self.address(version)
        server = (
            "import socket,sys;f=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET;"
            "s=socket.create_server((sys.argv[1],7),family=f);print('ready',flush=True);"
            "print(s.accept()[1][0])"
        )
        client = "import socket,sys;socket.create_connection((sys.argv[1],7),60).close()"
        inside = ["ip", "netns", "exec", self.name, sys.executable, "-c", server, own]
        listening = self.node.do(
            lambda: subprocess.Popen(inside, stdout=subprocess.PIPE, text=True)
        )
        assert listening.stdout is not None and listening.stdout.readline() == "ready\n"
        other.run(sys.executable, "-c", client, own)
        return listening.communicate(timeout=PATIENCE)[0].strip()


def install(node: Node) -> None:
    done = node.dari("install", "--as", "bridge,host-local,loopback")
    assert done.returncode == 0, done.stderr


@contextmanager
def never_interrupted(source: Pod, other: Pod) -> Iterator[None]:
    """Pings of every family go on all the while, and none is lost."""
    for target in other.addresses:
        source.run("ping", "-c", "1", "-w", "60", target)
    with none_lost(*(source.pinging(target) for target in other.addresses)):
        yield


def two_pods(one: Node, two: Node) -> tuple[Pod, Pod]:
    """A pod on each of two nodes whose agents are ready, which reach each other."""
    for node in (one, two):
        install(node)
    pods = Pod(one, "pod1"), Pod(two, "pod2")
    wait_until(lambda: reachable(pods[0], pods[1]), "the pods reach each other")
    return pods


def reachable(one: Pod, other: Pod) -> bool:
    """Does each family get through, both ways, within a second?"""
    pairs = [(one, target) for target in other.addresses]
    pairs += [(other, target) for target in one.addresses]
    return all(
        source.node.do(
            lambda source=source, target=target: (
                subprocess.run(  # type: ignore[misc]
                    ["ip", "netns", "exec", source.name, "ping", "-c", "1", "-W", "1", target],
                    capture_output=True,
                    check=False,
                ).returncode
            )
        )
        == 0
        for source, target in pairs
    )

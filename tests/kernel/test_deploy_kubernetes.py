"""deploy/kubernetes on real nodes: its very command lines, settings, mounts and rights.

Kubelet and runtime are this test: they start the DaemonSet's containers as the manifest
says (tests/support/container.py), and pods through the installed native entry. The API
server is the emulator, which lets in only what the ClusterRole allows.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dari.store.kubernetes.nodes import RECORD, network_is_up
from tests.support import container, manifests
from tests.support.certificates import authority, issued
from tests.support.kube_api import KubeApiServer, Refusal
from tests.support.nodes import Node, cluster
from tests.support.waiting import wait_until

HERE = "192.168.0.254"
TOKEN = "a-service-account's"
BIN, CONFLIST = "/opt/cni/bin", "/etc/cni/net.d/10-dari.conflist"


class Rights:
    """What the ClusterRole allows, and what of it was used."""

    def __init__(self, objects: list[manifests.Json]) -> None:
        rules = manifests.one(objects, "ClusterRole")["rules"]
        assert all(rule["apiGroups"] == [""] for rule in rules)
        self.granted = {
            (resource, verb)
            for rule in rules
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        self.used: set[tuple[str, str]] = set()

    def check(self, method: str, path: str) -> None:
        """Called before each request is answered."""
        parts = urlsplit(path)
        _, _, name, *rest = [*parts.path.removeprefix("/api/").split("/"), ""]
        verb = {"PATCH": "patch", "GET": "get" if name else "list"}[method]
        verb = "watch" if "watch" in parse_qs(parts.query) else verb
        right = ("nodes/status" if "status" in rest else "nodes", verb)
        self.used.add(right)
        if right not in self.granted:
            raise Refusal(403, "Forbidden", f"may not {verb} {right[0]}")


class Cluster:
    """Nodes on which the DaemonSet runs, and the API server."""

    def __init__(self, folder: Path, nodes: Sequence[Node], server: KubeApiServer, ca: str) -> None:
        self.folder = folder
        self.nodes = nodes
        self.server = server
        self._account = {"token": TOKEN, "ca.crt": ca}

    def run(self, node: Node, objects: list[manifests.Json], index: int) -> subprocess.Popen[bytes]:
        """Start one of the DaemonSet's containers."""
        pod = manifests.one(objects, "DaemonSet")["spec"]["template"]["spec"]
        wanted = manifests.containers(objects)[index]
        program, *words = manifests.words(wanted, {"NODE_NAME": node.name})
        assert program == "dari"
        told = container.spec(
            pod,
            wanted,
            command=[sys.executable, "-P", "-m", "dari", *words],
            environ={
                "KUBERNETES_SERVICE_HOST": HERE,
                "KUBERNETES_SERVICE_PORT": str(self.server.port),
                "PYTHONPATH": os.path.abspath("src"),
            },
            settings=manifests.one(objects, "ConfigMap")["data"],
            account=self._account,
        )
        path = self.folder / f"{node.name}-{index}.json"
        path.write_text(json.dumps(told))
        command = [sys.executable, "-m", "tests.support.container", str(path)]
        with open(node.log, "ab") as log:
            return node.do(lambda: subprocess.Popen(command, stdout=log, stderr=log))

    def init(self, node: Node, objects: list[manifests.Json]) -> None:
        assert self.run(node, objects, 0).wait(60) == 0, node.logged()

    def agent(self, node: Node, objects: list[manifests.Json]) -> None:
        node.agents.append(self.run(node, objects, 1))

    def end_agent(self, node: Node) -> None:
        agent = node.agents.pop()
        agent.terminate()
        assert agent.wait(60) == 0, node.logged()


@contextmanager
def deployed(folder: Path, number: int, rights: Rights) -> Iterator[Cluster]:
    with cluster(folder, number) as nodes:
        subprocess.run(["ip", "address", "add", f"{HERE}/24", "dev", "switch"], check=True)
        ca = authority(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*issued(folder, ca, "api", HERE))
        server = KubeApiServer(context, HERE)
        server.tokens, server.before = {TOKEN}, rights.check
        server.start()
        try:
            for index, node in enumerate(nodes, 1):
                server.create(node.name, f"10.244.{index}.0/24")
                node.ip("netns add first")  # makes /run/netns one that mounts come out of
            yield Cluster(folder, nodes, server, ca[0].read_text())
        finally:
            server.stop()


def call(node: Node, verb: str, name: str) -> tuple[int, Any]:
    """Call the entry as containerd does: with the conflist's only plugin."""
    document = json.loads(node.read(CONFLIST))
    (plugin,) = document["plugins"]
    conf = {"cniVersion": "1.0.0", "name": document["name"], **plugin}
    environ = {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": name,
        "CNI_NETNS": f"/var/run/netns/{name}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": BIN,
    }
    calling = node.do(
        lambda: subprocess.Popen([f"{BIN}/dari"], env=environ, stdin=PIPE, stdout=PIPE)
    )
    told, _ = calling.communicate(json.dumps(conf).encode())  # beside what else is done there
    return calling.returncode, json.loads(told) if told.strip() else None


def start_pod(node: Node, name: str) -> str:
    node.ip(f"netns add {name}")
    status, told = call(node, "ADD", name)
    assert status == 0, (told, node.logged())
    return str(told["ips"][0]["address"]).partition("/")[0]


def traces(node: Node) -> list[object]:
    """All that dari could have left on a node, and what was there before."""
    return [
        sorted(each["ifname"] for each in node.asked("link")),
        node.run("ip", "route"),
        node.nft(),
        [
            node.do(lambda folder=folder: sorted(os.listdir(folder)))  # type: ignore[misc]
            for folder in (BIN, "/etc/cni/net.d", "/run/dari", "/var/lib/cni", "/var/lib/dari")
        ],
    ]


def test_the_manifests_bring_a_cluster_up_upgrade_it_and_take_it_away(tmp_path: Path) -> None:
    agent, removal = manifests.render(manifests.AGENT), manifests.render(manifests.REMOVAL)
    rights = Rights(agent)
    with deployed(tmp_path, 2, rights) as kube:
        one, two = kube.nodes
        for node in kube.nodes:
            node.run("mkdir", "-p", BIN, "/etc/cni/net.d", "/run/dari")
        before = [traces(node) for node in kube.nodes]
        for node in kube.nodes:
            kube.init(node, agent)
            assert node.do(lambda: sorted(os.listdir(BIN))) == [".dari.conf", "dari"]
            assert "python" not in node.read(f"{BIN}/.dari.conf")
            assert not node.exists(CONFLIST)
            kube.agent(node, agent)
        for node in kube.nodes:
            node.wait_ready()
            wait_until(lambda node=node: len(node.routes()) == 1, "routes")  # type: ignore[misc]
        wait_until(lambda: all(map(network_is_up, _objects(kube))), "Nodes are Ready")
        here, there = start_pod(one, "web"), start_pod(two, "db")
        one.run("ip", "netns", "exec", "web", "ping", "-c", "1", "-w", "60", there)
        two.run("ip", "netns", "exec", "db", "ping", "-c", "1", "-w", "60", here)
        assert rights.used == rights.granted

        pods = upgrade(kube, one, agent)
        one.run("ip", "netns", "exec", "web", "ping", "-c", "1", "-w", "60", there)

        for node in kube.nodes:
            kube.end_agent(node)
        for node in kube.nodes:
            kube.init(node, removal)
        for name in ["web", *pods]:
            one.ip(f"netns delete {name}")
        two.ip("netns delete db")
        assert [traces(node) for node in kube.nodes] == before
        for each in _objects(kube):
            assert RECORD not in each["metadata"].get("annotations", {})
        assert rights.used == rights.granted


def _objects(kube: Cluster) -> list[manifests.Json]:
    return list(kube.server.nodes.objects.values())


def upgrade(kube: Cluster, node: Node, objects: list[manifests.Json]) -> list[str]:
    """Replace the agent while pods are started without a pause; no ADD may fail.

    Returns:
        The pods' names.
    """
    started: dict[str, tuple[str, float]] = {}
    failures: list[BaseException] = []
    over = threading.Event()

    def keep_starting() -> None:
        try:
            while not over.is_set() and len(started) < 100:
                name, began = f"pod{len(started)}", time.monotonic()
                started[name] = (start_pod(node, name), time.monotonic() - began)
        except BaseException as error:
            failures.append(error)

    starting = threading.Thread(target=keep_starting)
    starting.start()
    wait_until(lambda: bool(started or failures), "the first pod")
    kube.end_agent(node)
    kube.init(node, objects)
    kube.agent(node, objects)
    node.wait_ready()
    over.set()
    starting.join()
    assert failures == []
    assert len({address for address, _ in started.values()}) == len(started)
    longest = max(seconds for _, seconds in started.values())
    print(f"{len(started)} pods started meanwhile; the longest took {longest:.2f} s")
    return list(started)

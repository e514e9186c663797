"""Nodes whose records are annotations of Node objects."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dari.store.kubernetes.nodes import network_is_up
from tests.support.kube_api import KubeApiServer
from tests.support.nodes import Node, cluster
from tests.support.waiting import wait_until

HERE = "192.168.0.254"
TOKEN = "secret"


@contextmanager
def joined(folder: Path, number: int) -> Iterator[tuple[Sequence[Node], KubeApiServer]]:
    """Nodes with agents, whose kubelets and controller the test is."""
    with cluster(folder, number) as nodes:
        subprocess.run(["ip", "address", "add", f"{HERE}/24", "dev", "switch"], check=True)
        server = KubeApiServer(host=HERE)
        server.tokens = {TOKEN}
        server.start()
        path = kubeconfig(folder, server)
        try:
            for index, node in enumerate(nodes, 1):
                server.create(node.name, f"10.244.{index}.0/24", f"fd00:10:244:{index}::/64")
                node.agent("--store", "kubernetes", "--kubeconfig", path, "--ipv6")
            for node in nodes:
                node.wait_ready()
            yield nodes, server
        finally:
            server.stop()


def kubeconfig(folder: Path, server: KubeApiServer) -> str:
    path = folder / "kubeconfig"
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": server.url}}],
        "users": [{"name": "x", "user": {"token": TOKEN}}],
    }
    path.write_text(json.dumps(document))
    return str(path)


def test_nodes_take_the_clusters_ranges_reach_each_other_and_say_that_they_are_up(
    tmp_path: Path,
) -> None:
    with joined(tmp_path, 2) as ((one, two), server):
        wait_until(lambda: len(one.routes()) == len(two.routes()) == 2, "routes")
        assert one.routes() == {"10.244.2.0/24": "192.168.0.2", "fd00:10:244:2::/64": "fd00::2"}
        for source, target in (("10.244.1.1", "10.244.2.1"), ("fd00:10:244:1::1",) * 2):
            one.run("ping", "-n", "-c", "1", "-w", "60", "-I", source, target)
        wait_until(lambda: all(map(network_is_up, server.nodes.objects.values())), "conditions")
        assert one.status()["store"] == {
            "kind": "kubernetes",
            "reachable": True,
            "held": [],
            "silent": [],
        }


def test_deleting_a_node_prunes_it_everywhere_and_one_made_anew_is_joined(tmp_path: Path) -> None:
    with joined(tmp_path, 3) as ((one, two, three), server):
        wait_until(lambda: len(one.routes()) == len(two.routes()) == 4, "routes")
        for agent in three.agents:
            agent.terminate()
            agent.wait()
        server.delete("node3")
        wait_until(lambda: len(one.routes()) == len(two.routes()) == 2, "node3 is pruned")
        server.create("node3", "10.244.9.0/24", "fd00:10:244:9::/64")
        three.agent("--store", "kubernetes", "--kubeconfig", str(tmp_path / "kubeconfig"), "--ipv6")
        wait_until(lambda: "10.244.9.0/24" in one.routes(), "node3 is back with its new range")


def test_an_api_server_that_is_gone_costs_nothing_and_is_caught_up_with(tmp_path: Path) -> None:
    with joined(tmp_path, 2) as ((one, two), server):
        wait_until(lambda: len(one.routes()) == 2, "routes")
        server.stop()
        wait_until(lambda: one.status()["store"]["reachable"] is False, "it is missed")
        assert one.status()["ready"] is True
        two.ip("address delete 192.168.0.2/24 dev eth0")
        two.ip("address add 192.168.0.22/24 dev eth0")
        server.start()
        wait_until(
            lambda: one.routes().get("10.244.2.0/24") == "192.168.0.22", "the new address is known"
        )

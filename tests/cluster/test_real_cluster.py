"""On a real cluster that runs dari: nodes Ready, pods across nodes, a deleted Node pruned.

Not part of a usual run, and chosen by its marker alone:

    DARI_TEST_KUBECONFIG=~/.kube/config .venv/bin/pytest -m real_cluster tests/cluster

The user has to be the cluster's administrator. What is made is in the namespace dari-test,
and one Node called dari-test-gone; both are deleted again.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from typing import Any

import pytest

from dari.model import NodeName
from dari.store.kubernetes.api import Missing
from dari.store.kubernetes.nodes import RECORD, network_is_up, pod_cidrs, record_patch
from dari.store.kubernetes.source import NODES
from tests.support import real_pods
from tests.support.kube_cluster import RealKube
from tests.support.store_contract import node as record_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real_cluster
Json = dict[str, Any]
GONE = "dari-test-gone"
IN_TEST = f"/api/v1/namespaces/{real_pods.NAMESPACE}"
MINUTES = 300.0  # seconds; images may have to be pulled


def connect() -> RealKube:
    path = os.environ.get("DARI_TEST_KUBECONFIG")
    assert path, "set DARI_TEST_KUBECONFIG to a kubeconfig of a cluster that runs dari"
    return RealKube(path)


def nodes(kube: RealKube) -> list[Json]:
    found: list[Json] = kube.ask("GET", NODES)["items"]
    return [each for each in found if each["metadata"]["name"] != GONE]


def is_ready(node: Json) -> bool:
    return any(
        (each["type"], each["status"]) == ("Ready", "True") for each in node["status"]["conditions"]
    )


@contextmanager
def namespace(kube: RealKube) -> Iterator[None]:
    path = f"/api/v1/namespaces/{real_pods.NAMESPACE}"
    kube.ask("POST", "/api/v1/namespaces", real_pods.namespace())
    try:
        yield
    finally:
        kube.ask("DELETE", path)
        wait_until(lambda: is_gone(kube, path), "the namespace to go", seconds=MINUTES)


def is_gone(kube: RealKube, path: str) -> bool:
    with suppress(Missing):
        kube.ask("GET", path)
        return False
    return True


def succeed(kube: RealKube, pods: list[Json]) -> None:
    """Run pods to their end, all at once; each has to succeed."""
    for pod in pods:
        kube.ask("POST", f"{IN_TEST}/pods", pod)
    for pod in pods:
        path = f"{IN_TEST}/pods/{pod['metadata']['name']}"
        wait_until(lambda path=path: phase(kube, path) in ("Succeeded", "Failed"), seconds=MINUTES)  # type: ignore[misc]
        assert phase(kube, path) == "Succeeded", f"kubectl logs of {path} tell more"


def phase(kube: RealKube, path: str) -> str:
    return str(kube.ask("GET", path)["status"].get("phase", ""))


def test_every_node_is_ready_by_what_dari_wrote() -> None:
    found = nodes(connect())
    assert found
    for each in found:
        name = each["metadata"]["name"]
        assert RECORD in each["metadata"]["annotations"], f"dari does not run on {name}"
        assert network_is_up(each), name
        assert is_ready(each), name


def test_pods_of_every_node_reach_pods_of_every_other_and_are_seen_as_they_are() -> None:
    kube = connect()
    with namespace(kube):
        servers = "/apis/apps/v1/namespaces/dari-test/daemonsets"
        kube.ask("POST", servers, real_pods.servers())
        number = len(nodes(kube))
        wait_until(
            lambda: kube.ask("GET", f"{servers}/server")["status"].get("numberReady") == number,
            "a server on every node",
            seconds=MINUTES,
        )
        listed = kube.ask("GET", f"{IN_TEST}/pods?labelSelector={real_pods.selector()}")["items"]
        addresses = [ip["ip"] for pod in listed for ip in pod["status"]["podIPs"]]
        assert len(addresses) >= number
        succeed(
            kube,
            [
                real_pods.asker(f"asker-{index}", each["metadata"]["name"], addresses)
                for index, each in enumerate(nodes(kube))
            ],
        )


def test_a_deleted_node_is_pruned_from_every_other() -> None:
    """The Node is one of ours: a real one's kubelet would not make it again by itself."""
    kube = connect()
    network = free_range(kube)
    names = [each["metadata"]["name"] for each in nodes(kube)]
    with namespace(kube):
        try:
            kube.create(GONE, network)
            told = dict(record_patch(record_of(NodeName(GONE), network, address="203.0.113.7")))
            kube.ask("PATCH", f"{NODES}/{GONE}", told)
            for word, there in (("come", True), ("go", False)):
                if not there:
                    kube.delete(GONE)
                succeed(
                    kube,
                    [
                        real_pods.route_watcher(f"{word}-{index}", name, network, there=there)
                        for index, name in enumerate(names)
                    ],
                )
        finally:
            kube.delete(GONE)


def free_range(kube: RealKube) -> str:
    """The last range of the cluster's that no Node has."""
    maps = kube.ask("GET", "/api/v1/namespaces/dari/configmaps")["items"]
    (settings,) = [each["data"]["agent.toml"] for each in maps if "agent.toml" in each["data"]]
    wide = next(each for each in tomllib.loads(settings)["cluster-range"] if ":" not in each)
    taken = [network for each in nodes(kube) for network in pod_cidrs(each)]
    size = next(each.prefixlen for each in taken if each.version == 4)
    every = list(ip_network(wide).subnets(new_prefix=size))
    return str(next(each for each in reversed(every) if each not in taken))

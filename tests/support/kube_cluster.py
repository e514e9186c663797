"""Which API server the Kubernetes tests run against: chosen here and nowhere else.

Without more, an emulator of our own (tests/support/kube_api.py). With
``DARI_TEST_KUBECONFIG`` naming a kubeconfig whose user may create, delete, patch and
watch Nodes, that cluster, which must not be running dari; the tests make Nodes of their
own (node1 to node3, dari-test-1; marked by a label) and delete them again:

    DARI_TEST_KUBECONFIG=~/.kube/config .venv/bin/pytest tests/cluster
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from dari.store.kubernetes.access import KubeAccess, read_kubeconfig
from dari.store.kubernetes.api import MERGE, KubeApi, Missing
from dari.store.kubernetes.source import NODES
from dari.store.remote.connection import parse_target
from tests.support.kube_api import KubeApiServer
from tests.support.timing import PATIENT


class Kube(Protocol):
    """A cluster in which a test may make Nodes."""

    def access(self) -> KubeAccess:
        """How dari reaches it."""

    def create(self, name: str, *pod_cidrs: str) -> Any:
        """Make a Node, as a kubelet and the cluster's controller do."""

    def delete(self, name: str) -> None:
        """Delete a Node."""

    def node(self, name: str) -> dict[str, Any]:
        """A Node as it is."""


class EmulatedKube:
    """The emulator."""

    def __init__(self, server: KubeApiServer) -> None:
        self.server = server

    def access(self) -> KubeAccess:
        return KubeAccess(target=parse_target(self.server.url, "url"), timing=PATIENT)

    def create(self, name: str, *pod_cidrs: str) -> Any:
        return self.server.create(name, *pod_cidrs)

    def delete(self, name: str) -> None:
        self.server.delete(name)

    def node(self, name: str) -> dict[str, Any]:
        return self.server.nodes.objects[name]


class RealKube:
    """A real cluster. Nodes made here are marked, and no other is deleted."""

    def __init__(self, kubeconfig: str) -> None:
        self._access = read_kubeconfig(kubeconfig).replace(timing=PATIENT)

    def access(self) -> KubeAccess:
        return self._access

    def create(self, name: str, *pod_cidrs: str) -> Any:
        spec = {"podCIDR": pod_cidrs[0], "podCIDRs": list(pod_cidrs)} if pod_cidrs else {}
        metadata = {"name": name, "labels": {"dari.dev/test": "true"}}
        body = {"kind": "Node", "apiVersion": "v1", "metadata": metadata}
        return self.ask("POST", NODES, {**body, "spec": {**spec, "unschedulable": True}})

    def delete(self, name: str) -> None:
        try:
            labels = self.node(name)["metadata"].get("labels", {})
            assert labels.get("dari.dev/test") == "true", f"Node {name} is not of these tests"
            self.ask("DELETE", f"{NODES}/{name}")
        except Missing:
            pass

    def node(self, name: str) -> dict[str, Any]:
        return self.ask("GET", f"{NODES}/{name}")

    def ask(self, verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make one request of any kind; a patch is a merge patch."""
        kind = MERGE if verb == "PATCH" else "application/json"

        async def once() -> dict[str, Any]:
            api = KubeApi(self._access)
            try:
                return dict(await api.ask(verb, path, body, kind))
            finally:
                await api.close()

        return asyncio.run(once())


@contextmanager
def emulated() -> Iterator[KubeApiServer]:
    """The emulator, for tests that break it."""
    server = KubeApiServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def kube(*names: str) -> Iterator[Kube]:
    """The chosen cluster, with Nodes of these names that have no pod ranges."""
    kubeconfig = os.environ.get("DARI_TEST_KUBECONFIG")
    if not kubeconfig:
        with emulated() as server:
            yield _with_nodes(EmulatedKube(server), names)
        return
    real = RealKube(kubeconfig)
    try:
        for name in names:
            real.delete(name)
        yield _with_nodes(real, names)
    finally:
        for name in names:
            real.delete(name)


def _with_nodes(cluster: Kube, names: tuple[str, ...]) -> Kube:
    for name in names:
        cluster.create(name)
    return cluster

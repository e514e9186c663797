"""What the tests on a real cluster put into it, as Kubernetes objects: plain data.

All of it is in one namespace, which is deleted in the end. Programs are busybox's.
"""

from __future__ import annotations

import os
from typing import Any

Json = dict[str, Any]
NAMESPACE = "dari-test"
PORT = 8080
_ANYWHERE = [{"operator": "Exists"}]
_LABELS = {"app": "dari-test-server"}


def image() -> str:
    """Of busybox; `DARI_TEST_IMAGE` names another registry's."""
    return os.environ.get("DARI_TEST_IMAGE", "docker.io/library/busybox:1.36")


def namespace() -> Json:
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": labels},
    }


def servers() -> Json:
    """A pod on every node that answers HTTP with the asker's address."""
    script = (
        "mkdir -p /tmp/www/cgi-bin; cd /tmp/www; "
        "printf '#!/bin/sh\\necho; echo $REMOTE_ADDR\\n' > cgi-bin/who; chmod +x cgi-bin/who; "
        f"exec httpd -f -p {PORT} -h /tmp/www"
    )
    spec = {"containers": [_container(script)], "tolerations": _ANYWHERE}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "server", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {**spec, "terminationGracePeriodSeconds": 1},
            },
        },
    }


def selector() -> str:
    """Which pods are the servers."""
    return "app%3Ddari-test-server"


def asker(name: str, node: str, addresses: list[str]) -> Json:
    """A pod on a node that succeeds if each of these servers sees it as what it is."""
    urls = [f"http://{_host(each)}:{PORT}/cgi-bin/who" for each in addresses]
    tests = [
        f'seen=$(wget -T 10 -q -O - {url}); echo "{url} $seen"; '
        'case " $OWN," in *[\\ ,]"${seen#::ffff:}",*) ;; *) exit 1 ;; esac'
        for url in urls
    ]
    own = {"name": "OWN", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}}
    container = {**_container("; ".join(["set -e", *tests])), "env": [own]}
    return _pod(name, node, container)


def route_watcher(name: str, node: str, network: str, *, there: bool) -> Json:
    """A pod in a node's own network that succeeds once it has the route, or has it no more."""
    check = f"ip route show {network} | grep -q {network.partition('/')[0]}"
    wanted = check if there else f"! {{ {check}; }}"
    script = f"for i in $(seq 120); do if {wanted}; then exit 0; fi; sleep 1; done; exit 1"
    return _pod(name, node, _container(script), hostNetwork=True)


def _pod(name: str, node: str, container: Json, **more: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "nodeName": node,
            "restartPolicy": "Never",
            "tolerations": _ANYWHERE,
            "containers": [container],
            **more,
        },
    }


def _container(script: str) -> Json:
    return {"name": "main", "image": image(), "command": ["sh", "-c", script]}


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address

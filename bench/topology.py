"""Two nodes on one wire with two pods on the first and one on the second, built three times.

By dari: an agent on each node, direct routes, pods by its own configuration. By
hand: a bridge, veth pairs and a route to the other node, with `ip` alone; and once more
with one rule of iptables that masquerades, for which the kernel tracks connections.

May import: harness, scenarios, record, dari.agent.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.harness import FOLDER, BenchFailed, Node, run_ip
from bench.scenarios import DARI_FOLDER, run_agent
from dari.agent.client import ask_status
from dari.agent.conflist import FILE
from dari.paths import Paths
from dari.record import Record

_UPLINK = "uplink"
_PATIENCE = 30.0  # seconds
_POLL = 0.05  # seconds
_NEAR, _FAR = 1, 2  # the nodes' numbers, and the third byte of their pods' addresses


class Place(Record):
    """A pod: its node, the name of its namespace there, and its address."""

    node: Node
    name: str
    address: str


class Topology(Record):
    """Who sends, and to whom, on the same node and on the other."""

    client: Place
    near: Place
    far: Place


def by_dari(stack: ExitStack) -> Topology:
    """Both nodes with an agent; what was made goes with `stack`.

    Raises:
        BenchFailed: an executable or an agent failed.
    """
    nodes = _two_nodes(stack)
    # A folder on the first node, by a path that leads there from the other one too.
    store = f"/proc/{nodes[0].do(threading.get_native_id)}/root{FOLDER}/store"
    for number, node in enumerate(nodes, start=1):
        stop = node.do(run_agent, *_options(number, store))
        stack.callback(node.do, stop)
    for node in nodes:
        node.do(_await_peer)
    near, far = nodes
    return Topology(client=_add(near), near=_add(near), far=_add(far))


def _options(number: int, store: str) -> Sequence[str]:
    return (
        *("--node-name", f"node{number}", "--node-address", _underlay(number)),
        *("--interface", _UPLINK, "--pod-range", f"10.244.{number}.0/24"),
        *("--store-dir", store),
    )


def _await_peer() -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if ask_status(Paths().agent_socket)["routes"] == 1:
            return
        time.sleep(_POLL)
    raise BenchFailed("the agents do not find each other")


def _add(node: Node) -> Place:
    pod = node.new_pod()
    conf = node.do(_own_configuration)
    node.time("ADD", pod, conf, DARI_FOLDER)
    return Place(node=node, name=pod.container_id, address=address_in(node.answer()))


def _own_configuration() -> dict[str, object]:
    """What the agent wrote for the runtime, as the runtime passes it on."""
    listed = json.loads(Path(FOLDER, "net.d", FILE).read_text(encoding="utf-8"))
    return {**listed["plugins"][0], "cniVersion": listed["cniVersion"], "name": listed["name"]}


def address_in(result: str) -> str:
    """The first address of a result, without its prefix length. Pure."""
    return str(json.loads(result)["ips"][0]["address"]).partition("/")[0]


def by_hand(stack: ExitStack, *, masquerading: bool = False) -> Topology:
    """The same without dari.

    Args:
        masquerading: by one rule on each node, what leaves the pods' ranges.
    """
    near, far = nodes = _two_nodes(stack)
    for number, node in enumerate(nodes, start=1):
        node.do(_bridge_by_hand, number)
        if masquerading:
            node.do(_masquerade_by_hand, number)
    return Topology(
        client=_join_by_hand(near, _NEAR, 2),
        near=_join_by_hand(near, _NEAR, 3),
        far=_join_by_hand(far, _FAR, 2),
    )


def _bridge_by_hand(number: int) -> None:
    other = _FAR if number == _NEAR else _NEAR
    run_ip("link", "add", "br0", "type", "bridge")
    run_ip("address", "add", f"10.244.{number}.1/24", "dev", "br0")
    run_ip("link", "set", "br0", "up")
    run_ip("route", "add", f"10.244.{other}.0/24", "via", _underlay(other))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")


def _masquerade_by_hand(number: int) -> None:
    rule = ("-s", f"10.244.{number}.0/24", "!", "-d", "10.244.0.0/16", "-j", "MASQUERADE")
    subprocess.run(["iptables", "-t", "nat", "-A", "POSTROUTING", *rule], check=True)


def _join_by_hand(node: Node, number: int, host: int) -> Place:
    pod = node.new_pod()
    name, address = pod.container_id, f"10.244.{number}.{host}"
    node.do(_cable_by_hand, name, f"10.244.{number}.1", f"{address}/24")
    return Place(node=node, name=name, address=address)


def _cable_by_hand(name: str, gateway: str, address: str) -> None:
    peer = ("peer", "name", "eth0", "netns", name)
    run_ip("link", "add", f"v{name}", "master", "br0", "up", "type", "veth", *peer)
    run_ip("-n", name, "address", "add", address, "dev", "eth0")
    run_ip("-n", name, "link", "set", "eth0", "up")
    run_ip("-n", name, "route", "add", "default", "via", gateway)


def _two_nodes(stack: ExitStack) -> tuple[Node, Node]:
    near, far = Node(), Node()
    for node in (near, far):
        stack.callback(node.close)
    thread = far.do(threading.get_native_id)
    peer = ("peer", "name", _UPLINK, "netns", str(thread))
    near.do(run_ip, "link", "add", _UPLINK, "type", "veth", *peer)
    for number, node in ((_NEAR, near), (_FAR, far)):
        node.do(run_ip, "address", "add", f"{_underlay(number)}/24", "dev", _UPLINK)
        node.do(run_ip, "link", "set", _UPLINK, "up")
    return near, far


def _underlay(number: int) -> str:
    return f"198.51.100.{number}"  # RFC 5737: for documentation

"""Dari beside flannel, and in its place: records, tunnel, running pods, leases.

The flannel node is made by hand with `ip`, as flannel v0.28 makes it; its pods are
wired by the reference plugins.
"""

from __future__ import annotations

import json
import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from dari.routing.vxlan import mac_of_node
from dari.store.kubernetes.flannel import PREFIX, annotations_of
from dari.store.record import decode
from tests.support.nodes import Node, cluster
from tests.support.pinging import assert_none_lost
from tests.support.pods import Pod, install
from tests.support.reference import run_reference
from tests.support.waiting import wait_until

OLD_MAC = "62:00:00:00:00:01"  # flannel lets the kernel choose; any will do
LEASES = "/var/lib/cni/networks/cbr0"


def flannel_conf(subnet: str) -> dict[str, object]:
    """What flannel's CNI plugin hands to the bridge plugin."""
    return {
        "cniVersion": "0.3.1",
        "name": "cbr0",
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "mtu": 1450,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": subnet}]],
            "routes": [{"dst": "10.244.0.0/16"}],
        },
    }


class OldPod(Pod):
    """A pod that the reference plugins wired."""

    def __init__(self, node: Node, name: str, subnet: str) -> None:
        self.node, self.name = node, name
        node.run("ip", "netns", "add", name)
        status, result = node.do(
            lambda: run_reference(
                "bridge",
                "ADD",
                flannel_conf(subnet),
                container_id=name,
                ifname="eth0",
                netns=f"/run/netns/{name}",
            )
        )
        assert status == 0, result
        ips: Any = result["ips"]
        self.addresses = [each["address"].partition("/")[0] for each in ips]


def be_flannel(node: Node, subnet: str, address: str, mac: str) -> None:
    """The tunnel and the settings that flannel makes."""
    options = f"id 1 dstport 8472 local {address} dev eth0 nolearning"
    node.ip(f"link add flannel.1 address {mac} mtu 1450 type vxlan {options}")
    node.ip(f"address add {ip_network(subnet).network_address}/32 dev flannel.1")
    node.ip("link set flannel.1 up")
    node.sysctl("net/ipv4/ip_forward", "1")


def know(node: Node, subnet: str, address: str, mac: str) -> None:
    """What flannel does when it hears of another node."""
    base = str(ip_network(subnet).network_address)
    node.ip(f"neighbour replace {base} lladdr {mac} dev flannel.1 nud permanent")
    node.run(
        "bridge", "fdb", "replace", mac, "dev", "flannel.1", "dst", address, "self", "permanent"
    )
    node.ip(f"route replace {subnet} via {base} dev flannel.1 onlink")


def write_record(folder: Path, name: str, subnet: str, address: str, mac: str) -> None:
    """What the kubernetes store makes of flannel's annotations."""
    backend = {"type": "flannel", "vni": 1, "mac": mac}
    record = {"name": name, "addresses": [address], "pod_ranges": [subnet], "backend": backend}
    path = folder / "store" / "nodes" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


ONE, TWO = "10.244.1.0/24", "10.244.2.0/24"


def test_a_dari_node_and_a_flannel_node_reach_each_others_pods(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        be_flannel(two, TWO, "192.168.0.2", OLD_MAC)
        write_record(tmp_path, "node2", TWO, "192.168.0.2", OLD_MAC)
        one.agent("--backend", "flannel", "--pod-range", ONE)
        one.wait_ready()
        content = (tmp_path / "store" / "nodes" / "node1.json").read_bytes()
        told = annotations_of(decode(content, "node1"))
        data = json.loads(told[f"{PREFIX}backend-data"])
        assert data == {"VNI": 1, "VtepMAC": mac_of_node("node1")}
        know(two, ONE, told[f"{PREFIX}public-ip"], data["VtepMAC"])
        install(one)
        pods = Pod(one, "pod1"), OldPod(two, "pod2", TWO)
        pods[0].reaches(pods[1])
        pods[1].reaches(pods[0])
        assert pods[1].sees(pods[0], 4) == pods[0].address(4)
        assert pods[0].sees(pods[1], 4) == pods[1].address(4)


def test_a_running_flannel_node_is_taken_over_without_touching_a_packet(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        macs = (OLD_MAC, "62:00:00:00:00:02")
        for number, (node, subnet) in enumerate(((one, ONE), (two, TWO)), 1):
            be_flannel(node, subnet, f"192.168.0.{number}", macs[number - 1])
        know(one, TWO, "192.168.0.2", macs[1])
        know(two, ONE, "192.168.0.1", macs[0])
        know(one, "10.244.9.0/24", "192.168.0.9", "62:00:00:00:00:09")  # a node that went
        write_record(tmp_path, "node2", TWO, "192.168.0.2", macs[1])
        beside, here, there = OldPod(one, "a", ONE), OldPod(one, "b", ONE), OldPod(two, "c", TWO)
        before = links(one)
        pairs = ((here, there), (here, beside), (there, here))
        pinging = [source.pinging(target.addresses[0]) for source, target in pairs]
        subnet_env = "/run/flannel/subnet.env"
        one.agent("--backend", "flannel", "--write-subnet-env", subnet_env, "--check-every", "1")
        one.wait_ready()
        wait_until(lambda: set(one.routes()) == {TWO}, "the route bears dari's mark")
        wait_until(lambda: one.exists(subnet_env), "subnet.env is written")
        assert_none_lost(pinging)
        assert links(one) == before, "no link was made anew or changed"
        assert one.read(subnet_env) == (
            "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n"
            "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
        )
        assert one.status()["pod_ranges"] == [ONE], "the range that the bridge has"
        assert one.asked("route show 10.244.9.0/24") == []
        assert "62:00:00:00:00:09" not in one.run("bridge", "fdb", "show", "dev", "flannel.1")
        assert_new_pods_have_addresses_of_their_own(one, [beside, here, there])


def links(node: Node) -> list[tuple[str, int, str, int]]:
    found = [
        (each["ifname"], each["ifindex"], each.get("address", ""), each["mtu"])
        for each in node.asked("link show")
    ]
    return sorted(found)


def assert_new_pods_have_addresses_of_their_own(one: Node, old: list[OldPod]) -> None:
    install(one)
    new = Pod(one, "new")
    assert new.addresses[0] not in {address for pod in old for address in pod.addresses}
    for pod in old:
        new.reaches(pod)
    # The runtime ends an old pod by the plugin that is there now.
    done = one.dari("del", "b", "b")
    assert done.returncode == 0, done.stderr
    leases = one.do(lambda: set(os.listdir("/run/dari/leases/dari")))
    assert old[1].addresses[0] not in leases and old[0].addresses[0] in leases
    assert one.do(lambda: set(os.listdir(LEASES))) >= {old[0].addresses[0]}

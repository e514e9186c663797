"""Agents whose nodes reach each other's pods through a tunnel: what gets through, and healing.

Each case of damage prints how long the mending took; none asserts it beyond the
patience of the tests.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from dari.agent.farewell import LINGER
from dari.routing.vxlan import mac_of_node
from tests.support.nodes import Node, cluster
from tests.support.pods import never_interrupted, reachable, two_pods
from tests.support.waiting import PATIENCE, wait_until

CONFLIST = "/etc/cni/net.d/10-dari.conflist"
DEVICE = "dari.vxlan"
MACS = {name: mac_of_node(name) for name in ("node1", "node2", "node2b")}


def start(*nodes: Node, options: str) -> None:
    for node in nodes:
        node.agent(*options.split())
    for node in nodes:
        node.wait_ready()


def tunnel(node: Node, device: str = DEVICE) -> dict[str, object]:
    """Of the tunnel's device: what matters, and what is behind it; empty: it is not there."""
    found = [each for each in node.asked("-d link show") if each["ifname"] == device]
    try:
        rows = json.loads(node.run("bridge", "-json", "fdb", "show", "dev", device) or "[]")
        neighbours = node.asked(f"neighbour show dev {device} nud permanent")
    except AssertionError as error:
        assert "Cannot find device" in str(error) or "does not exist" in str(error)
        return {}
    return (
        {}
        if not found
        else {
            "mac": found[0]["address"],
            "mtu": found[0]["mtu"],
            "up": "UP" in found[0]["flags"],
            "addresses": node.addresses(device),
            "fdb": {each["mac"]: each["dst"] for each in rows if "dst" in each},
            "neighbours": {each["dst"]: each["lladdr"] for each in neighbours},
            "routes": node.routes(),
        }
    )


def has_tunnel(node: Node) -> bool:
    return any(each["ifname"] == DEVICE for each in node.asked("link show"))


def ranges(node: Node) -> list[str]:
    return list(node.status()["pod_ranges"])


UNDERLAYS = {
    "IPv4": ([], "192.168.0.", 1450, DEVICE),
    "IPv6": (["--node-address"], "fd00::", 1430, "dari.vxlan6"),
}


@pytest.mark.parametrize("underlay", UNDERLAYS)
def test_pods_of_both_families_reach_each_other_over_either_underlay(
    tmp_path: Path, underlay: str
) -> None:
    option, address, mtu, device = UNDERLAYS[underlay]
    with cluster(tmp_path, 2) as (one, two):
        for number, node in enumerate((one, two), 1):
            given = [*option, f"fd00::{number}"] if option else []
            node.agent("--ipv6", "--backend", "vxlan", *given)
        for node in (one, two):
            node.wait_ready()
        pod1, pod2 = two_pods(one, two)
        assert pod1.mtu() == tunnel(one, device)["mtu"] == mtu
        pod1.reaches(pod2)
        pod2.reaches(pod1)
        for version in (4, 6):
            assert pod2.sees(pod1, version) == pod1.address(version)
        assert tunnel(one, device)["fdb"] == {MACS["node2"]: f"{address}2"}
        # What the node itself sends to a pod comes back too.
        for target in pod2.addresses:
            one.run("ping", "-c", "1", "-w", "60", target)
        assert one.status()["errors"] == []


def test_what_is_sent_is_in_the_tunnel_and_nowhere_else(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two, options="--backend vxlan --vxlan-vni 7 --vxlan-port 4790")
        pod1, pod2 = two_pods(one, two)
        one.run(
            "nft",
            "add table ip probe; add chain ip probe out { type filter hook output priority 0; }",
        )
        one.run("nft", "add rule ip probe out udp dport 4790 @th,96,24 7 counter")
        pod1.reaches(pod2)
        assert "counter packets 1 " in one.run("nft", "list", "table", "ip", "probe")


DAMAGE = {
    "the tunnel deleted": [f"ip link delete {DEVICE}"],
    "the tunnel set down": [f"ip link set {DEVICE} down"],
    "the tunnel down and up": [f"ip link set {DEVICE} down", f"ip link set {DEVICE} up"],
    "the tunnel's MAC changed": [f"ip link set {DEVICE} address 0a:00:00:00:00:99"],
    "the tunnel's MTU changed": [f"ip link set {DEVICE} mtu 1300"],
    "the tunnel's addresses flushed": [f"ip address flush dev {DEVICE}"],
    "neighbours flushed": [f"ip neighbour flush dev {DEVICE} nud permanent"],
    "a neighbour changed": [
        f"ip neighbour replace 10.244.1.0 lladdr 0a:00:00:00:00:99 dev {DEVICE}"
    ],
    "a forwarding entry deleted": [f"bridge fdb del {MACS['node2']} dev {DEVICE}"],
    "a forwarding entry changed": [
        f"bridge fdb replace {MACS['node2']} dev {DEVICE} dst 192.168.0.9"
    ],
    "routes flushed": ["ip route flush proto 79"],
    "another tunnel in its place": [
        f"ip link delete {DEVICE}",
        f"ip link add {DEVICE} type vxlan id 5 dstport 4789 local 192.168.0.1",
    ],
    "the underlay down and up": ["ip link set eth0 down", "ip link set eth0 up"],
    "the bridge deleted": ["ip link delete cni0"],
    "the bridge set down": ["ip link set cni0 down"],
    "the tunnel and the bridge deleted": [f"ip link delete {DEVICE}", "ip link delete cni0"],
    "the nft table and forwarding": [
        "nft flush ruleset",
        "sysctl -q net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0",
    ],
    "all of it flushed": [
        "ip route flush proto 79",
        f"ip neighbour flush dev {DEVICE} nud permanent",
        f"bridge fdb flush dev {DEVICE}",
    ],
}


def test_pain_8_9_whatever_happens_to_the_tunnel_is_mended(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, options="--ipv6 --backend vxlan")
        start(two, options="--ipv6 --backend vxlan")
        pod1, pod2 = two_pods(one, two)
        before = tunnel(one)
        assert (before["mac"], before["mtu"]) == (MACS["node1"], 1450)
        for what, damage in DAMAGE.items():
            one.agents[0].send_signal(signal.SIGSTOP)  # it mends faster than this is done
            for command in damage:
                one.run(*command.split())
            one.agents[0].send_signal(signal.SIGCONT)
            seconds = wait_until(
                lambda: tunnel(one) == before and reachable(pod1, pod2), f"after {what}"
            )
            print(f"{what}: mended and seen within {seconds:.2f} s")
        assert "event=fault" not in one.logged()


def test_pain_13_a_changed_mtu_reaches_tunnel_bridge_and_running_pods(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two, options="--ipv6 --backend vxlan")
        pod1, pod2 = two_pods(one, two)
        for underlay in (1400, 1500, 1450):
            for node in (one, two):
                node.ip(f"link set eth0 mtu {underlay}")
            for pod in (pod1, pod2):
                seconds = wait_until(
                    lambda pod=pod, mtu=underlay - 50: _mtus(pod.node) == {mtu} == {pod.mtu()},  # type: ignore[misc]
                    "all of them follow",
                )
                print(f"{pod.node.name}: MTU {underlay} followed within {seconds:.2f} s")
            pod1.reaches(pod2)
            wait_until(
                lambda mtu=underlay - 50: f'"mtu": {mtu}' in one.read(CONFLIST),  # type: ignore[misc]
                "the conflist follows",
            )


def _mtus(node: Node) -> set[int]:
    found = {each["ifname"]: each["mtu"] for each in node.asked("link show")}
    return {mtu for name, mtu in found.items() if name == "cni0" or name.startswith("dari")}


def test_pain_13_a_pod_that_chose_a_smaller_mtu_keeps_it(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two, options="--backend vxlan")
        pod1, pod2 = two_pods(one, two)
        pod1.run("ip", "link", "set", "eth0", "mtu", "1280")
        one.ip("link set eth0 mtu 1400")
        wait_until(lambda: _mtus(one) == {1350}, "the node follows")
        one.ip("link set eth0 mtu 1500")
        wait_until(lambda: _mtus(one) == {1450}, "the node follows")
        assert pod1.mtu() == 1280
        pod1.reaches(pod2)


def test_pain_10_a_changed_node_address_is_followed_through_the_tunnel(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two, options="--backend vxlan")
        pod1, pod2 = two_pods(one, two)
        two.ip("address add 192.168.0.77/24 dev eth0")
        two.ip("address del 192.168.0.2/24 dev eth0")
        two.ip("address replace 192.168.0.77/24 dev eth0")
        seconds = wait_until(
            lambda: tunnel(one).get("fdb") == {MACS["node2"]: "192.168.0.77"}, "the peer follows"
        )
        print(f"followed within {seconds:.2f} s")
        wait_until(lambda: reachable(pod1, pod2), "pods reach each other again")
        (device,) = [each for each in two.asked("-d link show") if each["ifname"] == DEVICE]
        assert device["linkinfo"]["info_data"]["local"] == "192.168.0.77"


def test_pain_7_8_a_node_gone_while_the_agent_was_down_and_back_with_all_else_new(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two, options="--backend vxlan")
        wait_until(lambda: len(one.routes()) == len(two.routes()) == 1, "routes")
        (own,) = ranges(two)
        store = ("--store-dir", str(tmp_path / "store"))
        one.agents[0].kill()
        one.agents[0].wait()
        two.agents[0].terminate()
        assert two.agents[0].wait(PATIENCE) == 0
        purge = two.dari("uninstall", "--purge", *store, "--node-name", "node2")
        assert purge.returncode == 0 and tunnel(two) == {}, purge.stderr
        start(one, options="--backend vxlan")
        seconds = wait_until(
            lambda: tunnel(one).get("fdb") == {} == one.routes(), "the node is forgotten"
        )
        print(f"a node gone while the agent was down: pruned within {seconds:.2f} s of readiness")
        assert tunnel(one)["neighbours"] == {}
        two.ip("address flush dev eth0")
        two.ip("address add 192.168.0.22/24 dev eth0")
        two.name = "node2b"
        start(two, options=f"--backend vxlan --pod-range {own}")
        base = own.partition("/")[0]
        seconds = wait_until(
            lambda: (
                tunnel(one).get("fdb") == {MACS["node2b"]: "192.168.0.22"}
                and tunnel(one)["neighbours"] == {base: MACS["node2b"]}
            ),
            "the new one is known",
        )
        print(f"a node back with a new address and MAC: followed within {seconds:.2f} s")


@pytest.mark.parametrize("option", ["--vxlan-vni 80", "--vxlan-port 8472"])
def test_nodes_whose_tunnels_differ_say_so_and_name_both(tmp_path: Path, option: str) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, options="--backend vxlan")
        start(two, options=f"--backend vxlan {option}")
        for node in (one, two):
            wait_until(lambda node=node: bool(node.status()["errors"]), "it is told of")  # type: ignore[misc]
            (text,) = node.status()["errors"]
            assert "node1" in text and "node2" in text and "give all nodes the same" in text
            assert node.routes() == {}


def roll(nodes: Sequence[Node], options: str) -> None:
    """Restart the agents with other options, one node after the other."""
    for node in nodes:
        agent = node.agents.pop()
        agent.terminate()
        assert agent.wait(PATIENCE) == 0
        start(node, options=options)


@pytest.mark.long(12)
def test_the_backend_of_a_running_cluster_is_changed_and_no_ping_is_lost(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two, options="--ipv6")
        pod1, pod2 = two_pods(one, two)
        with never_interrupted(pod1, pod2):
            roll((one, two), "--ipv6 --backend vxlan")
            wait_until(lambda: _through(one) == _through(two) == {DEVICE}, "the tunnel is used")
            roll((two, one), "--ipv6 --backend auto")
            wait_until(lambda: _through(one) == _through(two) == {"eth0"}, "routes are direct")
            wait_until(lambda: tunnel(one).get("fdb") == {}, "nothing is behind the tunnel")
            roll((one, two), "--ipv6 --backend vxlan")
            wait_until(lambda: _through(one) == _through(two) == {DEVICE}, "the tunnel is used")
            roll((one, two), "--ipv6 --check-every 1")
            wait_until(lambda: _through(one) == _through(two) == {"eth0"}, "routes are direct")
        wait_until(lambda: not (has_tunnel(one) or has_tunnel(two)), "the old tunnels are gone")


@pytest.mark.long(12)
def test_a_tunnel_stays_for_as_long_as_another_node_may_send_through_it(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two, options="--backend vxlan")
        pod1, pod2 = two_pods(one, two)
        agent = two.agents.pop()
        with never_interrupted(pod1, pod2):
            agent.terminate()
            assert agent.wait(PATIENCE) == 0
            roll([one], "--check-every 1")
            wait_until(lambda: _through(one) == {"eth0"}, "one's route is direct")
            time.sleep(LINGER + 2)  # passes of one that see two's record, and its tunnel in use
            assert has_tunnel(one) and _through(two) == {DEVICE}
            start(two, options="--check-every 1")
        wait_until(lambda: not (has_tunnel(one) or has_tunnel(two)), "the old tunnels are gone")


def test_a_tunnel_of_another_number_takes_the_old_ones_place(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two, options="--backend vxlan")
        pod1, pod2 = two_pods(one, two)
        roll((one, two), "--backend vxlan --vxlan-vni 80 --vxlan-port 8472")
        wait_until(lambda: reachable(pod1, pod2), "the pods reach each other")
        (device,) = [each for each in one.asked("-d link show") if each["ifname"] == DEVICE]
        assert device["linkinfo"]["info_data"]["id"] == 80


def _through(node: Node) -> set[str]:
    return {
        each["dev"]
        for family in ("-4", "-6")
        for each in node.asked(f"{family} route show proto 79")
    }

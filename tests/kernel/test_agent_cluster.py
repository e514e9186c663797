"""Agents together: routes to every peer, changed addresses, kills, restarts, strangers."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.support.nodes import Node, cluster, plug
from tests.support.waiting import PATIENCE, wait_until


def start(*nodes: Node, options: str = "") -> None:
    for node in nodes:
        node.agent(*options.split())
    for node in nodes:
        node.wait_ready()


def settled(nodes: list[Node], families: int = 1) -> bool:
    """Does each node have a route to every other node's ranges, and no others?"""
    ranges = {node.name: set(node.status().get("pod_ranges", ())) for node in nodes}
    if any(len(found) != families for found in ranges.values()):
        return False
    every = set().union(*ranges.values())
    return all(set(node.routes()) == every - ranges[node.name] for node in nodes)


def assert_bridges_reach(one: Node, two: Node) -> None:
    """Packets pass from bridge to bridge, in both families."""
    for source, target in zip(
        sorted(one.addresses("cni0")), sorted(two.addresses("cni0")), strict=True
    ):
        bare = [each.partition("/")[0] for each in (source, target)]
        one.run("ping", "-c", "1", "-w", "60", "-I", *bare)


def test_three_nodes_learn_of_each_other_in_both_families(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as nodes:
        start(*nodes, options="--ipv6")
        wait_until(lambda: settled([*nodes], 2), "all routes are there")
        ranges = [each for node in nodes for each in node.status()["pod_ranges"]]
        assert len(set(ranges)) == 6
        for number, node in enumerate(nodes, 1):
            assert node.status()["addresses"] == [f"192.168.0.{number}", f"fd00::{number}"]
            wait_until(lambda node=node: node.status()["peers"]["number"] == 2, "it says so")  # type: ignore[misc]
        first = nodes[0].routes()
        assert set(first.values()) == {"192.168.0.2", "192.168.0.3", "fd00::2", "fd00::3"}


def test_packets_cross_from_range_to_range_and_keep_their_source(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two, options="--ipv6")
        wait_until(lambda: settled([one, two], 2), "routes")
        assert_bridges_reach(one, two)


def test_pain_19_the_bridge_is_ready_for_ipv6_before_the_first_pod(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        start(one, options="--ipv6")
        found = one.asked("-6 address show dev cni0")[0]["addr_info"]
        assert {each["scope"] for each in found} == {"global", "link"}
        assert not any(each.get("tentative") for each in found)
        one.ip("address flush dev cni0 scope link")
        wait_until(lambda: bool(one.asked("-6 address show dev cni0 scope link")), "it is put back")


def test_pain_10_a_changed_node_address_is_followed_by_all(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as (one, two, three):
        start(one, two, three)
        wait_until(lambda: settled([one, two, three]), "routes")
        (own,) = two.status()["pod_ranges"]
        two.ip("address add 192.168.0.77/24 dev eth0")
        two.ip("address del 192.168.0.2/24 dev eth0")  # takes its secondary along
        two.ip("address replace 192.168.0.77/24 dev eth0")
        for node in (one, three):
            seconds = wait_until(
                lambda node=node: node.routes().get(own) == "192.168.0.77",  # type: ignore[misc]
                "the peers follow",
            )
            print(f"{node.name} followed within {seconds:.2f} s")
        wait_until(lambda: settled([one, two, three]), "the node's own routes are back")
        wait_until(lambda: two.status()["addresses"] == ["192.168.0.77"], "it says so")


def test_pain_7_routes_to_nodes_that_went_while_the_agent_was_down_are_pruned(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, 3) as (one, two, three):
        start(one, two, three)
        wait_until(lambda: settled([one, two, three]), "routes")
        one.agents[0].kill()
        one.agents[0].wait()
        three.agents[0].terminate()
        assert three.agents[0].wait(PATIENCE) == 0
        assert (
            three.dari(
                "uninstall",
                "--purge",
                "--store-dir",
                str(tmp_path / "store"),
                "--node-name",
                "node3",
            ).returncode
            == 0
        )
        one.ip("route add 10.244.200.0/24 via 192.168.0.9 proto 79")
        assert len(one.routes()) == 3
        began = time.monotonic()
        start(one)
        print(
            f"a node gone while the agent was down: pruned within {time.monotonic() - began:.2f} s"
        )
        assert set(one.routes()) == set(two.status()["pod_ranges"])
        wait_until(lambda: settled([one, two]), "the other one forgot it as well")


def test_pain_11_the_wrong_interface_is_not_chosen_in_silence(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        plug(one, "switch", "port1b", "172.16.0.1/24", name="eth1")
        one.agent()
        wait_until(lambda: "eth1" in str(one.status().get("waiting_for")), "it asks")
        assert "eth0 192.168.0.1, eth1 172.16.0.1" in one.status()["waiting_for"][0]
        assert one.dari("status").returncode == 1
        one.ip("route add default via 172.16.0.254")
        one.wait_ready()
        assert one.status()["addresses"] == ["172.16.0.1"]


def test_an_agent_killed_at_any_moment_starts_again_and_nothing_is_lost(tmp_path: Path) -> None:
    chance = random.Random(79)
    with cluster(tmp_path, 2) as (one, two):
        start(one, two)
        wait_until(lambda: settled([one, two]), "routes")
        before = (one.status()["pod_ranges"], one.routes(), one.addresses("cni0"))
        one.agents[0].kill()
        one.agents[0].wait()
        for _ in range(12):
            agent = one.agent()
            moment = chance.uniform(0, 0.6)
            try:
                agent.wait(moment)
            except subprocess.TimeoutExpired:
                agent.kill()
            assert agent.wait() == -signal.SIGKILL, one.logged()
            assert one.addresses("cni0") == before[2]
        start(one)
        assert (one.status()["pod_ranges"], one.routes(), one.addresses("cni0")) == before
        assert one.run("nft", "list", "tables") == "table inet dari\n"
        assert one.exists("/run/dari/agent.sock")
        assert "event=fault" not in one.logged()


def test_sigterm_leaves_the_data_path_running_and_removes_the_socket_alone(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two)
        wait_until(lambda: settled([one, two]), "routes")
        before = (one.routes(), one.addresses("cni0"), one.nft())
        for number in (signal.SIGTERM, signal.SIGINT):
            agent = one.agents.pop()
            agent.send_signal(number)
            assert agent.wait(PATIENCE) == 0, one.logged()
            assert (one.routes(), one.addresses("cni0"), one.nft()) == before
            assert one.exists("/etc/cni/net.d/10-dari.conflist")
            assert not one.exists("/run/dari/agent.sock")
            assert (tmp_path / "store" / "nodes" / "node1.json").exists()
            start(one)


def test_a_second_agent_on_the_same_node_is_refused(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        start(one)
        second = one.dari("agent", "--node-name", "node1b")
        assert second.returncode == 1
        assert f"an agent runs on this node already (process {one.agents[0].pid})" in second.stderr
        assert one.dari("status").returncode == 0


def test_a_range_that_two_nodes_claim_is_refused_by_all_naming_both(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as (one, two, three):
        start(one, two, three)
        wait_until(lambda: settled([one, two, three]), "routes")
        (taken,) = two.status()["pod_ranges"]
        path = tmp_path / "store" / "nodes" / "thief.json"
        thief = {"name": "thief", "addresses": ["192.168.0.66"], "pod_ranges": [taken]}
        path.write_text(json.dumps(thief))
        for node in (one, two, three):
            seconds = wait_until(
                lambda node=node: "both node2 and thief" in str(node.status()["errors"]),  # type: ignore[misc]
                "the conflict is told of",
            )
            print(f"{node.name}: a range claimed twice: told of within {seconds:.2f} s")
            assert taken not in node.routes()
        path.unlink()
        wait_until(lambda: settled([one, two, three]), "the routes come back")


def test_two_machines_of_one_name_say_so_and_the_later_gives_way(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as (one, two, three):
        start(one, three)
        wait_until(lambda: settled([one, three]), "routes")
        two.name = "node1"
        two.agent()
        seconds = wait_until(
            lambda: "goes by the name" in str(two.status().get("waiting_for")), "it waits"
        )
        print(f"two machines of one name: told of within {seconds:.2f} s")
        assert "at 192.168.0.1 (MAC" in two.status()["waiting_for"][0]
        wait_until(lambda: "at 192.168.0.2 (MAC" in str(one.status()["errors"]), "it is told of")
        wait_until(lambda: settled([one, three]), "the first node has its peers")
        assert one.status()["ready"] and not two.status()["ready"]
        wait_until(lambda: set(three.routes().values()) == {"192.168.0.1"}, "and they have it")


def test_a_given_range_that_another_node_holds_keeps_the_node_from_being_ready(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, options="--pod-range 10.244.7.0/24")
        two.agent("--pod-range", "10.244.0.0/20")
        wait_until(lambda: "10.244.7.0/24 of node1" in str(two.status()), "the refusal is told")
        assert not two.status()["ready"]
        assert two.addresses("cni0") == set()
        assert not two.exists("/etc/cni/net.d/10-dari.conflist")


def test_hostile_records_are_told_of_and_change_nothing(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two)
        wait_until(lambda: settled([one, two]), "routes")
        before = one.run("ip", "route")
        nodes = tmp_path / "store" / "nodes"
        for name, content in {
            "garbage": b"\xff\0{",
            "wide": b'{"name": "wide", "addresses": ["192.168.0.66"], "pod_ranges": ["0.0.0.0/0"]}',
            "half": b'{"name": "half", "pod_ranges": ["128.0.0.0/1"], "addresses": ["fd00::66"]}',
            "net": b'{"name": "net", "pod_ranges": ["192.168.0.0/24"]}',
            "deep": b"[" * 50000,
        }.items():
            (nodes / f"{name}.json").write_bytes(content)
        wait_until(lambda: len(one.status()["errors"]) == 5, "each is told of")
        assert one.run("ip", "route") == before
        assert one.status()["ready"]
        text = "\n".join(one.status()["errors"])
        assert "wide.json: pod_ranges[0]" in text
        assert "192.168.0.0/24 of net holds the address of node node1" in text
        assert "event=fault" not in one.logged()


def test_a_node_whose_record_is_damaged_or_deleted_writes_it_again(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        start(one, two)
        wait_until(lambda: settled([one, two]), "routes")
        path = tmp_path / "store" / "nodes" / "node2.json"
        before = json.loads(path.read_text())["pod_ranges"]
        path.unlink()
        wait_until(path.exists, "the record is back")
        replacement = path.with_name("x.tmp")
        replacement.write_bytes(b"broken")
        replacement.rename(path)
        wait_until(lambda: path.read_bytes() != b"broken", "the record is whole")
        assert json.loads(path.read_text())["pod_ranges"] == before
        wait_until(lambda: settled([one, two]), "routes")


def test_no_range_is_allotted_while_a_damaged_record_may_hold_it(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        damaged = tmp_path / "store" / "nodes" / "gone.json"
        damaged.parent.mkdir(parents=True)
        damaged.write_bytes(b"")
        one.agent()
        wait_until(lambda: "gone.json" in str(one.status().get("waiting_for")), "it is told of")
        assert one.status()["pod_ranges"] == []
        damaged.unlink()
        one.wait_ready()
        assert one.status()["pod_ranges"] == ["10.244.0.0/24"]


def test_nodes_on_two_segments_reach_each_other_through_a_router(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        two, router = Node("node2", tmp_path), Node("router", tmp_path)
        try:
            subprocess.run(["ip", "link", "add", "switch2", "up", "type", "bridge"], check=True)
            plug(two, "switch2", "port2", "192.168.1.2/24", "fd01::2/64")
            plug(router, "switch", "port3", "192.168.0.254/24", "fd00::fe/64")
            plug(router, "switch2", "port4", "192.168.1.254/24", "fd01::fe/64", name="eth1")
            for node, segment in ((one, 0), (two, 1)):
                node.ip(f"route add default via 192.168.{segment}.254")
                node.ip(f"-6 route add default via fd0{segment}::fe")
            router.agent("--ipv6", role="router")
            start(one, two, options="--ipv6")
            router.wait_ready()
            wait_until(lambda: len(router.routes()) == 4, "the router knows the nodes' ranges")
            assert set(router.routes().values()) == {
                "192.168.0.1",
                "192.168.1.2",
                "fd00::1",
                "fd01::2",
            }
            wait_until(lambda: len(one.routes()) == len(two.routes()) == 2, "nodes' routes")
            assert set(one.routes().values()) == {"192.168.0.254", "fd00::fe"}
            assert_bridges_reach(one, two)
            assert router.addresses("cni0") == set()
            assert router.nft() == ""
            assert not (tmp_path / "store" / "nodes" / "router.json").exists()
        finally:
            router.close()
            two.close()


def test_a_machine_with_no_network_at_all_is_served(tmp_path: Path) -> None:
    node = Node("alone", tmp_path)
    try:
        start(node)
        assert node.addresses("cni0") == {"10.244.0.1/24"}
        assert node.status()["addresses"] == []
    finally:
        node.close()

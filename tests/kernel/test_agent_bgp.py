"""Agents that leave routes to a real BIRD: a mesh, a router, and what is put right."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.bird import DARIS_PART as PART
from tests.support.bird import bird, start_bird, stop_bird
from tests.support.nodes import Node, cluster, plug
from tests.support.pods import never_interrupted, reachable, two_pods
from tests.support.waiting import PATIENCE, wait_until

BGP = f"--backend bgp --bird-conf {PART}"


def start(*nodes: Node, options: str = BGP) -> None:
    for node in nodes:
        node.agent(*options.split())
    for node in nodes:
        node.wait_ready()


def learnt(node: Node) -> dict[str, str]:
    return node.routes("bird")


@contextmanager
def birds(nodes: Sequence[Node]) -> Iterator[None]:
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(bird(node))
        yield


def test_nodes_learn_each_others_ranges_in_a_mesh(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as nodes, birds(nodes):
        start(*nodes, options=f"--ipv6 {BGP}")
        wait_until(lambda: all(len(learnt(node)) == 4 for node in nodes), "routes are learnt")
        one, two, three = nodes
        ranges = {each for node in (two, three) for each in node.status()["pod_ranges"]}
        assert set(learnt(one)) == ranges
        assert set(learnt(one).values()) == {"192.168.0.2", "192.168.0.3", "fd00::2", "fd00::3"}
        assert one.routes() == {}, "dari installs none itself"
        wait_until(lambda: one.status()["errors"] == [], "all sessions are up")
        pod1, pod2 = two_pods(one, two)
        assert pod1.mtu() == 1500
        pod1.reaches(pod2)
        for version in (4, 6):
            assert pod2.sees(pod1, version) == pod1.address(version)


def test_a_node_that_goes_is_forgotten_and_a_range_that_comes_is_announced(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as nodes, birds(nodes):
        one, two = nodes
        start(one, options=f"{BGP} --pod-range 10.244.7.0/24")
        start(two)
        wait_until(lambda: len(learnt(one)) == len(learnt(two)) == 1, "routes are learnt")
        one.agents[0].terminate()
        assert one.agents[0].wait(PATIENCE) == 0
        start(one, options=f"{BGP} --pod-range 10.244.7.0/24 --pod-range 10.244.9.0/24")
        wait_until(lambda: set(learnt(two)) == {"10.244.7.0/24", "10.244.9.0/24"}, "both ranges")
        two.agents[0].terminate()
        assert two.agents[0].wait(PATIENCE) == 0
        store = f"--store-dir {tmp_path}/store --node-name node2 --bird-conf {PART}"
        purge = two.dari("uninstall", "--purge", *store.split())
        assert purge.returncode == 0, purge.stderr
        wait_until(lambda: learnt(one) == {}, "the node is forgotten")
        assert not two.exists(PART)
        wait_until(lambda: learnt(two) == {}, "BIRD takes its routes away")


def test_a_bird_that_is_away_is_told_of_and_told_all_when_it_comes(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as nodes, birds(nodes[1:]):
        one, two = nodes
        start(one, two, options=f"{BGP} --check-every 1")
        wait_until(lambda: "no BIRD answers" in str(one.status()["errors"]), "it is told of")
        daemon = start_bird(one)
        try:
            wait_until(lambda: len(learnt(one)) == len(learnt(two)) == 1, "routes are learnt")
            wait_until(lambda: one.status()["errors"] == [], "nothing is left to tell of")
            stop_bird(one, daemon)
            wait_until(lambda: learnt(one) == {}, "BIRD took its routes along")
            daemon = start_bird(one)
            seconds = wait_until(lambda: len(learnt(one)) == 1, "they are back")
            print(f"BIRD restarted: routes are back within {seconds:.2f} s")
            one.do(Path(PART).unlink)
            wait_until(lambda: one.exists(PART), "its part is written again")
        finally:
            stop_bird(one, daemon)


def test_a_bird_that_does_not_read_daris_part_is_told_of(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,), bird(one, "router id 1.2.3.4;\nprotocol device {}\n"):
        start(one)
        told = f"BIRD does not include {PART}: its own configuration has to"
        wait_until(lambda: one.status()["errors"] == [told], "it is told of")


def roll(nodes: Sequence[Node], options: str) -> None:
    for node in nodes:
        agent = node.agents.pop()
        agent.terminate()
        assert agent.wait(PATIENCE) == 0
        start(node, options=options)


def test_a_running_cluster_goes_to_bgp_and_back_and_no_ping_is_lost(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as nodes, birds(nodes):
        one, two = nodes
        start(one, two, options="--ipv6 --backend vxlan")
        pod1, pod2 = two_pods(one, two)
        with never_interrupted(pod1, pod2):
            roll(nodes, f"--ipv6 {BGP}")
            wait_until(lambda: one.routes() == two.routes() == {}, "BIRD has taken over")
            assert len(learnt(one)) == len(learnt(two)) == 2
            roll(nodes, f"--ipv6 --backend direct --bird-conf {PART}")
            wait_until(lambda: len(one.routes()) == len(two.routes()) == 2, "dari has taken over")
            wait_until(lambda: learnt(one) == learnt(two) == {}, "BIRD is left with nothing")
        assert reachable(pod1, pod2)


DAMAGE = {
    "the routes flushed": ["ip route flush proto bird"],
    "the bridge deleted": ["ip link delete cni0"],
    "the underlay down and up": ["ip link set eth0 down", "ip link set eth0 up"],
    "BIRD's part damaged": [f"truncate -s 9 {PART}"],
    "BIRD told to forget": ["birdc configure soft", "birdc restart all"],
}


def test_pain_9_whatever_happens_to_what_bird_brought_is_mended(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as nodes, birds(nodes):
        one, two = nodes
        start(one, two)
        pod1, pod2 = two_pods(one, two)
        before = (learnt(one), learnt(two))
        text = one.read(PART)
        for what, damage in DAMAGE.items():
            for command in damage:
                one.run(*command.split())
            seconds = wait_until(
                lambda: (
                    (learnt(one), learnt(two)) == before
                    and one.read(PART) == text
                    and reachable(pod1, pod2)
                ),
                f"after {what}",
            )
            print(f"{what}: mended and seen within {seconds:.2f} s")


ROUTER = """\
router id 192.168.0.254;
protocol device {}
protocol kernel { ipv4 { import none; export all; }; }
template bgp node {
  local as 65000;
  direct;
  connect delay time 1;
  ipv4 { import all; export all; next hop self; };
}
protocol bgp node1 from node { neighbor 192.168.0.1 as 64512; }
protocol bgp node2 from node { neighbor 192.168.1.2 as 64512; }
"""


def test_a_router_learns_each_nodes_range_and_nodes_the_rest_from_it(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        two, router = Node("node2", tmp_path), Node("router", tmp_path)
        try:
            subprocess.run(["ip", "link", "add", "switch2", "up", "type", "bridge"], check=True)
            plug(two, "switch2", "port2", "192.168.1.2/24")
            plug(router, "switch", "port3", "192.168.0.254/24")
            plug(router, "switch2", "port4", "192.168.1.254/24", name="eth1")
            router.sysctl("net/ipv4/ip_forward", "1")
            with birds((one, two)), bird(router, ROUTER):
                for segment, node in enumerate((one, two)):
                    node.ip(f"route add default via 192.168.{segment}.254")
                    start(node, options=f"{BGP} --bgp-peer 192.168.{segment}.254@65000")
                wait_until(lambda: len(learnt(router)) == 2, "the router has learnt the ranges")
                assert set(learnt(router).values()) == {"192.168.0.1", "192.168.1.2"}
                wait_until(lambda: len(learnt(one)) == len(learnt(two)) == 1, "so have the nodes")
                assert set(learnt(one).values()) == {"192.168.0.254"}
                pod1, pod2 = two_pods(one, two)
                pod1.reaches(pod2)
                assert pod2.sees(pod1, 4) == pod1.address(4)
        finally:
            router.close()
            two.close()

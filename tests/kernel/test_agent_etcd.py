"""Nodes whose records are in etcd: whatever happens to it, packets go on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.etcd import Etcd
from tests.support.nodes import Node, cluster, plug
from tests.support.pinging import Pinging, none_lost
from tests.support.waiting import PATIENCE, wait_until

HERE = "192.168.0.254"


@contextmanager
def joined(folder: Path, number: int) -> Iterator[tuple[Sequence[Node], Etcd]]:
    """Nodes with agents whose store is an etcd beside them."""
    with cluster(folder, number) as nodes:
        subprocess.run(["ip", "address", "add", f"{HERE}/24", "dev", "switch"], check=True)
        server = Etcd(folder, host=HERE)
        try:
            server.start()
            for node in nodes:
                start(node, server)
            for node in nodes:
                node.wait_ready()
                wait_until(lambda node=node: len(node.routes()) == number - 1, "routes")  # type: ignore[misc]
            yield nodes, server
        finally:
            server.kill()


def start(node: Node, *members: Etcd) -> None:
    endpoints = [word for each in members for word in ("--etcd-endpoint", each.url)]
    node.agent("--store", "etcd", *endpoints, "--check-every", "1")


def ranges(node: Node) -> list[str]:
    found: list[str] = node.status()["pod_ranges"]
    return found


def gateway(node: Node) -> str:
    """An address of the node's pod range, which other nodes reach by their routes only."""
    return ranges(node)[0].replace(".0/24", ".1")


def nothing_lost(source: Node, target: Node, meanwhile: Callable[[], None]) -> None:
    """Pings go on while something is done; every packet has to be answered."""
    with none_lost(Pinging(source, "-I", gateway(source), gateway(target))):
        meanwhile()


def unreachable(node: Node) -> bool:
    return node.status()["store"]["reachable"] is False


def reachable(node: Node) -> bool:
    return node.status()["store"]["reachable"] is True


def read(node: Node, path: str) -> str:
    def fetch() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:9473{path}", timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    return node.do(fetch)


@pytest.mark.long(22)
def test_a_store_that_is_killed_or_stopped_costs_no_packet_and_readiness_stays(
    tmp_path: Path,
) -> None:
    with joined(tmp_path, 2) as ((one, two), server):
        before = ranges(one)

        def kill_and_stop() -> None:
            server.kill()
            wait_until(lambda: unreachable(one) and unreachable(two), "both miss it")
            state = one.status()
            assert state["ready"] is True
            assert any("what was known is kept" in each for each in state["errors"])
            assert read(one, "/readyz") == "ready\n"
            assert "dari_store_reachable 0.0" in read(one, "/metrics")
            server.start()
            wait_until(lambda: reachable(one) and reachable(two), "both have it again")
            server.freeze()
            wait_until(lambda: unreachable(one) and unreachable(two), "both miss it again")
            server.thaw()
            wait_until(lambda: reachable(one) and reachable(two), "both have it once more")

        nothing_lost(one, two, kill_and_stop)
        assert ranges(one) == before
        assert "dari_store_reachable 1.0" in read(one, "/metrics")


def test_a_node_is_mended_without_a_store(tmp_path: Path) -> None:
    with joined(tmp_path, 2) as ((one, _), server):
        server.kill()
        wait_until(lambda: unreachable(one), "it is missed")
        routes = one.routes()
        one.ip("link delete cni0")
        one.ip("route flush proto 79")
        wait_until(lambda: bool(one.addresses("cni0")), "the bridge is back")
        wait_until(lambda: one.routes() == routes, "the routes are back")
        assert one.status()["ready"] is True


@pytest.mark.long(13)
def test_a_store_that_comes_back_empty_is_filled_again_and_costs_no_packet(
    tmp_path: Path,
) -> None:
    with joined(tmp_path, 3) as ((one, two, three), server):
        before = [ranges(each) for each in (one, two, three)]
        kept = len(one.routes())

        def trouble() -> None:
            for agent in three.agents:
                agent.send_signal(signal.SIGSTOP)
            server.kill()
            wait_until(lambda: unreachable(one), "it is missed")
            server.start("emptied")
            wait_until(lambda: reachable(one) and reachable(two), "both have it again")
            wait_until(lambda: one.status()["store"]["held"] == ["node3"], "node3 is held")
            assert len(one.routes()) == kept
            assert one.status()["ready"] is True
            assert "dari_store_held_peers 1.0" in read(one, "/metrics")
            for agent in three.agents:
                agent.send_signal(signal.SIGCONT)
            wait_until(lambda: one.status()["store"]["held"] == [], "node3 wrote itself anew")

        nothing_lost(one, three, trouble)
        assert [ranges(each) for each in (one, two, three)] == before
        assert len(one.routes()) == kept


def test_a_store_restored_from_a_backup_costs_no_packet_and_a_dead_node_goes_after_the_time(
    tmp_path: Path,
) -> None:
    with joined(tmp_path, 2) as ((one, two), server):
        server.kill()
        shutil.copytree(tmp_path / "data", tmp_path / "backup")
        server.start()
        late = two
        wait_until(lambda: reachable(one) and reachable(two), "both have it")
        two.ip("address add 192.168.0.77/24 dev eth0")
        nothing_lost(one, late, lambda: restore(server, one, two))
        assert len(one.routes()) == 1


def restore(server: Etcd, *nodes: Node) -> None:
    server.kill()
    wait_until(lambda: all(map(unreachable, nodes)), "it is missed")
    server.start("backup")
    wait_until(lambda: all(map(reachable, nodes)), "they have it again")


def test_a_node_that_is_removed_is_pruned_at_once_and_one_whose_agent_is_down_is_not(
    tmp_path: Path,
) -> None:
    with joined(tmp_path, 3) as ((one, two, three), server):
        gone = ranges(three)[0]
        for agent in (*two.agents, *three.agents):
            agent.terminate()
            agent.wait()
        key = "L2Rhcmkvbm9kZXMvbm9kZTM="  # /dari/nodes/node3
        server.call("/v3/kv/deleterange", {"key": key})
        wait_until(lambda: gone not in one.routes(), "node3 is pruned")
        wait_until(lambda: one.status()["store"]["silent"] == ["node2"], "node2 is silent")
        assert "no sign of life from the agent of node2" in one.dari("status").stdout
        assert "dari_store_silent_peers 1.0" in read(one, "/metrics")
        assert list(one.routes()) == ranges_of_stopped(two)
        start(two, server)
        wait_until(lambda: one.status()["store"]["silent"] == [], "node2 is back")
        assert os.path.exists(one.log)


def test_a_node_whose_agent_starts_on_an_emptied_store_keeps_its_range(tmp_path: Path) -> None:
    with joined(tmp_path, 2) as ((one, two), server):
        before = [ranges(one), ranges(two)]
        for agent in (*one.agents, *two.agents):
            agent.terminate()
            agent.wait()
        server.kill()
        server.start("emptied")
        for node in (two, one):
            start(node, server)
        for node in (one, two):
            node.wait_ready()
        assert [ranges(one), ranges(two)] == before


def ranges_of_stopped(node: Node) -> list[str]:
    """What a node's bridge still has, its agent being down."""
    return [
        each.replace(".1/24", ".0/24") for each in sorted(node.addresses("cni0")) if "." in each
    ]


@contextmanager
def three_members(folder: Path) -> Iterator[dict[Etcd, Node]]:
    """Members, each on a machine of its own beside the nodes."""
    machines: list[Node] = []
    members: list[Etcd] = []
    try:
        for number in (1, 2, 3):
            name, address = f"etcd{number}", f"192.168.0.{100 + number}"
            (folder / name).mkdir()
            machines.append(Node(name, folder))
            plug(machines[-1], "switch", name, f"{address}/24")
            members.append(Etcd(folder / name, host=address, name=name))
        for machine, member in zip(machines, members, strict=True):
            member.members = members
            machine.do(member.launch)
        for member in members:
            wait_until(member.answers, "a leader")
        yield dict(zip(members, machines, strict=True))
    finally:
        for member in members:
            member.kill()
        for machine in machines:
            machine.close()


def the_leader(members: Iterable[Etcd]) -> Etcd:
    """The one that leads, once one does."""
    found: list[Etcd] = []

    def is_found() -> bool:
        found[:] = [each for each in members if each.leads()]
        return len(found) == 1

    wait_until(is_found, "a leader")
    return found[0]


def test_of_three_members_the_leader_is_killed_and_then_two_are_cut_off(tmp_path: Path) -> None:
    """No packet and no record is lost; one member alone is as good as none."""
    with cluster(tmp_path, 3) as (one, two, three):
        subprocess.run(["ip", "address", "add", f"{HERE}/24", "dev", "switch"], check=True)
        with three_members(tmp_path) as members:
            for node in (one, two):
                start(node, *members)
            for node in (one, two):
                node.wait_ready()
                wait_until(lambda node=node: len(node.routes()) == 1, "routes")  # type: ignore[misc]
            before = [ranges(one), ranges(two)]

            def lose_the_leader() -> None:
                leader = the_leader(members)
                leader.kill()
                start(three, *members)
                three.wait_ready()
                wait_until(lambda: len(one.routes()) == len(two.routes()) == 2, "node3 is known")
                members[leader].do(leader.launch)
                wait_until(leader.answers, "the member is back")

            nothing_lost(one, two, lose_the_leader)
            known = one.routes()

            def cut_two_off() -> None:
                cables("down")
                seconds = wait_until(lambda: unreachable(one) and unreachable(two), "it is missed")
                print(f"two of three cut off: noticed within {seconds:.1f} s")
                assert one.status()["ready"] and one.routes() == known
                cables("up")
                seconds = wait_until(lambda: reachable(one) and reachable(two), "it is back")
                print(f"joined again: noticed within {seconds:.1f} s")

            nothing_lost(one, two, cut_two_off)
            assert [ranges(one), ranges(two)] == before and one.routes() == known


def cables(state: str) -> None:
    """Of the first two members."""
    for number in (1, 2):
        subprocess.run(["ip", "link", "set", f"etcd{number}", state], check=True)

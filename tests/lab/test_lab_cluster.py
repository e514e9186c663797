"""A lab is a cluster: whoever builds it, its nodes, pods and addresses are as promised."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from dari.snapshot.files import from_bytes
from tests.support.labs import ORDINARY, ROOT, Lab, caller, lab
from tests.support.waiting import wait_until

NODES = ("node1", "node2", "node3")
PODS = ("pod-1-1", "pod-1-2", "pod-2-1", "pod-2-2", "pod-3-1", "pod-3-2")
OWN_FOLDERS = ("/run", "/etc/cni", "/etc/dari", "/opt/cni", "/var/lib/cni", "/var/lib/dari")


@pytest.fixture(scope="module", params=[ROOT, ORDINARY])
def built(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Three nodes with two pods each, of both families."""
    with caller(request.param) as by, lab(by, "--ipv6") as found:
        yield found


def test_status_tells_nodes_pods_and_outside(built: Lab) -> None:
    status = built.status()
    assert [node["name"] for node in status["nodes"]] == list(NODES)
    assert [pod["name"] for pod in status["pods"]] == list(PODS)
    assert [pod["node"] for pod in status["pods"]] == [f"node{pod[4]}" for pod in PODS]
    for one in [*status["nodes"], *status["pods"], status["outside"]]:
        assert [ip_address(address).version for address in one["addresses"]] == [4, 6]
    for node in status["nodes"]:
        assert node["address"] == node["addresses"][0]
        assert node["agent"] == "ready"


def test_no_two_nodes_have_the_same_range_and_pods_have_addresses_of_theirs(built: Lab) -> None:
    status = built.status()
    ranges = {node["name"]: list(map(ip_network, node["pod_ranges"])) for node in status["nodes"]}
    every = [each for own in ranges.values() for each in own]
    assert len(every) == len(set(every)) == 6
    for pod in status["pods"]:
        for address in map(ip_address, pod["addresses"]):
            assert any(address in each for each in ranges[pod["node"]])
    addresses = [address for pod in status["pods"] for address in pod["addresses"]]
    assert len(set(addresses)) == len(addresses)


def test_pods_reach_each_other_by_name(built: Lab) -> None:
    targets = ("pod-1-2", "pod-2-1", "pod-3-2", "node1", "node3", "outside")
    ping = 'for each; do for family in -4 -6; do ping $family -c1 -W5 "$each" || exit; done; done'
    built.ok("pod-1-1", "sh", "-c", ping, "sh", *targets)


def test_the_outside_host_knows_nothing_of_pods(built: Lab) -> None:
    pods = [pod["addresses"] for pod in built.status()["pods"]]
    for address in pods[0]:
        assert built.run("outside", "ping", "-c1", "-W1", address).returncode != 0
    routes = json.loads(built.ok("outside", "ip", "-json", "route"))
    assert not [route for route in routes if route["dst"].startswith("10.244.")]


def test_a_node_has_one_interface_with_its_own_mac_and_a_name_of_its_own(built: Lab) -> None:
    macs = set()
    for name in NODES:
        assert built.ok(name, "hostname").strip() == name
        links = json.loads(built.ok(name, "ip", "-json", "link"))
        plain = [x for x in links if not x["ifname"].startswith("dari")]
        assert [x["ifname"] for x in plain] == ["lo", "eth0", "cni0"]
        macs.add(plain[1]["address"])
        addresses = json.loads(built.ok(name, "ip", "-json", "-4", "address", "show", "eth0"))
        assert len(addresses[0]["addr_info"]) == 1
    assert len(macs) == len(NODES)


def test_a_pod_has_a_name_and_a_network_of_its_own(built: Lab) -> None:
    assert built.ok("pod-2-1", "hostname").strip() == "pod-2-1"
    links = json.loads(built.ok("pod-2-1", "ip", "-json", "link"))
    assert [x["ifname"] for x in links] == ["lo", "eth0"]
    assert sorted(
        os.path.basename(x) for x in built.ok("pod-2-1", "ls", "/sys/class/net").split()
    ) == [
        "eth0",
        "lo",
    ]
    assert built.run("pod-2-1", "ls", "/run/dari").returncode != 0


def test_what_a_node_writes_stays_in_it(built: Lab) -> None:
    marks = [f"{folder}/mark-of-{built.name}" for folder in OWN_FOLDERS]
    write = 'for each; do echo node1 > "$each"; done; cat "$@"'
    assert built.ok("node1", "sh", "-c", write, "sh", *marks) == "node1\n" * len(marks)
    there = 'for each; do [ ! -e "$each" ] || echo "$each"; done'
    assert built.ok("node2", "sh", "-c", there, "sh", *marks) == ""
    assert [each for each in marks if Path(each).exists()] == []


def test_the_store_is_the_one_thing_that_nodes_share(built: Lab) -> None:
    for name in NODES:
        found = built.ok(name, "ls", "/var/lib/dari/store/nodes").split()
        assert sorted(found) == [f"{each}.json" for each in NODES]


def test_a_node_s_pods_are_where_ip_netns_looks(built: Lab) -> None:
    assert built.ok("node2", "ls", "/run/netns").split() == ["pod-2-1", "pod-2-2"]
    assert built.ok("node1", "ls", "/run/netns").split() == ["pod-1-1", "pod-1-2"]


def test_the_machine_s_own_network_is_out_of_reach(built: Lab) -> None:
    own = Path("/proc/self/ns/net").readlink()
    for name in (*NODES, *PODS, "outside", "switch"):
        assert built.ok(name, "readlink", "/proc/self/ns/net").strip() != str(own)
    links = json.loads(built.ok("switch", "ip", "-json", "link"))
    ends = {x["ifname"]: x.get("link_netnsid", -1) for x in links}
    assert set(ends) == {"lo", "segment1", *NODES, "outside"}
    away = built.run("node1", "ping", "-c1", "-W2", "192.0.2.1")
    assert away.returncode != 0
    assert "From" in away.stdout  # somebody says so, rather than nobody anything


def test_an_exit_status_comes_through_and_so_do_streams(built: Lab) -> None:
    assert built.run("node1", "sh", "-c", "exit 7").returncode == 7
    assert built.run("pod-1-1", "no-such-program").returncode == 127
    done = built.caller.run(
        "lab", "exec", "--name", built.name, "pod-1-1", "--", "cat", stdin="hello"
    )
    assert done.stdout == "hello"
    assert built.caller.run("lab", "exec", "--name", built.name, "node1", "true").returncode == 0


def test_an_unknown_place_is_told_with_those_that_there_are(built: Lab) -> None:
    done = built.run("node9", "true")
    assert done.returncode == 1
    assert "node9" in done.stderr
    assert "pod-3-2" in done.stderr


def test_dari_is_at_hand_inside(built: Lab) -> None:
    assert built.ok("node1", "dari", "status").startswith("node1 ")
    assert built.ok("pod-1-1", "dari", "version").startswith("dari ")


def test_a_node_s_tables_are_those_that_ip_shows(built: Lab) -> None:
    told = json.loads(built.ok("node2", "dari", "tables", "-o", "json"))["tables"]
    tables = {table["name"]: table["rows"] for table in told}
    shown = json.loads(built.ok("node2", "ip", "-json", "route"))
    shown += json.loads(built.ok("node2", "ip", "-6", "-json", "route"))
    assert sorted(row["destination"] for row in tables["route"]) == sorted(
        route["dst"] for route in shown
    )
    whys = [row["why"] for row in tables["route"]]
    for name in ("node1", "node3"):
        assert sum(f"the pods of {name}:" in why for why in whys) == 2
    ports = [row for row in tables["bridge"] if row["bridge"] == "cni0"]
    assert sorted(row["why"].split()[-1] for row in ports) == ["pod-2-1", "pod-2-2"]
    assert all(row["why"] for rows in tables.values() for row in rows)


def test_one_table_can_be_asked_for_and_a_wrong_one_is_wrong_use(built: Lab) -> None:
    assert built.ok("node1", "dari", "tables", "fdb").startswith("fdb: ")
    done = built.run("node1", "dari", "tables", "nonsense")
    assert done.returncode == 2
    assert "route" in done.stderr


def test_a_lab_that_is_up_is_not_built_again(built: Lab) -> None:
    done = built.caller.run("lab", "up", "--name", built.name)
    assert done.returncode == 1
    assert "up already" in done.stderr
    assert built.status()["nodes"]


@pytest.mark.parametrize("who", [ROOT, ORDINARY])
def test_status_sees_what_is_there_and_not_what_was(who: str) -> None:
    # In a lab of its own: the pod comes back with another address than other tests know.
    with caller(who) as by, lab(by, "--nodes", "1", "--pods", "2") as own:
        own.ok("node1", "dari", "del", "pod-1-2", "pod-1-2")
        done = by.run("lab", "status", "--name", own.name, "-o", "json")
        assert done.returncode == 1
        gone = [pod for pod in json.loads(done.stdout)["pods"] if not pod["addresses"]]
        assert [pod["name"] for pod in gone] == ["pod-1-2"]
        own.ok("node1", "dari", "add", "pod-1-2", "pod-1-2")
        assert len(own.status()["pods"][1]["addresses"]) == 1


def test_an_agent_that_was_stopped_is_absent_and_can_be_started_with_no_option(built: Lab) -> None:
    ranges = built.status()["nodes"][0]["pod_ranges"]
    pid = built.ok("node1", "cat", "/run/dari/agent.lock").strip()
    built.ok("node1", "kill", pid)
    wait_until(lambda: agent_of_node1(built) == "absent", "the agent to fall silent")
    gone = f"while kill -0 {pid} 2>/dev/null; do sleep 0.05; done"
    built.ok("node1", "sh", "-c", gone)  # until then it holds the lock against a second one
    built.ok("node1", "sh", "-c", "setsid dari agent >/dev/null 2>&1 </dev/null &")
    wait_until(lambda: agent_of_node1(built) == "ready", "the agent to start")
    assert built.status()["nodes"][0]["pod_ranges"] == ranges
    built.ok("pod-1-1", "ping", "-c1", "-w60", "pod-3-1")


def agent_of_node1(built: Lab) -> str:
    done = built.caller.run("lab", "status", "--name", built.name, "-o", "json")
    return str(json.loads(done.stdout)["nodes"][0]["agent"])


def test_a_snapshot_has_every_machine_and_pod_as_they_see_themselves(built: Lab) -> None:
    taken = from_bytes(built.caller.ok("snapshot", "--lab", built.name).encode(), "snapshot")
    assert taken.lab == built.name
    assert [one.name for one in taken.machines] == [*NODES, "outside", "switch"]
    assert [pod.name for node in taken.nodes for pod in node.pods] == list(PODS)
    inside = from_bytes(built.ok("node1", "dari", "snapshot").encode(), "snapshot").machines[0]
    seen = taken.machines[0]
    assert seen.problems == inside.problems == {}
    assert seen.record == inside.record and seen.record is not None
    assert seen.host.replace(time=0.0) == inside.host.replace(time=0.0)
    assert seen.leases and sorted(map(str, seen.leases)) == sorted(map(str, inside.leases))
    for field in ("inode", "links", "addresses", "routes", "rules", "sysctls", "ruleset"):
        assert getattr(seen.place, field) == getattr(inside.place, field)
    places = [pod.place for node in taken.nodes for pod in node.pods]
    assert len({place.inode for place in places if place}) == len(PODS)


def test_the_doctor_finds_nothing_in_a_healthy_lab_and_mends_what_is_broken(built: Lab) -> None:
    healthy = built.caller.run("doctor", "--lab", built.name, "-o", "json")
    assert (healthy.returncode, json.loads(healthy.stdout)["findings"]) == (0, [])
    address = "10.0.1.12"
    built.ok("node1", *f"ip neigh replace {address} lladdr 02:00:00:00:de:ad dev eth0".split())
    told = built.caller.run("doctor", "--lab", built.name, "-o", "json")
    found = json.loads(told.stdout)["findings"]
    assert told.returncode == 1
    mends = [
        (one["where"], line) for one in found if one["code"] == "DARI-404" for line in one["mend"]
    ]
    assert mends == [("node1", f"ip neigh del {address} dev eth0")]
    built.ok("node1", "sh", "-c", mends[0][1])
    built.ok("node1", "ping", "-c1", "-w60", address)

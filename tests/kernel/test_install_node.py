"""`dari install` and `dari uninstall` on a node: what runtimes find, and what is left."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from dari.agent import unit
from tests.support.isolation import mount
from tests.support.nodes import Node, cluster
from tests.support.pods import two_pods
from tests.support.waiting import PATIENCE, wait_until

BIN, CONF = "/opt/cni/bin", "/etc/cni/net.d"
CONFLIST = f"{CONF}/10-dari.conflist"


def listed(node: Node, folder: str) -> list[str]:
    return node.do(lambda: sorted(os.listdir(folder)))


def pod(node: Node, name: str) -> str:
    """Wire a pod through the conf dir, as a runtime does; its first address."""
    node.ip(f"netns add {name}")
    added = node.dari("add", name, name)
    assert added.returncode == 0, added.stderr
    found = json.loads(node.run("ip", "-n", name, "-json", "address", "show", "dev", "eth0"))
    return str(found[0]["addr_info"][0]["local"])


def test_pods_of_two_nodes_reach_each_other_through_what_was_installed(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as nodes:
        pods = []
        for node in nodes:
            node.agent()
            assert node.dari("install").returncode == 0
            assert listed(node, BIN) == [".dari.conf", ".dari.modules", "dari"]
            node.wait_ready()
        for node in nodes:
            wait_until(lambda node=node: len(node.routes()) == 1, "routes")  # type: ignore[misc]
            pods.append(pod(node, "web"))
        nodes[0].run("ip", "netns", "exec", "web", "ping", "-c", "1", "-w", "60", pods[1])
        nodes[1].run("ip", "netns", "exec", "web", "ping", "-c", "1", "-w", "60", pods[0])


def test_uninstall_purge_leaves_nothing(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        store = str(tmp_path / "store")
        one.ip("route add 10.99.0.0/24 via 192.168.0.9")
        links = {each["ifname"] for each in one.asked("link")}
        routes = one.run("ip", "route")
        (tmp_path / "store" / "nodes").mkdir(parents=True)
        (tmp_path / "store" / "nodes" / "peer.json").write_text(
            '{"name": "peer", "addresses": ["192.168.0.7"], "pod_ranges": ["10.244.9.0/24"]}'
        )
        one.do(lambda: Path(BIN).mkdir(parents=True))
        one.do(lambda: Path(f"{BIN}/bridge").write_text("another's"))
        agent = one.agent()
        assert one.dari("install", "--as", "bridge,host-local,loopback").returncode == 0
        one.wait_ready()
        pod(one, "web")
        busy = one.dari("uninstall", "--purge", "--node-name", one.name, "--store-dir", store)
        assert busy.returncode == 1 and f"process {agent.pid}" in busy.stderr
        agent.terminate()
        assert agent.wait(PATIENCE) == 0
        done = one.dari("uninstall", "--purge", "--node-name", one.name, "--store-dir", store)
        assert (done.returncode, done.stderr) == (0, "")
        assert {each["ifname"] for each in one.asked("link")} == links
        assert one.run("ip", "route") == routes
        assert one.nft() == ""
        assert listed(one, BIN) == ["bridge"]
        assert one.read(f"{BIN}/bridge") == "another's"
        assert listed(one, CONF) == []
        assert not one.exists("/run/dari")
        assert listed(one, "/var/lib/cni/results") == []
        assert os.listdir(tmp_path / "store" / "nodes") == ["peer.json"]
        (left,) = one.asked("-n web address show dev lo")
        assert left["ifname"] == "lo"
        again = one.dari("uninstall", "--purge", "--node-name", one.name, "--store-dir", store)
        assert (again.returncode, again.stdout) == (0, "nothing of dari's was there\n")


def test_the_default_store_goes_with_the_last_record(tmp_path: Path) -> None:
    node = Node("alone", tmp_path)
    try:
        node.do(lambda: mount("tmpfs", "/var/lib", "tmpfs"))
        agent = node.agent("--store-dir", "/var/lib/dari/store")
        node.wait_ready()
        assert listed(node, "/var/lib/dari/store/nodes") == ["alone.json"]
        agent.kill()
        agent.wait()
        assert node.dari("uninstall", "--purge", "--node-name", "alone").returncode == 0
        assert listed(node, "/var/lib") == []
    finally:
        node.close()


def test_uninstall_purge_removes_a_cable_that_a_killed_agent_had_still_to_delete(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, 1) as (one,):
        one.ip("link add dariabcdefghijk type veth peer name other")
        one.run("ip", "link", "set", "dariabcdefghijk", "alias", "dari- dari c1 eth0")
        done = one.dari("uninstall", "--purge", "--node-name", one.name)
        assert done.returncode == 0, done.stderr
        assert not any(each["ifname"].startswith("dari") for each in one.asked("link"))


def test_uninstall_alone_leaves_running_pods_their_network(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        agent = one.agent()
        one.dari("install")
        one.wait_ready()
        address = pod(one, "web")
        agent.terminate()
        agent.wait(PATIENCE)
        done = one.dari("uninstall")
        assert done.returncode == 0
        assert not one.exists(CONFLIST) and listed(one, BIN) == []
        one.run("ping", "-c", "1", "-w", "60", address)


def test_a_bridge_that_others_use_stays(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        agent = one.agent()
        one.wait_ready()
        agent.terminate()
        agent.wait(PATIENCE)
        one.ip("link add mine type veth peer name other")
        one.ip("link set mine master cni0")
        words = ("uninstall", "--purge", "--node-name", one.name)
        done = one.dari(*words, "--store-dir", str(tmp_path / "store"))
        assert done.returncode == 0
        assert "left bridge cni0, which has ports of others: mine" in done.stdout
        assert one.addresses("cni0") == {"10.244.0.1/24"}


def test_one_machine_with_no_agent_gets_a_configuration_for_itself(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        done = one.dari("install", "--pod-range", "10.22.0.0/24", "--pod-range", "fd22::/64")
        assert done.returncode == 0 and CONFLIST in done.stdout
        address = pod(one, "web")
        assert address.startswith("10.22.0.")
        one.run("ping", "-c", "1", "-w", "60", address)
        assert "10.22.0.0/24" in one.nft()
        done = one.dari("uninstall", "--purge")
        assert done.returncode == 0
        assert "cni0" not in {each["ifname"] for each in one.asked("link")}
        assert one.nft() == "" and not one.exists("/run/dari")


def test_beside_a_running_agent_another_folder_gets_the_same_network(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        one.agent()
        one.wait_ready()
        assert "is kept by the running agent" in one.dari("install").stdout
        other = f"{CONF}/other"
        assert one.dari("install", "--conf-dir", other).returncode == 0
        (plugin,) = json.loads(one.read(f"{other}/10-dari.conflist"))["plugins"]
        assert plugin["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/24"}]]
        assert (plugin["ipMasq"], plugin["mtu"]) == (False, 1500)


def test_without_an_agent_or_a_range_install_says_who_will_write_the_configuration(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, 1) as (one,):
        done = one.dari("install")
        assert done.returncode == 0
        assert f"{CONFLIST} will be written by the agent" in done.stdout
        assert not one.exists(CONFLIST)
        wrong = one.dari("install", "--as", "bridge,flannel")
        assert wrong.returncode == 2
        assert "no plugin 'flannel'" in wrong.stderr


def test_an_agent_with_no_more_than_the_units_capabilities_does_all_of_it(tmp_path: Path) -> None:
    """What systemd leaves it: a bounding set, and no way to more."""
    kept = ",".join(f"+{each.removeprefix('CAP_').lower()}" for each in unit.CAPABILITIES)
    bounded = ["setpriv", f"--bounding-set=-all,{kept}", "--inh-caps=-all", "--no-new-privs"]
    with cluster(tmp_path, 2) as (one, two):
        for node in (one, two):
            node.agent("--ipv6", "--backend", "vxlan", prefix=bounded)
            node.wait_ready()
        pod1, pod2 = two_pods(one, two)
        one.ip("link set eth0 mtu 1400")  # which it tells the pod, in the pod's own namespace
        wait_until(lambda: pod1.mtu() == 1350, "the pod follows")
        pod1.reaches(pod2)
        effective = one.read(f"/proc/{one.agents[0].pid}/status").partition("CapEff:")[2].split()[0]
        assert int(effective, 16).bit_count() == len(unit.CAPABILITIES)
        assert one.status()["errors"] == []
        assert "level=warning" not in one.logged()


def test_install_writes_a_unit_and_uninstall_takes_it_away(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        one.do(lambda: mount("tmpfs", "/etc/systemd", "tmpfs"))
        path = f"{unit.FOLDER}/{unit.NAME}"
        done = one.dari("install", "--systemd")
        assert f"{path} (start it with: systemctl enable --now {unit.NAME})" in done.stdout
        assert one.read(path) == unit.render(sys.executable)
        assert f"removed {path}" in one.dari("uninstall").stdout
        assert not one.exists(path)

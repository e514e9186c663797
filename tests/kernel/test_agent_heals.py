"""What somebody deletes on a node comes back, and what is not dari's is left alone.

Each case prints how long the mending took; none asserts it beyond the patience
of the tests.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dari.netlink.linkchange import add_bridge
from dari.netlink.sock import NetlinkSocket
from tests.support.nodes import Node, cluster
from tests.support.pods import Pod, install
from tests.support.waiting import wait_until

CONFLIST = "/etc/cni/net.d/10-dari.conflist"
ROUTES = {"10.244.1.0/24": "192.168.0.2", "fd00:10:244:1::/64": "fd00::2"}
GATEWAYS = {"10.244.0.1/24", "fd00:10:244::1/64"}


def healthy(node: Node) -> bool:
    return (
        node.routes() == ROUTES
        and "masquerade fully-random" in node.nft()
        and "elements = { 10.244.0.0/24 }" in node.nft()
        and node.addresses("cni0") >= GATEWAYS
        and "UP" in node.asked("link show cni0")[0]["flags"]
        and node.sysctl("net/ipv4/ip_forward") == "1"
        and node.sysctl("net/ipv6/conf/all/forwarding") == "1"
        and node.exists(CONFLIST)
    )


def two_ready(one: Node, two: Node) -> None:
    one.agent("--ipv6")
    one.wait_ready()
    two.agent("--ipv6")
    two.wait_ready()
    wait_until(lambda: healthy(one), "the first node has all it needs")


DAMAGE: dict[str, Callable[[Node], object]] = {
    "a route": lambda node: node.ip("route del 10.244.1.0/24"),
    "an IPv6 route": lambda node: node.ip("-6 route del fd00:10:244:1::/64"),
    "all routes of the protocol": lambda node: node.ip("route flush proto 79"),
    "a route changed": lambda node: node.ip("route replace 10.244.1.0/24 via 192.168.0.9 proto 79"),
    "the nft table": lambda node: node.run("nft", "delete", "table", "inet", "dari"),
    "all of nft": lambda node: node.run("nft", "flush", "ruleset"),
    "the rules of a chain": lambda node: node.run(
        *["nft", "flush", "chain", "inet", "dari", "postrouting"]
    ),
    "an element of a set": lambda node: node.run(
        "nft", "delete element inet dari masquerade4 { 10.244.0.0/24 }"
    ),
    "the bridge's address": lambda node: node.ip("address del 10.244.0.1/24 dev cni0"),
    "the bridge's IPv6 address": lambda node: node.ip("address del fd00:10:244::1/64 dev cni0"),
    "all of the bridge's addresses": lambda node: node.ip("address flush dev cni0"),
    "the bridge": lambda node: node.ip("link del cni0"),
    "the bridge set down": lambda node: node.ip("link set cni0 down"),
    "IPv4 forwarding": lambda node: node.sysctl("net/ipv4/ip_forward", "0"),
    "IPv6 forwarding": lambda node: node.sysctl("net/ipv6/conf/all/forwarding", "0"),
    "the conflist": lambda node: node.run("rm", CONFLIST),
    "a conflist cut short": lambda node: node.run("truncate", "-s", "9", CONFLIST),
}


def test_pain_9_15_what_is_deleted_or_changed_comes_back_by_itself(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        two_ready(one, two)
        text = one.read(CONFLIST)
        for what, damage in DAMAGE.items():
            damage(one)
            seconds = wait_until(
                lambda: healthy(one) and one.read(CONFLIST) == text, f"{what} comes back"
            )
            print(f"{what}: mended and seen within {seconds:.2f} s")
        mended = one.logged()
        assert mended.count("event=mended") >= len(DAMAGE)
        assert "event=fault" not in mended and "level=warning" not in mended


def test_pain_9_an_interface_flap_leaves_all_routes_in_place(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        two_ready(one, two)
        one.ip("link set eth0 down")
        wait_until(lambda: "10.244.1.0/24" not in one.routes(), "the kernel drops the route")
        one.ip("link set eth0 up")
        one.ip("address replace fd00::1/64 dev eth0 nodad")  # the kernel forgot it
        seconds = wait_until(lambda: healthy(one), "the routes come back")
        print(f"the interface down and up: mended and seen within {seconds:.2f} s")


def test_pain_13_a_changed_mtu_of_the_underlay_reaches_bridge_and_pods(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        two_ready(one, two)
        assert '"mtu": 1500' in one.read(CONFLIST)
        one.ip("link set eth0 mtu 1420")
        wait_until(lambda: one.asked("link show cni0")[0]["mtu"] == 1420, "the bridge follows")
        wait_until(lambda: '"mtu": 1420' in one.read(CONFLIST), "the conflist follows")


def test_what_is_not_daris_is_never_touched(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        one.ip("route add 10.99.0.0/24 via 192.168.0.9")
        one.ip("route add 10.98.0.0/24 via 192.168.0.9 proto static")
        one.ip("address add 172.16.0.1/24 dev lo")
        one.run("nft", "add table inet mine; add chain inet mine c")
        two_ready(one, two)
        one.ip("route flush proto 79")
        one.run("nft", "delete", "table", "inet", "dari")
        wait_until(lambda: healthy(one), "the node is mended")
        assert one.routes("boot")["10.99.0.0/24"] == "192.168.0.9"
        assert one.routes("static") == {"10.98.0.0/24": "192.168.0.9"}
        assert "172.16.0.1/24" in one.addresses("lo")
        assert "table inet mine" in one.nft()
        assert one.dari("uninstall").returncode == 1  # an agent runs


def test_a_route_of_anothers_to_a_pod_range_is_left_and_told_of(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        one.ip("route add 10.244.1.0/24 via 192.168.0.9 proto static")
        for node in (one, two):
            node.agent()
            node.wait_ready()
        wait_until(lambda: bool(one.status()["errors"]), "the conflict is told of")
        assert "left alone" in one.status()["errors"][0]
        assert one.routes("static")["10.244.1.0/24"] == "192.168.0.9"
        one.ip("route del 10.244.1.0/24 proto static")
        wait_until(lambda: one.routes() == {"10.244.1.0/24": "192.168.0.2"}, "ours takes its place")
        wait_until(lambda: one.status()["errors"] == [], "nothing is left to tell of")


def test_pain_17_a_bridge_of_another_address_is_an_error_that_says_so(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        one.ip("link add cni0 type bridge")
        one.ip("address add 10.244.0.99/16 dev cni0")
        one.agent()
        wait_until(lambda: bool(one.status().get("waiting_for")), "the agent looked")
        wait_until(lambda: "cni0" in one.status()["waiting_for"][0], "the bridge is named")
        assert "10.244.0.99/16" in one.status()["waiting_for"][0]
        assert not one.exists(CONFLIST)
        one.ip("address del 10.244.0.99/16 dev cni0")
        one.wait_ready()
        assert one.exists(CONFLIST)


def add_links(number: int, pause: float) -> None:
    """One after the other, seconds apart, as pods start on a busy node."""
    with NetlinkSocket() as sock:
        for each in range(number):
            sock.transact([add_bridge(f"link{pause:g}.{each}")])
            time.sleep(pause)


def test_a_node_on_which_links_come_faster_than_all_can_be_listed_stays_ready(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, 1) as (one,):
        one.do(lambda: add_links(300, 0.0))
        one.agent("--check-every", "0.5")
        one.wait_ready()
        before = one.status()["last_sync"]["time"]
        one.do(lambda: add_links(1000, 0.003))
        assert one.status()["last_sync"]["time"] > before, "nothing was looked at meanwhile"
        assert "not ready" not in one.logged() and "changed meanwhile" not in one.logged()


@contextmanager
def stopped(*nodes: Node) -> Iterator[None]:
    """Their agents do nothing meanwhile."""
    for node in nodes:
        node.agents[0].send_signal(signal.SIGSTOP)
    yield
    for node in nodes:
        node.agents[0].send_signal(signal.SIGCONT)


def test_a_store_that_fails_leaves_the_data_path_alone(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (one, two):
        two_ready(one, two)
        nodes = tmp_path / "store" / "nodes"
        with stopped(one, two):  # what they saw in between they would put right
            nodes.rename(tmp_path / "away")
            nodes.write_bytes(b"")
        wait_until(lambda: bool(one.status()["errors"]), "the store's failure is told of")
        assert healthy(one)
        with stopped(one, two):
            nodes.unlink()
            (tmp_path / "away").rename(nodes)
        wait_until(lambda: one.status()["errors"] == [] and healthy(one), "all is well again")


def test_an_agent_whose_run_folder_is_removed_listens_again(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as (one,):
        one.agent("--ipv6")
        install(one)
        one.wait_ready()
        before = Pod(one, "web")
        one.run("mv", "/run/dari", "/run/gone")  # at once: it would be made anew underway
        seconds = wait_until(lambda: one.dari("status").returncode == 0, "it is heard again")
        print(f"the run folder removed: heard again within {seconds:.2f} s")
        second = one.dari("agent", "--node-name", "node1b")
        assert f"an agent runs on this node already (process {one.agents[0].pid})" in second.stderr
        wait_until(lambda: "10.244.0.0/24" in one.nft(), "it masquerades as before")
        one.run("ping", "-c", "1", "-w", "60", before.addresses[0])
        assert "event=recovered folder=/run/dari leases=2" in one.logged()
        other = Pod(one, "db")
        assert not set(other.addresses) & set(before.addresses)
        one.run("ip", "netns", "exec", "db", "ping", "-c", "1", "-w", "60", before.addresses[0])

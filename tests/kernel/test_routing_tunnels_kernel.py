"""Tunnels on the real kernel; `ip -json` and `bridge -json` are the witnesses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from dari.netlink.route import list_routes
from dari.netlink.sock import NetlinkSocket
from dari.routing import tunnels
from dari.routing.reconcile import Outcome, reconcile
from dari.routing.way import Remote, Tunnel
from tests.support.kernel import addresses, ip, run

NAME = "dari.vxlan"
MAC, TWO, THREE = "0a:58:00:00:00:01", "0a:58:00:00:00:02", "0a:58:00:00:00:03"
TUNNEL = Tunnel(
    name=NAME,
    vni=79,
    port=4789,
    local=ip_address("192.168.0.1"),
    mac=MAC,
    mtu=1450,
    addresses=(ip_interface("10.244.1.0/32"), ip_interface("fd00:244:1::/128")),
)
REMOTES = [
    Remote(tunnel=NAME, network=ip_network(network), mac=mac, address=ip_address(address))
    for network, mac, address in (
        ("10.244.2.0/24", TWO, "192.168.0.2"),
        ("fd00:244:2::/64", TWO, "192.168.0.2"),
        ("10.244.3.0/24", THREE, "192.168.1.3"),
    )
]


def link(words: str) -> None:
    run("ip", "link", *words.split())


def underlay() -> None:
    run("ip", "link", "add", "eth0", "up", "type", "veth", "peer", "name", "far")
    run("ip", "link", "set", "far", "up")
    run("ip", "address", "add", "192.168.0.1/24", "dev", "eth0")


def sync(want: Sequence[Tunnel] = (TUNNEL,), remotes: Iterable[Remote] = REMOTES) -> Outcome:
    """All steps, as the agent does them."""
    remotes = list(remotes)
    with NetlinkSocket() as sock:
        indexes, made = tunnels.ensure(sock, want)
        filled = tunnels.fill(sock, indexes, remotes, tunnels.survey(sock, indexes))
        routes = tunnels.routes(indexes, remotes)
        routed = reconcile(sock, list_routes(sock), routes, [*indexes.values()])
        cleared = tunnels.clear(sock, indexes, remotes, tunnels.survey(sock, indexes))
        pruned = tunnels.prune(sock, [each.name for each in want])
    return made.plus(filled).plus(routed).plus(cleared).plus(pruned)


def forwardings(name: str = NAME) -> dict[str, str]:
    found = json.loads(run("bridge", "-json", "fdb", "show", "dev", name) or "[]")
    return {each["mac"]: each["dst"] for each in found if "dst" in each}


def neighbours(name: str = NAME) -> dict[str, str]:
    found = ip("neighbour", "show", "dev", name, "nud", "permanent")
    return {each["dst"]: each["lladdr"] for each in found}


def gateways(proto: str = "79") -> dict[str, str]:
    found = [*ip("route", "show", "proto", proto), *ip("-6", "route", "show", "proto", proto)]
    return {each["dst"]: each["gateway"] for each in found if each.get("dev", "") == NAME}


def assert_whole() -> None:
    [link] = ip("link", "show", "dev", NAME)
    data = link["linkinfo"]["info_data"]
    assert (link["address"], link["mtu"], link["ifalias"]) == (MAC, 1450, tunnels.MARK)
    assert "UP" in link["flags"]
    assert (data["id"], data["port"], data["local"], data["learning"]) == (
        79,
        4789,
        "192.168.0.1",
        False,
    )
    assert addresses(NAME) == {"10.244.1.0/32", "fd00:244:1::/128"}
    assert forwardings() == {TWO: "192.168.0.2", THREE: "192.168.1.3"}
    assert neighbours() == {"10.244.2.0": TWO, "10.244.3.0": THREE, "fd00:244:2::": TWO}
    assert gateways() == {
        "10.244.2.0/24": "10.244.2.0",
        "10.244.3.0/24": "10.244.3.0",
        "fd00:244:2::/64": "fd00:244:2::",
    }


def test_a_tunnel_appears_once_and_then_nothing_is_left_to_do() -> None:
    underlay()
    assert "made tunnel dari.vxlan" in sync().mended
    assert_whole()
    assert sync() == Outcome()
    assert not [
        each
        for each in ip("address", "show", "dev", NAME)[0]["addr_info"]
        if each["scope"] == "link"
    ]


DAMAGE = [
    f"link set {NAME} down",
    f"link set {NAME} mtu 1300",
    f"link set {NAME} address 0a:00:00:00:00:99",
    f"link set {NAME} alias something",
    f"link set {NAME} type vxlan local 192.168.0.77 learning",
    f"link delete {NAME}",
    f"address flush dev {NAME}",
    f"address add 10.9.9.9/32 dev {NAME}",
    f"neighbour flush dev {NAME} nud permanent",
    f"neighbour change 10.244.2.0 lladdr {THREE} dev {NAME}",
    f"neighbour add 10.244.9.0 lladdr {THREE} dev {NAME}",
    "route flush proto 79",
    f"route add 10.244.9.0/24 via 10.244.9.0 dev {NAME} onlink",
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_mended_and_told(damage: str) -> None:
    underlay()
    sync()
    run("ip", *damage.split())
    told = sync()
    assert_whole()
    assert told.failures == ()
    assert told.mended or "alias" in damage or "down" in damage
    assert sync() == Outcome()


@pytest.mark.parametrize(
    "damage",
    [
        f"delete {TWO} dev {NAME} dst 192.168.0.2",
        f"replace {TWO} dev {NAME} dst 192.168.0.9",
        f"append {TWO} dev {NAME} dst 192.168.0.9",
        f"append 0a:00:00:00:00:99 dev {NAME} dst 192.168.0.9",
    ],
)
def test_damaged_forwarding_is_mended(damage: str) -> None:
    underlay()
    sync()
    run("bridge", "fdb", *damage.split())
    assert sync().failures == ()
    assert_whole()
    assert sync() == Outcome()


@pytest.mark.parametrize(
    "other", ["id 80 dstport 4789", "id 79 dstport 8472", "id 79 dstport 4789 l3miss"]
)
def test_a_device_that_cannot_be_changed_is_made_anew(other: str) -> None:
    underlay()
    run("ip", "link", "add", NAME, "type", "vxlan", *other.split(), "local", "192.168.0.1")
    assert "deleted tunnel dari.vxlan, which" in sync().mended[0]
    assert_whole()


def test_a_link_of_another_kind_is_left_and_told_of() -> None:
    underlay()
    run("ip", "link", "add", NAME, "type", "bridge")
    (failure,) = sync().failures
    assert failure == ("tunnel dari.vxlan: there is a link of this name, a bridge; remove it")
    assert ip("link", "show", "dev", NAME)[0]["linkinfo"]["info_kind"] == "bridge"


def test_pain_8_a_node_back_with_another_mac_and_address_is_followed() -> None:
    underlay()
    sync()
    new = [
        each.replace(mac="0a:58:00:00:00:22", address=ip_address("192.168.0.22"))
        if each.mac == TWO
        else each
        for each in REMOTES
    ]
    assert sync(remotes=new).failures == ()
    assert forwardings() == {"0a:58:00:00:00:22": "192.168.0.22", THREE: "192.168.1.3"}
    assert neighbours()["10.244.2.0"] == "0a:58:00:00:00:22"


def test_pain_7_what_led_to_nodes_that_went_is_removed_and_so_is_a_tunnel_with_daris_mark() -> None:
    underlay()
    link("add flannel.1 type vxlan id 1 dstport 8472 local 192.168.0.1")
    sync()
    sync(remotes=REMOTES[:2])
    assert forwardings() == {TWO: "192.168.0.2"}
    assert set(gateways()) == {"10.244.2.0/24", "fd00:244:2::/64"}
    assert sync(want=(), remotes=()).mended[-1] == "deleted tunnel dari.vxlan"
    assert ip("link", "show", "dev", "flannel.1"), "what has no mark stays"


def test_pain_12_checksums_are_not_left_to_the_hardware_where_told_so() -> None:
    underlay()
    sync([TUNNEL.replace(offload=False)])
    assert "tx-checksumming: off" in run("ethtool", "--show-offload", NAME)
    assert sync([TUNNEL.replace(offload=False)]) == Outcome()
    run("ethtool", "--offload", NAME, "tx", "on")
    assert sync([TUNNEL.replace(offload=False)]).mended


def test_routes_that_flannel_left_get_daris_mark_where_they_stand_and_stale_ones_go() -> None:
    underlay()
    options = "id 1 dstport 8472 local 192.168.0.1 dev eth0 nolearning"
    link(f"add flannel.1 address {MAC} mtu 1450 type vxlan {options}")
    link("set flannel.1 up")
    run("ip", "address", "add", "10.244.1.0/32", "dev", "flannel.1")
    for network in ("10.244.2.0", "10.244.9.0"):
        run("ip", "route", "add", f"{network}/24", "via", network, "dev", "flannel.1", "onlink")
    events = subprocess.Popen(["ip", "monitor", "route"], stdout=subprocess.PIPE, text=True)
    try:
        index = ip("link", "show", "dev", "flannel.1")[0]["ifindex"]
        want = TUNNEL.replace(
            name="flannel.1", vni=1, port=8472, addresses=(ip_interface("10.244.1.0/32"),)
        )
        remote = REMOTES[0].replace(tunnel="flannel.1")
        assert sync([want], [remote]).failures == ()
    finally:
        events.terminate()
        told, _ = events.communicate()
    assert ip("link", "show", "dev", "flannel.1")[0]["ifindex"] == index
    assert "Deleted 10.244.2.0/24" not in told, "packets under way would have lost their way"
    [route] = ip("route", "show", "proto", "79")
    assert (route["dst"], route["gateway"]) == ("10.244.2.0/24", "10.244.2.0")
    assert ip("route", "show", "10.244.9.0/24") == []


def test_thousands_of_peers_go_in_batches() -> None:
    underlay()
    many = [
        Remote(
            tunnel=NAME,
            network=ip_network(f"10.{a}.{b}.0/24"),
            mac=f"0a:00:00:00:{a:02x}:{b:02x}",
            address=ip_address(f"172.16.{a}.{b}"),
        )
        for a in range(8)
        for b in range(250)
    ]
    assert "added 4000 neighbours and forwardings, removed 0" in sync(remotes=many).mended
    assert sync(remotes=many) == Outcome()
    assert len(gateways()) == 2000

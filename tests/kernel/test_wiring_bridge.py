"""Types `bridge` and `dari` on the real kernel, seen through `ip -json`."""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from dari.addr import solicited_node_of
from dari.errors import (
    BadConfig,
    BadEnvironment,
    BadNamespace,
    CheckFailed,
    DariError,
    KernelRefused,
    NotAvailable,
    UnsupportedField,
)
from dari.netlink.namespace import Namespace
from dari.wiring.names import host_end
from dari.wiring.registry import plugin
from tests.support.calling import add, check, delete, host
from tests.support.calls import NOTES_CONF, call
from tests.support.isolation import add_namespace
from tests.support.kernel import addresses, ip, links, reaches, run
from tests.support.waiting import wait_until

LEASES = Path("/var/lib/cni/networks/mynet")
BOTH_FAMILIES: dict[str, object] = {
    **NOTES_CONF,
    "isDefaultGateway": True,
    "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "10.22.0.0/16"}], [{"subnet": "fd00:22::/64"}]],
    },
}


def lease_files() -> set[str]:
    if not LEASES.exists():
        return set()
    return {each.name for each in LEASES.iterdir() if each.name[0].isdigit() or ":" in each.name}


def nothing_left() -> bool:
    return not links("dari") and not lease_files()


def test_the_notes_configuration_wires_a_pod() -> None:
    result = add(NOTES_CONF)
    assert [each.name for each in result.interfaces][0::2] == ["cni0", "eth0"]
    assert result.ips[0].address == ip_interface("10.22.0.2/16")
    assert result.ips[0].gateway == ip_address("10.22.0.1")
    assert addresses("cni0") == {"10.22.0.1/16"}
    assert addresses("eth0", "c1") == {"10.22.0.2/16"}
    [default] = ip("route", "show", "default", namespace="c1")
    assert default["gateway"] == "10.22.0.1"
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"
    assert reaches("10.22.0.1", "c1")
    [end] = ip("link", "show", "dev", "eth0", namespace="c1")
    assert end["address"] == result.interfaces[2].mac == "0a:58:0a:16:00:02"
    [outside] = ip("link", "show", "dev", result.interfaces[1].name)
    assert outside["ifalias"] == "dari mynet c1 eth0"
    assert outside["master"] == "cni0"


def test_two_pods_reach_each_other_in_both_families() -> None:
    add(BOTH_FAMILIES, "a")
    second = add(BOTH_FAMILIES, "b")
    assert addresses("eth0", "b") == {"10.22.0.3/16", "fd00:22::3/64"}
    assert [str(route.dst) for route in second.routes] == ["0.0.0.0/0", "::/0"]
    for target in ("10.22.0.3", "fd00:22::3", "10.22.0.1", "fd00:22::1"):
        assert reaches(target, "a"), target
    assert Path("/proc/sys/net/ipv6/conf/all/forwarding").read_text().strip() == "1"


def test_pain_19_no_start_waits_for_duplicate_address_detection() -> None:
    add(BOTH_FAMILIES)
    [found] = ip("address", "show", "dev", "eth0", namespace="c1")
    flags = [each for each in found["addr_info"] if each.get("tentative")]
    assert flags == []
    assert {each["scope"] for each in found["addr_info"]} == {"global", "link"}


def test_pain_19_a_pod_hears_at_once_who_asks_for_its_ipv6_address() -> None:
    """The kernel joins the group in which neighbours ask in its background work, later.

    A kernel that takes a second for it is not waited for: neighbours ask again after that.
    """
    heard = 0
    for number in range(30):
        began = time.monotonic()
        result = add(BOTH_FAMILIES, f"c{number}")
        if time.monotonic() - began > 1:
            continue
        [six] = [each.address.ip for each in result.ips if each.address.version == 6]
        group = solicited_node_of(six).packed.hex()
        with Namespace.open(f"/run/netns/c{number}") as namespace:
            assert group in namespace.run(Path("/proc/thread-self/net/igmp6").read_text)
        heard += 1
    assert heard


def test_enabledad_leaves_detection_to_the_kernel() -> None:
    add({**BOTH_FAMILIES, "enabledad": True})
    [found] = ip("address", "show", "dev", "eth0", namespace="c1")
    [six] = [each for each in found["addr_info"] if each["local"] == "fd00:22::2"]
    assert not six.get("nodad")


def test_a_sandbox_without_ipv6_gets_it_where_an_address_needs_it() -> None:
    add_namespace("c1")
    run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", namespace="c1")
    add(BOTH_FAMILIES)
    assert "fd00:22::2/64" in addresses("eth0", "c1")


def test_the_bridges_mac_is_pinned() -> None:
    add(NOTES_CONF, "a")
    [before] = ip("link", "show", "dev", "cni0")
    add(NOTES_CONF, "b")
    delete(NOTES_CONF, "a")
    [after] = ip("link", "show", "dev", "cni0")
    assert before["address"] == after["address"] == "0a:58:0a:16:00:01"


def test_the_pods_kernel_announces_what_changes_later() -> None:
    add(NOTES_CONF)
    value = run("cat", "/proc/sys/net/ipv4/conf/eth0/arp_notify", namespace="c1")
    assert value.strip() == "1"


def known_mac(target: str, namespace: str) -> str:
    """What a pod knows an address's MAC to be, without asking anew."""
    [entry] = ip("neigh", "show", target, namespace=namespace)
    return str(entry["lladdr"])


def test_whoever_knew_an_addresss_last_pod_knows_the_next_ones_mac() -> None:
    add(NOTES_CONF, "a", args={"IP": "10.22.0.9"})
    add(NOTES_CONF, "b")
    assert reaches("10.22.0.9", "b")
    delete(NOTES_CONF, "a")
    again = add(NOTES_CONF, "c", args={"IP": "10.22.0.9"})
    assert known_mac("10.22.0.9", "b") == again.interfaces[2].mac
    assert reaches("10.22.0.9", "b")


def test_a_mac_that_was_chosen_is_announced_to_whoever_knew_another() -> None:
    chosen = "0a:00:00:00:00:09"
    add(NOTES_CONF, "a", args={"IP": "10.22.0.9"})
    add(NOTES_CONF, "b")
    # An entry just learnt is not overwritten for a second (LOCKTIME of the kernel's ARP).
    run("sysctl", "-qw", "net.ipv4.neigh.eth0.locktime=0", namespace="b")
    assert reaches("10.22.0.9", "b")
    delete(NOTES_CONF, "a")
    add(NOTES_CONF, "c", args={"IP": "10.22.0.9", "MAC": chosen})
    wait_until(lambda: known_mac("10.22.0.9", "b") == chosen)


def test_what_leaves_the_pod_network_is_masqueraded_and_nothing_else() -> None:
    add(NOTES_CONF)
    table = run("nft", "list", "table", "inet", "dari")
    assert table.count("10.22.0.0/16") == 2
    without = {
        **NOTES_CONF,
        "name": "plain",
        "ipMasq": False,
        "bridge": "br9",
        "ipam": {"type": "host-local", "subnet": "10.99.0.0/24"},
    }
    add(without, "b")
    assert "10.99" not in run("nft", "list", "table", "inet", "dari")


def test_del_leaves_nothing_and_may_come_twice() -> None:
    add(NOTES_CONF)
    delete(NOTES_CONF)
    assert nothing_left()
    assert "eth0" not in links(namespace="c1")
    delete(NOTES_CONF)


@pytest.mark.parametrize("netns", ["", "/run/netns/gone"])
def test_pain_3_del_without_a_namespace_leaves_nothing(netns: str) -> None:
    add(NOTES_CONF)
    delete(NOTES_CONF, netns=netns)
    assert nothing_left()


def test_del_works_without_interface_bridge_or_lease() -> None:
    add(NOTES_CONF)
    run("ip", "link", "del", "cni0")
    run("ip", "link", "del", "eth0", namespace="c1")
    for file in LEASES.iterdir():
        file.unlink()
    delete(NOTES_CONF)
    assert nothing_left()
    delete(NOTES_CONF, "never-there", netns="")


def test_an_old_containers_del_leaves_the_new_one_alone() -> None:
    add(NOTES_CONF, "old")
    delete(NOTES_CONF, "old", netns="")
    path = add_namespace("shared")
    with host() as node:
        plugin("bridge").add(call("ADD", NOTES_CONF, "new", path), node)
        plugin("bridge").delete(call("DEL", NOTES_CONF, "old", path), node)
    assert addresses("eth0", "shared") == {"10.22.0.3/16"}
    assert lease_files() == {"10.22.0.3"}


def test_an_interface_that_exists_is_refused_and_keeps_its_lease() -> None:
    add(NOTES_CONF)
    with pytest.raises(BadEnvironment) as caught:
        add(NOTES_CONF)
    assert "eth0 already exists" in caught.value.message
    assert lease_files() == {"10.22.0.2"}
    assert reaches("10.22.0.1", "c1")


def test_an_interface_of_another_program_is_refused_and_left() -> None:
    add_namespace("c1")
    run("ip", "link", "add", "eth0", "type", "bridge", namespace="c1")
    with pytest.raises(BadEnvironment):
        add(NOTES_CONF)
    delete(NOTES_CONF)
    assert "eth0" in links(namespace="c1")


def test_what_a_killed_add_left_is_cleared_by_the_next() -> None:
    path = add_namespace("c1")
    half_done = host_end(call("ADD", NOTES_CONF).owner)
    run("ip", "link", "add", half_done, "type", "veth", "peer", "eth0", "netns", "c1")
    result = add(NOTES_CONF)
    assert result.interfaces[1].name == half_done
    assert addresses("eth0", "c1") == {"10.22.0.2/16"}
    assert path == result.interfaces[2].sandbox


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"bridge": "a/b"}, BadConfig),
        ({"bridge": "much-too-long-a-name"}, BadConfig),
        ({"bridge": 5}, BadConfig),
        ({"mtu": -1}, BadConfig),
        ({"mtu": "1500"}, BadConfig),
        ({"isGateway": "yes"}, BadConfig),
        ({"hairpinMode": True, "promiscMode": True}, BadConfig),
        ({"agent": "maybe"}, BadConfig),
        ({"runtimeConfig": {"mac": "01:00:5e:00:00:01"}}, BadConfig),
        ({"args": {"cni": {"mac": "nonsense"}}}, BadConfig),
        ({"vlan": 7}, UnsupportedField),
        ({"ipam": {"type": "host-local"}}, BadConfig),
        ({"ipam": {"type": "nowhere"}}, BadConfig),
        ({"ipam": {"subnet": "10.22.0.0/16"}}, BadConfig),
        ({"mtu": 20}, KernelRefused),
    ],
)
def test_a_failing_add_changes_nothing(change: dict[str, object], error: type[DariError]) -> None:
    with pytest.raises(error):
        add({**NOTES_CONF, **change})
    assert nothing_left()
    assert "eth0" not in links(namespace="c1")


def test_a_namespace_that_is_none_is_refused() -> None:
    Path("/run/netns/file").write_text("")
    with pytest.raises(BadNamespace):
        add(NOTES_CONF, "file")
    assert not links("cni")
    assert nothing_left()


@pytest.mark.parametrize(
    ("conf", "args", "expected"),
    [
        ({}, {"MAC": "0a:00:00:00:00:01"}, "0a:00:00:00:00:01"),
        (
            {"args": {"cni": {"mac": "0a:00:00:00:00:02"}}},
            {"MAC": "0a:00:00:00:00:01"},
            "0a:00:00:00:00:02",
        ),
        (
            {
                "runtimeConfig": {"mac": "0A:00:00:00:00:03"},
                "args": {"cni": {"mac": "0a:00:00:00:00:02"}},
            },
            {},
            "0a:00:00:00:00:03",
        ),
    ],
)
def test_a_mac_may_be_asked_for_in_three_ways(
    conf: dict[str, object], args: dict[str, str], expected: str
) -> None:
    result = add({**NOTES_CONF, **conf}, args=args)
    [end] = ip("link", "show", "dev", "eth0", namespace="c1")
    assert result.interfaces[2].mac == end["address"] == expected


def test_an_address_may_be_asked_for() -> None:
    result = add(NOTES_CONF, args={"IP": "10.22.7.7"})
    assert addresses("eth0", "c1") == {"10.22.7.7/16"}
    assert result.ips[0].address.ip == ip_address("10.22.7.7")


def test_a_container_id_longer_than_an_alias_still_gets_its_pod() -> None:
    container = "c" * 300
    path = add_namespace("c1")
    with host() as node:
        plugin("bridge").add(call("ADD", NOTES_CONF, container, path), node)
        [name] = links("dari")
        plugin("bridge").delete(call("DEL", NOTES_CONF, container, path), node)
    assert name == host_end(call("ADD", NOTES_CONF, container).owner)
    assert nothing_left()


def test_layer_2_only() -> None:
    conf = {key: value for key, value in NOTES_CONF.items() if key != "ipam"}
    result = add({**conf, "isGateway": False, "ipMasq": False})
    assert result.ips == ()
    assert addresses("eth0", "c1") == set()
    [end] = ip("link", "show", "dev", "eth0", namespace="c1")
    assert "UP" in end["flags"]


@pytest.mark.parametrize(
    ("key", "shown"), [("hairpinMode", "hairpin"), ("portIsolation", "isolated")]
)
def test_port_options(key: str, shown: str) -> None:
    result = add({**NOTES_CONF, key: True})
    [end] = ip("link", "show", "dev", result.interfaces[1].name)
    assert end["linkinfo"]["info_slave_data"][shown] is True


def test_promiscuous_mode_and_mtu() -> None:
    add({**NOTES_CONF, "promiscMode": True, "mtu": 1400})
    [bridge] = ip("link", "show", "dev", "cni0")
    assert bridge["promiscuity"] >= 1
    assert bridge["mtu"] == 1400
    [end] = ip("link", "show", "dev", "eth0", namespace="c1")
    assert end["mtu"] == 1400


def test_pain_17_an_address_in_the_way_is_named_and_forced_away_only_on_demand() -> None:
    run("ip", "link", "add", "cni0", "type", "bridge")
    run("ip", "address", "add", "10.22.5.1/16", "dev", "cni0")
    with pytest.raises(BadConfig) as caught:
        add(NOTES_CONF)
    assert "cni0 already has 10.22.5.1/16" in caught.value.message
    assert "ip address del" in caught.value.details
    add({**NOTES_CONF, "forceAddress": True})
    assert addresses("cni0") == {"10.22.0.1/16"}


def test_a_bridge_that_is_none_is_named() -> None:
    run("ip", "link", "add", "cni0", "type", "veth", "peer", "other")
    with pytest.raises(BadConfig) as caught:
        add(NOTES_CONF)
    assert "cni0 exists and is no bridge (veth)" in caught.value.message


def test_type_dari_makes_the_node_the_default_gateway_and_forgets_leases_with_the_boot() -> None:
    conf: dict[str, object] = {
        "cniVersion": "1.1.0",
        "name": "dari",
        "type": "dari",
        "ipam": {"type": "host-local", "subnet": "10.244.3.0/24"},
    }
    result = add(conf)
    assert str(result.routes[0].dst) == "0.0.0.0/0"
    assert reaches("10.244.3.1", "c1")
    assert Path("/run/dari/leases/dari/10.244.3.2").exists()
    assert not Path("/var/lib/cni/networks").exists()


DAMAGE = {
    "address": ("ip -n c1 address del 10.22.0.2/16 dev eth0", "lacks its address 10.22.0.2/16"),
    "route": ("ip -n c1 route del default", "lacks its route 0.0.0.0/0 via 10.22.0.1"),
    "pod link down": ("ip -n c1 link set eth0 down", "eth0 in the pod is down"),
    "pod link gone": ("ip -n c1 link del eth0", "eth0 is missing in the pod"),
    "mac": ("ip -n c1 link set eth0 address 0a:00:00:00:00:99", "has MAC 0a:00:00:00:00:99"),
    "bridge gone": ("ip link del cni0", "the bridge cni0 is missing"),
    "bridge down": ("ip link set cni0 down", "the bridge cni0 is down"),
    "gateway": ("ip address flush dev cni0", "lacks the gateway address 10.22.0.1/16"),
    "off the bridge": ("ip link set {end} nomaster", "is not on the bridge cni0"),
    "host end down": ("ip link set {end} down", "is down"),
    "hairpin": ("bridge link set dev {end} hairpin on", "hairpin mode of"),
    "forwarding": ("sysctl -qw net.ipv4.ip_forward=0", "forwarding is off"),
    "masquerade": ("nft delete table inet dari", "table inet dari is missing"),
    "lease": ("rm /var/lib/cni/networks/mynet/10.22.0.2", "10.22.0.2"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_check_finds_each_kind_of_damage_and_names_it(kind: str) -> None:
    result = add(NOTES_CONF)
    check(NOTES_CONF, result)
    command, expected = DAMAGE[kind]
    run(*command.format(end=result.interfaces[1].name).split())
    with pytest.raises(CheckFailed) as caught:
        check(NOTES_CONF, result)
    assert expected in f"{caught.value.message}; {caught.value.details}"


def test_check_finds_that_a_port_is_not_isolated_any_more() -> None:
    conf = {**NOTES_CONF, "portIsolation": True}
    result = add(conf)
    check(conf, result)
    run("bridge", "link", "set", "dev", result.interfaces[1].name, "isolated", "off")
    with pytest.raises(CheckFailed, match="isolation of"):
        check(conf, result)


def test_check_tolerates_what_a_later_plugin_changed() -> None:
    result = add(NOTES_CONF)
    run("bridge", "link", "set", "dev", result.interfaces[1].name, "isolated", "on")
    run("ip", "link", "set", "eth0", "mtu", "1300", namespace="c1")
    run("ip", "address", "add", "192.0.2.5/24", "dev", "eth0", namespace="c1")
    run("ip", "route", "add", "192.0.2.128/25", "dev", "eth0", namespace="c1")
    check(NOTES_CONF, result)


def collect(conf: dict[str, object], valid: list[str]) -> None:
    with host() as node:
        plugin(str(conf["type"])).collect(call("GC", conf, valid=valid), node)


def test_pain_2_gc_removes_what_no_valid_attachment_holds() -> None:
    other = {
        **NOTES_CONF,
        "name": "other",
        "ipam": {"type": "host-local", "subnet": "10.30.0.0/24"},
        "bridge": "br30",
    }
    for container in ("keep", "lost"):
        add(NOTES_CONF, container)
    add(other, "elsewhere")
    collect(NOTES_CONF, ["keep"])
    assert lease_files() == {"10.22.0.2"}
    assert set(links("dari")) == {
        host_end(call("ADD", NOTES_CONF, each).owner) for each in ("keep", "elsewhere")
    }
    assert reaches("10.22.0.1", "keep")


def test_gc_with_an_empty_list_removes_all_of_the_network() -> None:
    add(NOTES_CONF)
    collect(NOTES_CONF, [])
    assert nothing_left()
    assert "10.22" not in run("nft", "list", "ruleset")


def status(conf: dict[str, object]) -> None:
    with host() as node:
        plugin(str(conf["type"])).status(call("STATUS", conf), node)


def test_status_succeeds_when_an_add_would() -> None:
    status(NOTES_CONF)
    add(NOTES_CONF)
    status(NOTES_CONF)


def test_status_tells_that_no_address_is_free() -> None:
    small = {**NOTES_CONF, "ipam": {"type": "host-local", "subnet": "10.22.0.0/30"}}
    add(small)
    with pytest.raises(NotAvailable):
        status(small)


def test_pain_14_status_and_add_say_that_the_required_agent_is_absent() -> None:
    conf = {**NOTES_CONF, "agent": "required"}
    for verb in (status, add):
        with pytest.raises(NotAvailable) as caught:
            verb(conf)
        assert "/run/dari/agent.sock" in caught.value.message
        assert "dari agent" in caught.value.details
    assert nothing_left()


def test_addresses_from_a_foreign_executable() -> None:
    Path("/opt/cni/bin").mkdir()
    Path("/opt/cni/bin/foreign").symlink_to("/usr/lib/cni/static")
    conf = {
        **NOTES_CONF,
        "cniVersion": "1.0.0",
        "ipam": {
            "type": "foreign",
            "addresses": [{"address": "10.22.4.4/16", "gateway": "10.22.0.1"}],
        },
    }
    result = add(conf)
    assert addresses("eth0", "c1") == {"10.22.4.4/16"}
    check(conf, result)
    delete(conf)
    assert nothing_left()

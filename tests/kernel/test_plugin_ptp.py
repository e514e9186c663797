"""Type `ptp` on the real kernel: beside Debian's, and alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given

from dari.errors import BadConfig, BadEnvironment, CheckFailed, DariError, KernelRefused
from dari.wiring.names import host_end
from dari.wiring.ptp import parse_ptp
from tests.support.calling import add, check, collect, delete, status
from tests.support.calls import call
from tests.support.hostile import junk_for
from tests.support.isolation import add_namespace
from tests.support.kernel import addresses, ip, links, reaches, run
from tests.support.pages import describes, examples
from tests.support.twins import Side, assert_alike, both

IPAM: dict[str, object] = {
    "type": "host-local",
    "ranges": [[{"subnet": "10.31.0.0/24"}], [{"subnet": "fd31::/64"}]],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}, {"dst": "192.0.2.0/24", "gw": "10.31.0.1"}],
}
CONF: dict[str, object] = {"cniVersion": "1.0.0", "name": "mynet", "type": "ptp", "ipam": IPAM}
LEASES = Path("/var/lib/cni/networks/mynet")
SMALL: dict[str, object] = {"type": "host-local", "subnet": "10.31.0.0/24"}


def leases() -> set[str]:
    if not LEASES.exists():
        return set()
    return {each.name for each in LEASES.iterdir() if each.name[0].isdigit() or ":" in each.name}


def nothing_left() -> bool:
    records = Path("/run/dari/attachments")
    recorded = records.exists() and any(records.iterdir())
    return not links("dari") and not leases() and not recorded


ALIKE: dict[str, dict[str, object]] = {
    "both families": {},
    "IPv4": {"ipam": SMALL},
    "mtu": {"mtu": 1400},
    "dns": {"dns": {"nameservers": ["9.9.9.9"]}},
    "a prefix of one": {
        "ipam": {
            "type": "static",
            "addresses": [{"address": "10.31.7.5/31", "gateway": "10.31.7.4"}],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
    },
    "version 0.4.0": {"cniVersion": "0.4.0"},
}


@pytest.mark.parametrize("case", ALIKE)
def test_answers_and_wires_as_the_reference_does(case: str) -> None:
    conf = {**CONF, **ALIKE[case]}

    def story(side: Side) -> object:
        answer = side.add("ptp", conf)
        wired = side.picture()
        side.call("ptp", "CHECK", {**conf, "prevResult": answer})
        side.call("ptp", "DEL", {**conf, "prevResult": answer})
        return side.result(answer), wired, side.picture()

    assert_alike(story)


@pytest.mark.parametrize("maker", ["theirs", "ours"])
def test_mixed_with_the_reference(maker: str) -> None:
    makes, ends = Side(ours=maker == "ours"), Side(ours=maker != "ours")
    answer = makes.add("ptp", {**CONF, "ipMasq": True})
    conf = {**CONF, "prevResult": answer}
    ends.call("ptp", "CHECK", conf)
    ends.call("ptp", "DEL", conf)
    assert links("dari") + links("veth") == []
    assert leases() == set()


def test_pods_and_node_reach_each_other_in_both_families() -> None:
    add(CONF, "a")
    second = add(CONF, "b")
    assert {str(each.address) for each in second.ips} == {"10.31.0.3/24", "fd31::3/64"}
    for target in ("10.31.0.3", "fd31::3", "10.31.0.1", "fd31::1"):
        assert reaches(target, "a"), target
    for target in ("10.31.0.2", "fd31::2"):
        assert reaches(target), target


def test_the_host_end_has_the_names_of_all_cables() -> None:
    result = add(CONF)
    [end] = ip("link", "show", "dev", result.interfaces[0].name)
    assert end["ifname"] == host_end(call("ADD", CONF).owner)
    assert end["ifalias"] == "dari mynet c1 eth0"
    assert result.interfaces[1].mac == "0a:58:0a:1f:00:02"
    assert addresses(end["ifname"]) == {"10.31.0.1/32", "fd31::1/128"}


def test_what_leaves_is_masqueraded_on_demand_alone() -> None:
    add(CONF, "a")
    assert "10.31" not in run("nft", "list", "ruleset")
    add({**CONF, "ipMasq": True, "ipMasqBackend": "nftables"}, "b")
    assert run("nft", "list", "table", "inet", "dari").count("10.31.0.0/24") == 2


def test_pain_19_no_start_waits_for_duplicate_address_detection() -> None:
    add(CONF)
    for namespace in ("", "c1"):
        found = ip("address", "show", "scope", "global", namespace=namespace)
        assert not [each for link in found for each in link["addr_info"] if each.get("tentative")]


@pytest.mark.parametrize("netns", ["", "/run/netns/gone", "/run/netns/c1"])
def test_pain_3_del_leaves_nothing_and_may_come_twice(netns: str) -> None:
    add(CONF)
    for _ in range(2):
        delete(CONF, netns=netns)
        assert nothing_left()
    assert "eth0" not in links(namespace="c1")


def test_del_works_where_all_is_gone() -> None:
    add(CONF)
    run("ip", "link", "del", "eth0", namespace="c1")
    for file in LEASES.iterdir():
        file.unlink()
    delete(CONF)
    delete(CONF, "never-there", netns="")
    assert nothing_left()


def test_an_old_containers_del_leaves_the_new_one_alone() -> None:
    path = add_namespace("shared")
    add(CONF, "new", netns=path)
    delete(CONF, "old", path)
    assert reaches("10.31.0.1", "shared")
    assert leases() == {"10.31.0.2", "fd31::2"}


def test_an_interface_that_exists_is_refused() -> None:
    add(CONF)
    with pytest.raises(BadEnvironment):
        add(CONF)
    assert leases() == {"10.31.0.2", "fd31::2"}
    assert reaches("10.31.0.1", "c1")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"mtu": -1}, BadConfig),
        ({"mtu": "1500"}, BadConfig),
        ({"ipMasq": "yes"}, BadConfig),
        ({"ipMasqBackend": "pf"}, BadConfig),
        ({"ipam": {}}, BadConfig),
        ({"ipam": {"type": "host-local"}}, BadConfig),
        ({"ipam": {"type": "static"}}, BadConfig),
        ({"ipam": {"type": "static", "addresses": [{"address": "10.1.0.5/24"}]}}, BadConfig),
        (
            {
                "ipam": {
                    "type": "static",
                    "addresses": [{"address": "10.1.0.5/24", "gateway": "10.1.0.5"}],
                }
            },
            BadConfig,
        ),
        ({"mtu": 20}, KernelRefused),
        (
            {"ipam": {**SMALL, "routes": [{"dst": "10.9.0.0/16", "table": 2**32 - 1}] * 2}},
            DariError,
        ),
    ],
)
def test_a_failing_add_changes_nothing(change: dict[str, object], error: type[DariError]) -> None:
    add_namespace("c1")
    with pytest.raises(error):
        add({**CONF, **change})
    assert nothing_left()
    assert "eth0" not in links(namespace="c1")


@given(junk_for("mtu", "ipMasq", "ipMasqBackend"))
def test_a_hostile_configuration_is_bad_config(junk: dict[str, object]) -> None:
    with suppress(BadConfig):
        parse_ptp(call("ADD", {**CONF, **junk}))


DAMAGE = {
    "pod address": ("ip -n c1 address del 10.31.0.2/24 dev eth0", "lacks its address 10.31.0.2"),
    "default route": ("ip -n c1 route del default", "lacks its route 0.0.0.0/0"),
    "gateway route": ("ip -n c1 route del 10.31.0.1", "lacks its route 10.31.0.1/32"),
    "network route": ("ip -n c1 route del 10.31.0.0/24", "lacks its route 10.31.0.0/24"),
    "pod link down": ("ip -n c1 link set eth0 down", "eth0 in the pod is down"),
    "pod link gone": ("ip -n c1 link del eth0", "eth0 is missing in the pod"),
    "mac": ("ip -n c1 link set eth0 address 0a:00:00:00:00:99", "has MAC 0a:00:00:00:00:99"),
    "gateway": ("ip address del 10.31.0.1/32 dev {end}", "lacks the gateway address 10.31.0.1/32"),
    "node route": ("ip route del 10.31.0.2", "lacks its route to the pod, 10.31.0.2/32"),
    "node route, IPv6": ("ip -6 route del fd31::2", "lacks its route to the pod, fd31::2/128"),
    "host end down": ("ip link set {end} down", "host end"),
    "forwarding": ("sysctl -qw net.ipv4.ip_forward=0", "forwarding is off"),
    "masquerade": ("nft delete table inet dari", "table inet dari is missing"),
    "lease": ("rm /var/lib/cni/networks/mynet/10.31.0.2", "10.31.0.2"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_check_finds_each_kind_of_damage_and_names_it(kind: str) -> None:
    conf = {**CONF, "ipMasq": True}
    result = add(conf)
    check(conf, result)
    command, expected = DAMAGE[kind]
    run(*command.format(end=result.interfaces[0].name).split())
    with pytest.raises(CheckFailed) as caught:
        check(conf, result)
    assert expected in f"{caught.value.message}; {caught.value.details}"


def test_check_needs_prevresult() -> None:
    add_namespace("c1")
    with pytest.raises(BadConfig):
        check({**CONF, "ipam": {"type": "static"}}, None)


def test_pain_2_gc_removes_what_no_valid_attachment_holds() -> None:
    add(CONF, "keep")
    add(CONF, "lost")
    collect(CONF, ["keep"])
    assert leases() == {"10.31.0.2", "fd31::2"}
    assert links("dari") == [host_end(call("ADD", CONF, "keep").owner)]
    assert reaches("10.31.0.1", "keep")
    collect(CONF, [])
    assert nothing_left()


def test_status_succeeds_when_an_add_would() -> None:
    status(CONF)
    with pytest.raises(BadConfig):
        status({**CONF, "ipam": {}})


def test_the_pages_example_wires_a_pod() -> None:
    [conf] = examples("ptp")
    answer = Side(ours=True).add("ptp", conf)
    assert answer["ips"] == [{"address": "10.1.1.2/24", "gateway": "10.1.1.1", "interface": 1}]
    assert answer["dns"] == {"nameservers": ["10.1.1.1"]}
    assert reaches("10.1.1.1", "c1")


@pytest.mark.parametrize("key", ["ipMasq", "ipMasqBackend", "mtu", "ipam", "dns"])
def test_the_page_names_every_key(key: str) -> None:
    assert describes("ptp", key)


def test_errors_are_alike_without_an_address() -> None:
    conf = {**CONF, "ipam": {"type": "static"}}

    def story(side: Side) -> int:
        return side.ask("ptp", "ADD", conf, netns=add_namespace("c1"))[0]

    assert both(story) == (1, 1)

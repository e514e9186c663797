"""Type `macvlan` on the real kernel: beside Debian's, and alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given

from dari.errors import (
    BadConfig,
    BadEnvironment,
    CheckFailed,
    DariError,
    KernelRefused,
    NotAvailable,
)
from dari.paths import Paths
from dari.wiring.macvlan import parse_macvlan_conf
from dari.wiring.records import Attachment, all_attachments
from dari.wiring.registry import plugin
from tests.support.calling import add, check, collect, delete, host
from tests.support.calls import call
from tests.support.hostile import junk_for
from tests.support.isolation import add_namespace
from tests.support.kernel import addresses, ip, links, reaches, run
from tests.support.pages import describes, examples
from tests.support.twins import Side, assert_alike

IPAM: dict[str, object] = {
    "type": "host-local",
    "ranges": [
        [{"subnet": "10.51.0.0/24", "rangeStart": "10.51.0.100"}],
        [{"subnet": "fd51::/64", "rangeStart": "fd51::100"}],
    ],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
}
CONF: dict[str, object] = {
    "cniVersion": "1.0.0",
    "name": "mynet",
    "type": "macvlan",
    "master": "uplink",
    "ipam": IPAM,
}
LAYER_2 = {key: value for key, value in CONF.items() if key != "ipam"}
LEASES = Path("/var/lib/cni/networks/mynet")


def uplink() -> None:
    """A link of the node's that leads to another machine, 10.51.0.1, the default gateway."""
    add_namespace("outside")
    run("ip", "link", "add", "uplink", "type", "veth", "peer", "eth0", "netns", "outside")
    run("ip", "address", "add", "10.51.0.2/24", "dev", "uplink")
    run("ip", "link", "set", "uplink", "up")
    for address in ("10.51.0.1/24", "fd51::1/64"):
        run("ip", "address", "add", address, "dev", "eth0", "nodad", namespace="outside")
    run("ip", "link", "set", "eth0", "up", namespace="outside")
    run("ip", "route", "add", "default", "via", "10.51.0.1")


def leases() -> set[str]:
    if not LEASES.exists():
        return set()
    return {each.name for each in LEASES.iterdir() if each.name[0].isdigit() or ":" in each.name}


def records() -> set[str]:
    found = all_attachments(Paths())
    return {each.owner.container_id for each in found if isinstance(each, Attachment)}


ALIKE: dict[str, tuple[dict[str, object], str]] = {
    "both families": (CONF, ""),
    "the default route's link": ({**CONF, "master": ""}, ""),
    "layer 2": (LAYER_2, ""),
    "layer 2, empty ipam": ({**LAYER_2, "ipam": {}}, ""),
    "mtu": ({**CONF, "mtu": 1400}, ""),
    "private": ({**CONF, "mode": "private"}, ""),
    "vepa": ({**CONF, "mode": "vepa"}, ""),
    "passthru": ({**CONF, "mode": "passthru"}, ""),
    "mac": ({**CONF, "mac": "0a:00:00:00:00:01"}, ""),
    "MAC": ({**CONF, "mac": "0a:00:00:00:00:01"}, "IgnoreUnknown=1;MAC=0a:00:00:00:00:02"),
    "runtime's mac": (
        {**CONF, "runtimeConfig": {"mac": "0a:00:00:00:00:01"}},
        "IgnoreUnknown=1;MAC=0a:00:00:00:00:02",
    ),
    "dns": ({**CONF, "dns": {"nameservers": ["9.9.9.9"]}}, ""),
    "version 0.4.0": ({**CONF, "cniVersion": "0.4.0"}, ""),
}
MACS = ("0a:00:00:00:00:01", "0a:00:00:00:00:02")


@pytest.mark.parametrize("case", ALIKE)
def test_answers_and_wires_as_the_reference_does(case: str) -> None:
    conf, args = ALIKE[case]

    def story(side: Side) -> object:
        uplink()
        answer = side.add("macvlan", conf, args=args)
        wired = side.picture(MACS)
        side.call("macvlan", "CHECK", {**conf, "prevResult": answer})
        side.call("macvlan", "DEL", {**conf, "prevResult": answer})
        return side.result(answer, MACS), wired, side.picture(MACS)

    assert_alike(story)


REFUSED: dict[str, dict[str, object]] = {
    "another mode": {"mode": "odd"},
    "no such master": {"master": "nope"},
    "a higher mtu": {"mtu": 9000},
    "a negative mtu": {"mtu": -1},
    "a multicast mac": {"mac": "01:00:5e:00:00:01"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_the_reference_refuses_and_changes_nothing(case: str) -> None:
    def story(side: Side) -> object:
        uplink()
        path = add_namespace("c1")
        status, answer = side.ask("macvlan", "ADD", {**CONF, **REFUSED[case]}, netns=path)
        assert not side.ours or answer["code"] == 7
        return status, side.picture(), leases()

    assert_alike(story)


@pytest.mark.parametrize("maker", ["theirs", "ours"])
def test_mixed_with_the_reference(maker: str) -> None:
    uplink()
    makes, ends = Side(ours=maker == "ours"), Side(ours=maker != "ours")
    answer = makes.add("macvlan", CONF)
    conf = {**CONF, "prevResult": answer}
    ends.call("macvlan", "CHECK", conf)
    ends.call("macvlan", "DEL", conf)
    assert "eth0" not in links(namespace="c1")
    assert leases() == set()


def test_pods_reach_each_other_and_the_outside() -> None:
    uplink()
    add(CONF, "a")
    second = add(CONF, "b")
    assert [str(each.address) for each in second.ips] == ["10.51.0.101/24", "fd51::101/64"]
    for target in ("10.51.0.101", "fd51::101", "10.51.0.1", "fd51::1"):
        assert reaches(target, "a"), target


def test_private_pods_reach_the_outside_alone() -> None:
    uplink()
    private = {**CONF, "mode": "private"}
    add(private, "a")
    add(private, "b")
    assert reaches("10.51.0.1", "a")
    assert not reaches("10.51.0.101", "a")


def test_the_link_tells_whose_it_is() -> None:
    uplink()
    result = add({**CONF, "bcqueuelen": 77})
    [shown] = ip("link", "show", "dev", "eth0", namespace="c1")
    assert shown["ifalias"] == "dari mynet c1 eth0"
    assert shown["linkinfo"]["info_data"]["bcqueuelen"] == 77
    assert result.interfaces[0].mac == shown["address"]
    assert records() == {"c1"}


def test_a_mac_may_be_asked_for_by_convention_too() -> None:
    uplink()
    conf = {**CONF, "args": {"cni": {"mac": "0A:00:00:00:00:03"}}}
    assert add(conf, args={"MAC": "0a:00:00:00:00:02"}).interfaces[0].mac == "0a:00:00:00:00:03"


def test_the_master_may_be_in_the_pod() -> None:
    add_namespace("c1")
    run("ip", "link", "add", "inner", "type", "bridge", namespace="c1")
    run("ip", "link", "set", "inner", "up", namespace="c1")
    conf = {**CONF, "master": "inner", "linkInContainer": True}
    result = add(conf)
    assert addresses("eth0", "c1") == {"10.51.0.100/24", "fd51::100/64"}
    check(conf, result)
    delete(conf)
    assert {*links(namespace="c1")} == {"lo", "inner"}


def test_pain_19_no_start_waits_for_duplicate_address_detection() -> None:
    uplink()
    add(CONF)
    [found] = ip("address", "show", "dev", "eth0", namespace="c1")
    assert not [each for each in found["addr_info"] if each.get("tentative")]


@pytest.mark.parametrize("netns", ["", "/run/netns/gone", "/run/netns/c1"])
def test_del_may_come_twice_and_without_a_namespace(netns: str) -> None:
    uplink()
    add(CONF)
    for _ in range(2):
        delete(CONF, netns=netns)
        assert leases() == set()
        assert records() == set()
    delete(CONF, "never-there", netns="")


def test_del_works_where_all_is_gone() -> None:
    uplink()
    add(CONF)
    run("ip", "link", "del", "eth0", namespace="c1")
    run("ip", "link", "del", "uplink")
    for file in LEASES.iterdir():
        file.unlink()
    delete(CONF)
    assert records() == set()


def test_an_old_containers_del_leaves_the_new_one_alone() -> None:
    uplink()
    path = add_namespace("shared")
    add(CONF, "new", netns=path)
    delete(CONF, "old", path)
    assert reaches("10.51.0.1", "shared")
    assert records() == {"new"}


def test_an_interface_of_another_program_is_refused_and_left() -> None:
    uplink()
    add_namespace("c1")
    run("ip", "link", "add", "eth0", "type", "bridge", namespace="c1")
    with pytest.raises(BadEnvironment):
        add(CONF)
    delete(CONF)
    assert "eth0" in links(namespace="c1")


def test_an_interface_that_exists_is_refused_and_keeps_its_lease() -> None:
    uplink()
    add(CONF)
    with pytest.raises(BadEnvironment):
        add(CONF)
    assert leases() == {"10.51.0.100", "fd51::100"}
    assert records() == {"c1"}


def test_what_a_killed_add_left_is_cleared_by_the_next() -> None:
    uplink()
    add(CONF)
    run("ip", "link", "set", "eth0", "alias", "", namespace="c1")
    result = add(CONF)
    check(CONF, result)
    assert leases() == {"10.51.0.100", "fd51::100"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ipam": {"type": "static"}}, BadConfig),  # the reference leaves its link there
        ({"master": "a/b"}, BadConfig),
        ({"master": 5}, BadConfig),
        ({"mtu": "1400"}, BadConfig),
        ({"linkInContainer": "yes"}, BadConfig),
        ({"bcqueuelen": -1}, BadConfig),
        ({"runtimeConfig": {"mac": "nonsense"}}, BadConfig),
        ({"master": "nope", "linkInContainer": True}, BadConfig),
        ({"mtu": 20}, KernelRefused),
    ],
)
def test_a_failing_add_changes_nothing(change: dict[str, object], error: type[DariError]) -> None:
    uplink()
    with pytest.raises(error):
        add({**CONF, **change})
    assert "eth0" not in links(namespace="c1")
    assert leases() == records() == set()


def test_without_a_default_route_a_master_must_be_named() -> None:
    with pytest.raises(BadConfig) as caught:
        add({**CONF, "master": ""})
    assert "no default route" in caught.value.message


@given(junk_for("master", "mode", "mtu", "mac", "linkInContainer", "bcqueuelen"))
def test_a_hostile_configuration_is_bad_config(junk: dict[str, object]) -> None:
    with suppress(BadConfig):
        parse_macvlan_conf(call("ADD", {**CONF, **junk}))


DAMAGE = {
    "address": ("ip -n c1 address del 10.51.0.100/24 dev eth0", "lacks its address 10.51.0.100"),
    "route": ("ip -n c1 route del default", "lacks its route 0.0.0.0/0 via 10.51.0.1"),
    "link down": ("ip -n c1 link set eth0 down", "eth0 in the pod is down"),
    "link gone": ("ip -n c1 link del eth0", "eth0 is missing in the pod"),
    "mac": ("ip -n c1 link set eth0 address 0a:00:00:00:00:99", "has MAC 0a:00:00:00:00:99"),
    "mode": ("ip -n c1 link set eth0 type macvlan mode vepa", "has mode vepa, not bridge"),
    "bcqueuelen": ("ip -n c1 link set eth0 type macvlan bcqueuelen 5", "has bcqueuelen 5, not 77"),
    "master": ("ip link set uplink name renamed", "is not on uplink"),
    "lease": ("rm /var/lib/cni/networks/mynet/10.51.0.100", "10.51.0.100"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_check_finds_each_kind_of_damage_and_names_it(kind: str) -> None:
    uplink()
    conf = {**CONF, "bcqueuelen": 77}
    result = add(conf)
    check(conf, result)
    command, expected = DAMAGE[kind]
    if kind == "master":
        run("ip", "link", "set", "uplink", "down")
    run(*command.split())
    with pytest.raises(CheckFailed) as caught:
        check(conf, result)
    assert expected in f"{caught.value.message}; {caught.value.details}"


def test_check_tells_a_link_of_another_kind() -> None:
    uplink()
    result = add(LAYER_2)
    check(LAYER_2, result)
    run("ip", "link", "del", "eth0", namespace="c1")
    run("ip", "link", "add", "eth0", "type", "bridge", namespace="c1")
    with pytest.raises(CheckFailed) as caught:
        check(LAYER_2, result)
    assert "is no macvlan (bridge)" in caught.value.message


def test_pain_2_gc_removes_what_no_valid_attachment_holds() -> None:
    uplink()
    add(CONF, "keep")
    add(CONF, "lost")
    add(CONF, "ended")
    run("ip", "netns", "del", "ended")
    add({**LAYER_2, "name": "other"}, "elsewhere")
    collect(CONF, ["keep"])
    assert "eth0" not in links(namespace="lost")
    assert "eth0" in links(namespace="elsewhere")
    assert leases() == {"10.51.0.100", "fd51::100"}
    assert records() == {"keep", "elsewhere"}
    assert reaches("10.51.0.1", "keep")
    collect(CONF, [])
    assert "eth0" not in links(namespace="keep")
    assert leases() == set()


def test_status_succeeds_when_an_add_would() -> None:
    with host() as node:
        for conf in (CONF, {**CONF, "master": ""}):
            with pytest.raises(NotAvailable) as caught:
                plugin("macvlan").status(call("STATUS", conf), node)
            assert "master" in caught.value.message
        plugin("macvlan").status(call("STATUS", {**CONF, "linkInContainer": True}), node)
        uplink()
        plugin("macvlan").status(call("STATUS", CONF), node)
        plugin("macvlan").status(call("STATUS", {**CONF, "master": ""}), node)


def test_the_pages_example_wires_a_pod() -> None:
    uplink()
    [conf] = examples("macvlan")
    answer = Side(ours=True).add("macvlan", conf)
    assert answer["ips"][0]["address"] == "10.51.0.100/24"
    assert reaches("10.51.0.1", "c1")


@pytest.mark.parametrize(
    "key", ["master", "mode", "mtu", "mac", "linkInContainer", "bcqueuelen", "ipam", "dns"]
)
def test_the_page_names_every_key(key: str) -> None:
    assert describes("macvlan", key)

"""Type `tuning` on the real kernel: beside Debian's, and alone."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import (
    BadConfig,
    BadEnvironment,
    BadNamespace,
    CheckFailed,
    DariError,
    IOFailure,
    KernelRefused,
    NotFound,
)
from dari.model import Result
from dari.paths import Paths
from dari.wiring.records import Attachment, all_attachments
from dari.wiring.registry import plugin
from dari.wiring.settings import parse_tuning, setting_path
from tests.support.calling import add, collect, host, status, verb
from tests.support.calls import call
from tests.support.hostile import JUNK, junk_for
from tests.support.isolation import add_namespace
from tests.support.kernel import ip, links, run
from tests.support.pages import describes, examples
from tests.support.twins import Answer, Side, assert_alike

CONF: dict[str, object] = {"cniVersion": "1.1.0", "name": "mynet", "type": "tuning"}
MAC = "0a:00:00:00:00:77"
ALL: dict[str, object] = {
    **CONF,
    "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1", "net/core/somaxconn": "99"},
    "mac": MAC,
    "mtu": 1300,
    "promisc": True,
    "allmulti": True,
    "txQLen": 77,
}
PTP: dict[str, object] = {
    "cniVersion": "1.0.0",
    "name": "mynet",
    "type": "ptp",
    "ipam": {"type": "host-local", "subnet": "10.61.0.0/24"},
}
SAVED = Path("/run/cni/tuning/c1_eth0.json")


def joined(container: str = "c1") -> Result:
    """A pod that ptp has joined to the node."""
    return add(PTP, container)


def state(container: str = "c1") -> dict[str, object]:
    """All that tuning may have changed."""
    [link] = ip("link", "show", "dev", "eth0", namespace=container)
    keys = ("address", "mtu", "promiscuity", "allmulti", "txqlen")
    settings = ("net.core.somaxconn", "net.ipv4.conf.eth0.arp_filter")
    values = {each: run("sysctl", "-n", each, namespace=container).strip() for each in settings}
    return {**{key: link.get(key) for key in keys}, **values}


def records() -> list[str]:
    return [each.part for each in all_attachments(Paths()) if isinstance(each, Attachment)]


def allow(*lines: str) -> None:
    Path("/etc/cni/tuning").mkdir(parents=True, exist_ok=True)
    Path("/etc/cni/tuning/allowlist.conf").write_text("".join(f"{line}\n" for line in lines))


OWN_MAC: dict[str, object] = {"mac": "0a:00:00:00:00:01"}
ALIKE: dict[str, tuple[dict[str, object], str]] = {
    "mac": (OWN_MAC, ""),
    "CNI_ARGS before own": (OWN_MAC, "MAC=0a:00:00:00:00:02"),
    "runtimeConfig before CNI_ARGS": (
        {"runtimeConfig": {"mac": "0a:00:00:00:00:03"}},
        "MAC=0a:00:00:00:00:02",
    ),
    "args before runtimeConfig": (
        {
            "runtimeConfig": {"mac": "0a:00:00:00:00:03"},
            "args": {"cni": {"mac": "0a:00:00:00:00:04"}},
        },
        "MAC=0a:00:00:00:00:02",
    ),
    "mtu": ({"mtu": 1300}, ""),
    "promisc": ({"promisc": True}, ""),
    "no promisc": ({"promisc": False}, ""),
    "allmulti": ({"allmulti": True}, ""),
    "args before own": (
        {
            "mtu": 1400,
            "promisc": True,
            "sysctl": {"net.ipv4.conf.eth0.arp_filter": "1"},
            "args": {
                "cni": {
                    "mtu": 1300,
                    "promisc": False,
                    "allmulti": True,
                    "sysctl": {"net.core.somaxconn": "7"},
                }
            },
        },
        "",
    ),
    "settings with dots": ({"sysctl": {"net.core.somaxconn": "99"}}, ""),
    "settings with slashes": ({"sysctl": {"net/core/somaxconn": "99"}}, ""),
    "settings with both": ({"sysctl": {"net.ipv4.conf.IFNAME/arp_filter": "1"}}, ""),
    "IFNAME": ({"sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}}, ""),
    "nothing": ({}, ""),
}
MACS = tuple(f"0a:00:00:00:00:0{n}" for n in range(1, 5))


@pytest.mark.parametrize("case", ALIKE)
def test_answers_and_tunes_as_the_reference_does(case: str) -> None:
    change, args = ALIKE[case]
    conf = {**CONF, **change, "cniVersion": "1.0.0"}

    def story(side: Side) -> object:
        ptp = side.add("ptp", PTP)
        answer = side.add("tuning", {**conf, "prevResult": ptp}, args=args)
        tuned = side.picture(MACS)
        side.call("tuning", "DEL", {**conf, "prevResult": answer}, args=args)
        after = {} if "sysctl" in str(conf) else side.picture()  # theirs leaves settings
        return side.result(answer, MACS), tuned, after

    assert_alike(story)


REFUSED: dict[str, dict[str, object]] = {
    "another tree": {"sysctl": {"kernel.hostname": "x"}},
    "out of the tree": {"sysctl": {"net/../kernel/hostname": "x"}},
    "no such setting": {"sysctl": {"net.ipv4.conf.nope.arp_filter": "1"}},
    "a number": {"sysctl": {"net.core.somaxconn": 5}},
    "no mac": {"mac": "zz"},
    "mtu in words": {"mtu": "1500"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_the_reference_refuses_and_changes_nothing(case: str) -> None:
    def story(side: Side) -> object:
        ptp = side.add("ptp", PTP)
        conf = {**CONF, **REFUSED[case], "cniVersion": "1.0.0", "prevResult": ptp}
        status, answer = side.ask("tuning", "ADD", conf)
        assert not side.ours or answer["code"] in (5, 7)
        return status, side.picture()

    assert_alike(story)


@pytest.mark.parametrize("maker", ["theirs", "ours"])
def test_mixed_with_the_reference(maker: str) -> None:
    makes, ends = Side(ours=maker == "ours"), Side(ours=maker != "ours")
    ptp = makes.add("ptp", PTP)
    before = {key: value for key, value in state().items() if "net." not in key}
    conf = {**ALL, "cniVersion": "1.0.0", "sysctl": {}, "txQLen": None}
    answer = makes.add("tuning", {**conf, "prevResult": ptp})
    ends.call("tuning", "CHECK", {**conf, "prevResult": answer})
    ends.call("tuning", "DEL", {**conf, "prevResult": answer})
    assert {key: value for key, value in state().items() if "net." not in key} == before
    assert not SAVED.exists()


def test_everything_is_changed_and_put_back_exactly() -> None:
    previous = joined()
    before = state()
    result = verb("ADD", ALL, previous)
    assert state() == {
        "address": MAC,
        "mtu": 1300,
        "promiscuity": 1,
        "allmulti": 1,
        "txqlen": 77,
        "net.core.somaxconn": "99",
        "net.ipv4.conf.eth0.arp_filter": "1",
    }
    end = result.interfaces[1]
    assert (end.mac, end.mtu) == (MAC, 1300)
    assert result.interfaces[0] == previous.interfaces[0]
    assert (result.ips, result.routes) == (previous.ips, previous.routes)
    verb("CHECK", ALL, result)
    verb("DEL", ALL, result)
    assert state() == before
    assert not SAVED.exists()
    assert records() == [""]
    verb("DEL", ALL, result)


def test_modes_are_put_back_to_what_they_were() -> None:
    previous = joined()
    run("ip", "link", "set", "eth0", "promisc", "on", "allmulticast", "on", namespace="c1")
    conf = {**CONF, "promisc": True, "allmulti": False}
    verb("ADD", conf, previous)
    assert (state()["promiscuity"], state()["allmulti"]) == (1, 0)
    verb("DEL", conf)
    assert (state()["promiscuity"], state()["allmulti"]) == (1, 1)


def test_an_address_of_many_words_is_put_back() -> None:
    previous = joined()
    words = "4096\t99999\t5555555"
    conf = {**CONF, "sysctl": {"net.ipv4.tcp_rmem": "4096 99999 5555555"}}
    before = run("sysctl", "-n", "net.ipv4.tcp_rmem", namespace="c1")
    verb("CHECK", conf, verb("ADD", conf, previous))
    assert run("sysctl", "-n", "net.ipv4.tcp_rmem", namespace="c1").strip() == words
    verb("DEL", conf)
    assert run("sysctl", "-n", "net.ipv4.tcp_rmem", namespace="c1") == before


def test_a_setting_that_can_only_be_written() -> None:
    conf = {**CONF, "sysctl": {"net.ipv4.route.flush": "1"}}
    verb("CHECK", conf, verb("ADD", conf, joined()))
    verb("DEL", conf)


def test_an_interface_with_a_dot_in_its_name() -> None:
    path = add_namespace("c1")
    run("ip", "link", "add", "eth0.5", "type", "bridge", namespace="c1")
    conf = {
        **CONF,
        "sysctl": {
            "net.ipv4.conf.IFNAME.arp_filter": "1",
            "net/ipv4/conf/eth0.5/arp_announce": "2",
        },
    }
    with host() as node:
        request = call("ADD", conf, "c1", path, ifname="eth0.5", previous=Result())
        plugin("tuning").add(request, node)
    for key, value in (("arp_filter", "1"), ("arp_announce", "2")):
        found = run("cat", f"/proc/sys/net/ipv4/conf/eth0.5/{key}", namespace="c1")
        assert found.strip() == value


@pytest.mark.parametrize("netns", ["", "/run/netns/gone"])
def test_pain_3_del_without_a_namespace_leaves_nothing(netns: str) -> None:
    verb("ADD", ALL, joined())
    for _ in range(2):
        verb("DEL", ALL, netns=netns)
        assert not SAVED.exists()
        assert records() == [""]


@pytest.mark.parametrize(
    "content", ["", "{", '{"mtu": "x"}', '{"sysctl": {"net/../kernel/x": "1"}}']
)
def test_del_with_half_a_file_forgets_it(content: str) -> None:
    verb("ADD", ALL, joined())
    SAVED.write_text(content)
    verb("DEL", ALL)
    assert not SAVED.exists()
    assert records() == [""]


def test_del_where_the_interface_is_gone() -> None:
    verb("ADD", ALL, joined())
    run("ip", "link", "del", "eth0", namespace="c1")
    verb("DEL", ALL)
    assert run("sysctl", "-n", "net.core.somaxconn", namespace="c1").strip() != "99"
    assert records() == [""]


def test_an_old_containers_del_leaves_the_new_one_alone() -> None:
    verb("ADD", ALL, joined("old"), "old")
    new = joined("new")
    wanted = {**CONF, "mtu": 1350}
    verb("ADD", wanted, new, "new")
    verb("DEL", ALL, container="old", netns="/run/netns/new")
    assert state("new")["mtu"] == 1350
    verb("CHECK", wanted, new, "new")


def test_a_repeated_add_still_knows_what_was_there_before() -> None:
    previous = joined()
    before = state()
    verb("ADD", ALL, previous)
    verb("ADD", {**ALL, "mtu": 1200}, previous)
    assert state()["mtu"] == 1200
    verb("DEL", ALL)
    assert state() == before


def test_a_file_of_another_namespace_is_not_believed() -> None:
    SAVED.parent.mkdir(parents=True)
    SAVED.write_text(json.dumps({"mtu": 999, "mac": "0a:00:00:00:00:99"}))
    previous = joined()
    before = state()
    verb("ADD", ALL, previous)
    verb("DEL", ALL)
    assert state() == before


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sysctl": {"net.core.somaxconn": "5", "net/core/somaxconn": "6"}}, BadConfig),
        ({"sysctl": {"net//core/somaxconn": "5"}}, BadConfig),
        ({"sysctl": {"/net/core/somaxconn": "5"}}, BadConfig),
        ({"sysctl": {"net.ipv4.conf.eth0.../../../kernel/x": "5"}}, BadConfig),
        ({"sysctl": {"net": "5"}}, BadConfig),
        ({"sysctl": ["net.core.somaxconn"]}, BadConfig),
        ({"sysctl": {"net.core.somaxconn": "5\n6"}}, BadConfig),
        ({"sysctl": {"net.core.somaxconn": "many"}}, IOFailure),
        ({"sysctl": {"net.core.somaxconn": "50", "net.ipv4.conf.IFNAME.tag": "x"}}, IOFailure),
        ({"mac": "01:00:5e:00:00:01"}, BadConfig),
        ({"args": {"cni": {"mac": "zz"}}}, BadConfig),
        ({"txQLen": -1}, BadConfig),
        ({"allmulti": "yes"}, BadConfig),
        ({"dataDir": "relative"}, BadConfig),
        ({"dataDir": "/dev/null/folder"}, IOFailure),
        ({"mtu": 20}, KernelRefused),
    ],
)
def test_a_failing_add_changes_nothing(change: dict[str, object], error: type[DariError]) -> None:
    previous = joined()
    before = state()
    with pytest.raises(error):
        verb("ADD", {**ALL, **change}, previous)
    assert state() == before
    assert not SAVED.exists()
    assert records() == [""]
    verb("DEL", {**ALL, **change})


def test_an_interface_without_a_mac_is_given_none_and_stays_as_it_is() -> None:
    """The kernel would give lo a MAC, and then never let it go back to none."""
    request = call("ADD", ALL, "c1", "/run/netns/c1", ifname="lo", previous=joined())
    before = ip("-d", "link", "show", "dev", "lo", namespace="c1")
    with host() as node, pytest.raises(BadConfig, match="mac: lo has none"):
        plugin("tuning").add(request, node)
    assert ip("-d", "link", "show", "dev", "lo", namespace="c1") == before
    assert records() == [""]
    assert not SAVED.with_name("c1_lo.json").exists()


def test_what_add_needs() -> None:
    previous = joined()
    with pytest.raises(BadConfig):
        verb("ADD", ALL)
    with pytest.raises(BadNamespace):
        verb("ADD", ALL, previous, netns="/run/netns/gone")
    run("ip", "link", "del", "eth0", namespace="c1")
    with pytest.raises(NotFound):
        verb("ADD", {**CONF, "mtu": 1300}, previous, container="c1")


@given(
    junk_for("sysctl", "mac", "mtu", "promisc", "allmulti", "txQLen"),
    st.dictionaries(st.text(max_size=20), JUNK, max_size=3),
    st.text(max_size=12),
)
def test_a_hostile_configuration_is_bad_config(
    junk: dict[str, object], settings: dict[str, object], mac: str
) -> None:
    for conf in ({**CONF, **junk}, {**CONF, "sysctl": settings}, {**CONF, "args": {"cni": junk}}):
        with suppress(BadConfig, BadEnvironment):
            parse_tuning(call("ADD", conf, args={"MAC": mac}))


@given(st.text("netIFAM./\\ \0é-", max_size=24).map(lambda tail: f"net{tail}"))
def test_no_key_leads_out_of_the_networks_settings(key: str) -> None:
    with suppress(BadConfig):
        path = setting_path(key, "eth0")
        assert os.path.normpath(f"/proc/sys/{path}") == f"/proc/sys/{path}"
        assert path.startswith("net/")


def test_the_allow_list_holds() -> None:
    previous = joined()
    before = state()
    allow(r"^net\.core\.somaxconn$", "", r"^net\.ipv4\.conf\.IFNAME\.[a-z_]*$")
    verb("ADD", {**ALL, "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}}, previous)
    verb("DEL", ALL)
    for key in ("net.ipv4.conf.eth0.arp_filter", "net/core/somaxconn", "net.core.somaxconns"):
        with pytest.raises(BadConfig) as caught:
            verb("ADD", {**CONF, "sysctl": {key: "1"}}, previous)
        assert "not allowed" in caught.value.message
        assert "allowlist.conf" in caught.value.details
    allow("[")
    with pytest.raises(BadConfig):
        verb("ADD", ALL, previous)
    allow()
    with pytest.raises(BadConfig):
        verb("ADD", ALL, previous)
    verb("ADD", {**ALL, "sysctl": {}}, previous)
    verb("DEL", ALL)
    assert state() == before


DAMAGE = {
    "mac": ("ip link set eth0 address 0a:00:00:00:00:99", "MAC of eth0"),
    "mtu": ("ip link set eth0 mtu 1400", "MTU of eth0 in the pod is 1400, not 1300"),
    "promisc": ("ip link set eth0 promisc off", "promiscuous mode of eth0 in the pod is off"),
    "allmulti": ("ip link set eth0 allmulticast off", "all-multicast mode of eth0"),
    "txQLen": ("ip link set eth0 txqlen 78", "txqlen of eth0 in the pod is 78, not 77"),
    "setting": ("sysctl -qw net.core.somaxconn=98", "net.core.somaxconn is '98', not '99'"),
    "IFNAME": ("sysctl -qw net.ipv4.conf.eth0.arp_filter=0", "conf.eth0.arp_filter is '0'"),
    "gone": ("ip link del eth0", "arp_filter"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_check_finds_each_kind_of_damage_and_names_it(kind: str) -> None:
    result = verb("ADD", ALL, joined())
    command, expected = DAMAGE[kind]
    run(*command.split(), namespace="c1")
    with pytest.raises(CheckFailed) as caught:
        verb("CHECK", ALL, result)
    assert expected in f"{caught.value.message}; {caught.value.details}"


def test_check_of_a_missing_interface() -> None:
    conf = {**CONF, "mtu": 1300}
    result = verb("ADD", conf, joined())
    run("ip", "link", "del", "eth0", namespace="c1")
    with pytest.raises(CheckFailed) as caught:
        verb("CHECK", conf, result)
    assert "eth0 is missing in the pod" in caught.value.message


def test_pain_2_gc_puts_back_what_no_valid_attachment_wants() -> None:
    for container in ("keep", "lost", "ended"):
        verb("ADD", ALL, joined(container), container)
    run("ip", "netns", "del", "ended")
    collect(ALL, ["keep"])
    assert (state("keep")["mtu"], state("lost")["mtu"]) == (1300, 1500)
    assert {each.name for each in SAVED.parent.iterdir()} == {"keep_eth0.json"}
    assert sorted(records()) == ["", "", "", "tuning"]


def test_status() -> None:
    status(ALL)
    allow("^net.core")
    with pytest.raises(BadConfig):
        status(ALL)


def test_the_pages_example_runs_as_a_chain() -> None:
    [conf] = examples("tuning")
    side = Side(ours=True)
    answer: Answer | None = None
    for each in conf["plugins"]:
        given = {**each, "cniVersion": conf["cniVersion"], "name": conf["name"]}
        previous = {} if answer is None else {"prevResult": answer}
        answer = side.add(each["type"], {**given, **previous})
    assert answer is not None
    assert answer["interfaces"][1] == {
        "name": "eth0",
        "mac": "c2:b0:57:49:47:f1",
        "mtu": 1454,
        "sandbox": "/run/netns/c1",
    }
    assert state()["txqlen"] == 2000
    assert links(namespace="c1") == ["lo", "eth0"]


@pytest.mark.parametrize(
    "key", ["sysctl", "mac", "mtu", "promisc", "allmulti", "txQLen", "dataDir", "args.cni"]
)
def test_the_page_names_every_key(key: str) -> None:
    assert describes("tuning", key)

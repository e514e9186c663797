"""Type `portmap` on the real kernel: who holds which port, what CHECK finds, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from dari.agent.desired import Desired
from dari.agent.mend import firewall
from dari.errors import BadConfig, CheckFailed, DariError, TryAgain, UnsupportedField
from dari.nft import table
from dari.paths import Paths
from dari.wiring.registry import plugin
from tests.support.calling import check, collect, delete, host
from tests.support.calls import call
from tests.support.hostile import junk_for
from tests.support.hostports import (
    NODE4,
    PORTMAP,
    WEB,
    add,
    add_outside,
    led,
    mapping,
    nothing_left,
    ruleset,
    wire,
)
from tests.support.isolation import add_namespace
from tests.support.kernel import links, run
from tests.support.nft import named
from tests.support.talk import ask, serving, told
from tests.support.waiting import wait_until


def test_pain_5_a_replaced_pods_udp_port_answers_at_once() -> None:
    add_outside()
    port = {"hostPort": 5353, "containerPort": 53, "protocol": "udp"}
    add(mapping(port), "old")
    with serving("old", 53, kind="udp"):
        assert told(NODE4, 5353, "outside", kind="udp", own_port=4444) == "old 192.0.2.2"
    delete(mapping(port), "old")
    assert ask(NODE4, 5353, "outside", kind="udp", own_port=4444) == ""
    add(mapping(port), "new")
    with serving("new", 53, kind="udp"):
        assert told(NODE4, 5353, "outside", kind="udp", own_port=4444) == "new 192.0.2.2"
        delete(mapping(port), "new")
        assert ask(NODE4, 5353, "outside", kind="udp", own_port=4444) == ""


ANY: dict[str, object] = {}
AT: dict[str, object] = {"hostIP": "192.0.2.9"}


@pytest.mark.parametrize(("first", "second"), [(ANY, ANY), (ANY, AT), (AT, ANY), (AT, AT)])
def test_pain_6_the_second_pod_is_refused_and_told_who_has_the_port(
    first: dict[str, object], second: dict[str, object]
) -> None:
    add_outside()
    add(mapping({**WEB, **first}), "holder")
    before = ruleset()
    with pytest.raises(TryAgain) as caught:
        add(mapping({**WEB, **second}), "second")
    assert caught.value.message.startswith("hostPort ")
    assert "8080/tcp: held by container holder (eth0, network mynet)" in caught.value.message
    assert ruleset() == before
    with serving("holder", 80), serving("second", 80):
        assert ask("192.0.2.9", 8080, "outside") == "holder 192.0.2.2"
    delete(mapping({**WEB, **second}), "second")
    with serving("holder", 80):
        assert ask("192.0.2.9", 8080, "outside") == "holder 192.0.2.2"


def test_ports_that_do_not_meet_are_no_conflict() -> None:
    add(mapping({**WEB, "hostIP": NODE4}), "a")
    add(mapping({**WEB, "hostIP": "192.0.2.9"}), "b")
    add(mapping({**WEB, "hostIP": "::"}), "c")
    add(mapping({**WEB, "protocol": "udp"}), "d")


def test_the_same_pod_may_come_again_with_other_ports() -> None:
    wired = wire("web")
    add(mapping(WEB), "web", wired)
    add(mapping(WEB), "web", wired)
    add(mapping({**WEB, "hostPort": 8081}, {**WEB, "containerPort": 81}), "web", wired)
    assert len(led()) == 2
    delete(mapping(WEB), "web")
    assert nothing_left()


def test_a_port_of_a_pod_that_is_gone_is_free() -> None:
    add(mapping(WEB), "gone")
    run("ip", "netns", "delete", "gone")
    wait_until(lambda: not links("dari"))
    add(mapping(WEB), "new")
    with serving("new", 80):
        assert ask("127.0.0.1", 8080) == "new 10.22.0.1"
    delete(mapping(WEB), "gone", netns="")
    with serving("new", 80):
        assert ask("127.0.0.1", 8080) == "new 10.22.0.1"


@pytest.mark.parametrize("netns", ["", "/run/netns/gone", None])
def test_pain_3_del_leaves_nothing_and_may_come_twice(netns: str | None) -> None:
    add(mapping(WEB), "web")
    delete(PORTMAP, "web", netns)
    assert nothing_left()
    delete(PORTMAP, "web", netns)
    delete(mapping(WEB), "web", netns)
    delete(mapping(WEB), "never there", netns)
    assert nothing_left()
    assert table.verify(Paths())


def test_an_old_pods_del_leaves_the_new_one_alone() -> None:
    add(mapping(WEB), "old")
    delete(mapping(WEB), "old")
    add(mapping(WEB), "new")
    delete(mapping(WEB), "old")
    with serving("new", 80):
        assert ask("127.0.0.1", 8080) == "new 10.22.0.1"


def test_pain_4_a_renamed_network_leaks_nothing() -> None:
    add(mapping(WEB), "a")
    add(mapping({**WEB, "hostPort": 8081}), "b")
    add(mapping({**WEB, "hostPort": 8082}), "c")
    renamed = {**PORTMAP, "name": "other", "cniVersion": "1.1.0"}
    delete({**mapping(WEB), "name": "other"}, "a")
    run("ip", "netns", "delete", "b")
    wait_until(lambda: len(links("dari")) == 2)
    collect(renamed, [])
    assert [element[0]["concat"][1] for element in led()] == [8082]  # of a pod that lives
    collect({**renamed, "name": "mynet"}, [])
    assert nothing_left()


def test_pain_2_gc_keeps_what_is_valid() -> None:
    kept = add(mapping(WEB), "a")
    add(mapping({**WEB, "hostPort": 8081}), "b")
    collect({**PORTMAP, "cniVersion": "1.1.0"}, ["a"])
    assert [element[0]["concat"][1] for element in led()] == [8080]
    check(mapping(WEB), kept, "a")


DAMAGE: dict[str, tuple[str, str]] = {
    "table": (
        "nft delete table inet dari",
        "host port 8080/tcp does not lead to 10.22.0.2 port 80",
    ),
    "element": (
        "nft delete element inet dari {anywhere4_} {{ tcp . 8080 }}",
        "host port 8080/tcp does not lead to 10.22.0.2 port 80",
    ),
    "hairpin": (
        "nft flush set inet dari {hairpin_any6_}",
        "host port 8080/tcp does not lead to fd22::2 port 80",
    ),
    "chain": ("nft flush chain inet dari hostports", "table inet dari is missing or was changed"),
    "hook": (
        "nft flush chain inet dari hostport_output",
        "table inet dari is missing or was changed",
    ),
    "claim": ("rm /run/dari/hostports/tcp-8080.json", "8080/tcp is not held for this pod"),
    "localnet": (
        "sysctl -qw net.ipv4.conf.cni0.route_localnet=0",
        "net.ipv4.conf.cni0.route_localnet is 0",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_check_finds_each_kind_of_damage_and_names_it(kind: str) -> None:
    result = add(mapping(WEB), "web")
    check(mapping(WEB), result, "web")
    command, expected = DAMAGE[kind]
    run(*named(command).split())
    with pytest.raises(CheckFailed) as caught:
        check(mapping(WEB), result, "web")
    assert expected in f"{caught.value.message}; {caught.value.details}"


@pytest.mark.parametrize(
    "harm", [DAMAGE[each][0] for each in ("table", "element", "chain", "hook")]
)
def test_the_table_is_made_from_the_files_at_any_time(harm: str) -> None:
    result = add(mapping(WEB), "web")
    before = ruleset()
    run(*named(harm).split())
    assert not table.verify(Paths())
    table.rebuild(Paths())
    assert ruleset() == before
    run(*named(harm).split())
    add(mapping({**WEB, "hostPort": 8081}), "next")
    delete(mapping({**WEB, "hostPort": 8081}), "next")
    if "element" not in harm:  # that only a look at everything notices
        check(mapping(WEB), result, "web")


def test_the_agent_puts_back_what_is_lost_and_the_site_removes() -> None:
    result = add(mapping(WEB), "web")
    desired = Desired(routes=None)
    assert firewall(Paths(), desired, deep=True) == []
    for harm in (
        "delete element inet dari {anywhere4_} {{ tcp . 8080 }}",
        "delete table inet dari",
    ):
        run("nft", *named(harm).split())
        assert firewall(Paths(), desired, deep=True) == ["built the nftables table anew"]
        check(mapping(WEB), result, "web")


def test_a_pod_without_host_ports_changes_nothing() -> None:
    wired = wire("web")
    before = ruleset()
    for conf in (PORTMAP, mapping(), {**PORTMAP, "runtimeConfig": {"portMappings": None}}):
        assert add(conf, "web", wired) == wired
        check(conf, wired, "web")
        delete(conf, "web")
    assert ruleset() == before
    assert not Path("/run/dari/hostports").exists()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"backend": "ebtables"}, BadConfig),
        ({"snat": "yes"}, BadConfig),
        ({"masqAll": 1}, BadConfig),
        ({"markMasqBit": 32}, BadConfig),
        ({"markMasqBit": 12}, UnsupportedField),
        ({"markMasqBit": 5, "externalSetMarkChain": "KUBE-MARK-MASQ"}, BadConfig),
        ({"externalSetMarkChain": "KUBE-MARK-MASQ"}, UnsupportedField),
        ({"conditionsV4": ["-m", "statistic"]}, UnsupportedField),
        ({"conditionsV4": ["-s"]}, BadConfig),
        ({"conditionsV4": ["-s", "fd00::/8"]}, BadConfig),
        ({"conditionsV4": ["-i", 'a" accept #']}, BadConfig),
        ({"conditionsV6": [7]}, BadConfig),
        ({"portMappings": [{"hostPort": 8080}]}, BadConfig),
        ({"portMappings": [{**WEB, "hostPort": 0}]}, BadConfig),
        ({"portMappings": [{**WEB, "hostPort": 65536}]}, BadConfig),
        ({"portMappings": [{**WEB, "protocol": "icmp"}]}, BadConfig),
        ({"portMappings": [{**WEB, "hostIP": "localhost"}]}, BadConfig),
        ({"portMappings": [{**WEB, "hostIP": "fe80::1%eth0"}]}, BadConfig),
        ({"portMappings": [WEB, {**WEB, "containerPort": 81}]}, BadConfig),
        ({"portMappings": ["8080:80"]}, BadConfig),
        ({"portMappings": "8080:80"}, BadConfig),
    ],
)
def test_a_wrong_configuration_changes_nothing(
    change: dict[str, object], error: type[DariError]
) -> None:
    wired = wire("web")
    before = ruleset()
    ports = change.pop("portMappings", [WEB]) if "portMappings" in change else [WEB]
    conf = {**PORTMAP, **change, "runtimeConfig": {"portMappings": ports}}
    with pytest.raises(error):
        add(conf, "web", wired)
    delete(conf, "web")
    assert ruleset() == before
    assert not Path("/run/dari/hostports").exists()


def test_it_must_be_behind_another_plugin() -> None:
    with pytest.raises(BadConfig), host() as node:
        plugin("portmap").add(call("ADD", mapping(WEB), "web", add_namespace("web")), node)


@settings(max_examples=60)
@given(
    junk_for("hostPort", "containerPort", "protocol", "hostIP"),
    junk_for("backend", "snat", "masqAll", "markMasqBit", "externalSetMarkChain", "conditionsV4"),
)
def test_junk_is_refused_with_a_code_that_says_so(
    port: dict[str, object], keys: dict[str, object]
) -> None:
    from dari.wiring.ports import parse_portmap

    try:
        parse_portmap(call("ADD", mapping({**WEB, **port}, **keys)))
    except DariError as error:
        assert error.code in (2, 7)


def test_sixteen_at_once_and_each_gets_his_port() -> None:
    names = [f"p{each}" for each in range(16)]
    wired = {name: wire(name) for name in names}
    confs = {
        name: mapping({**WEB, "hostPort": 9000 + place}, {**WEB, "hostPort": 9500 + place % 4})
        for place, name in enumerate(names)
    }
    plain = {name: mapping({**WEB, "hostPort": 9000 + place}) for place, name in enumerate(names)}

    def one(name: str) -> bool:
        try:
            add(confs[name], name, wired[name])
        except TryAgain:
            add(plain[name], name, wired[name])
            return False
        return True

    got = in_threads(one, names)
    assert sum(got) == 4
    assert len(led()) == 20
    assert table.verify(Paths())
    in_threads(lambda name: delete(confs[name], name), names)
    assert nothing_left()
    assert table.verify(Paths())


def in_threads(work: Callable[[str], Any], names: list[str]) -> list[Any]:
    """Threads are born in the namespaces of the one that starts them."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(work, names))


def test_status_succeeds_when_an_add_would() -> None:
    with host() as node:
        plugin("portmap").status(call("STATUS", {**PORTMAP, "cniVersion": "1.1.0"}), node)

"""Type `firewall` on the real kernel: policies, sites whose filter drops, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from dari.errors import BadConfig, CheckFailed, DariError, NotAvailableLimited
from dari.model import Result
from dari.nft import table
from dari.paths import Paths
from dari.wiring.registry import plugin
from tests.support import calling
from tests.support.calling import host
from tests.support.calls import call
from tests.support.hostile import junk_for
from tests.support.isolation import add_namespace
from tests.support.kernel import Probe, links, reached, reaches, run
from tests.support.pages import describes, examples
from tests.support.talk import ask, serving
from tests.support.twins import Side, both
from tests.support.waiting import wait_until

CONF: dict[str, object] = {"cniVersion": "1.0.0", "name": "mynet", "type": "firewall"}
DROP = ("iptables-nft", "ip6tables-nft")


def bridge(number: int = 0) -> dict[str, object]:
    return {
        "cniVersion": "1.0.0",
        "name": f"net{number}",
        "type": "bridge",
        "bridge": f"cni{number}",
        "isDefaultGateway": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": f"10.{number}.0.0/16"}], [{"subnet": f"fd{number:02}::/64"}]],
        },
    }


def wire(container: str, number: int = 0) -> Result:
    return calling.add(bridge(number), container)


def add(container: str, policy: str = "", number: int = 0, wired: Result | None = None) -> Result:
    return calling.add(conf(policy), container, wired or wire(container, number))


def conf(policy: str = "", **keys: object) -> dict[str, object]:
    return {**CONF, **keys, **({"ingressPolicy": policy} if policy else {})}


def delete(container: str, netns: str = "", **keys: object) -> None:
    calling.delete(conf(**keys), container, netns)  # type: ignore[arg-type]


def check(container: str, result: Result, policy: str = "") -> None:
    calling.check(conf(policy), result, container)


def add_outside() -> None:
    """A machine on a wire to the node, which knows the way to the pods."""
    add_namespace("outside")
    run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
    run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "eth0", "netns", "outside")
    for address, far, prefix in (
        ("192.0.2.1/24", "192.0.2.2/24", "10.0.0.0/8"),
        ("2001:db8::1/64", "2001:db8::2/64", "fd00::/8"),
    ):
        nodad = ["nodad"] if ":" in address else []
        run("ip", "address", "add", address, "dev", "wire", *nodad)
        run("ip", "address", "add", far, "dev", "eth0", *nodad, namespace="outside")
        run("ip", "link", "set", "wire", "up")
        run("ip", "link", "set", "eth0", "up", namespace="outside")
        gateway = address.split("/")[0]
        run("ip", "route", "add", prefix, "via", gateway, namespace="outside")


def ruleset() -> str:
    return run("nft", "list", "ruleset")


def nothing_left() -> bool:
    folder = Path("/run/dari/attachments")
    kept = [each.name for each in folder.iterdir() if "firewall" in each.name]
    files = [each for each in Path("/run/dari/firewall").rglob("*") if each.is_file()]
    return not kept and not files and "10.0.0." not in ruleset()


def test_open_lets_everybody_reach_everybody() -> None:
    add_outside()
    result = add("a")
    add("b", number=2)
    assert reaches("10.2.0.2", "a")
    assert reaches("10.0.0.2", "outside")
    check("a", result)


def test_same_bridge_keeps_bridges_apart_and_nothing_else() -> None:
    add_outside()
    add("a", "same-bridge", 1)
    add("b", "same-bridge", 1)
    add("c", "same-bridge", 2)
    add("d", "", 3)
    kept_apart = {("10.2.0.2", "a"), ("fd02::2", "a"), ("10.1.0.2", "c")}
    let_through = {
        ("10.1.0.3", "a"),
        ("fd01::3", "a"),
        ("10.1.0.1", "a"),
        ("192.0.2.2", "a"),
        ("10.1.0.2", "outside"),
        ("10.3.0.2", "a"),
    }
    assert reached(*kept_apart, *let_through) == let_through


def test_isolated_pods_do_not_reach_each_other_either() -> None:
    add_outside()
    result = add("a", "isolated", 1)
    add("b", "isolated", 1)
    add("c", "same-bridge", 2)
    kept_apart = {("10.1.0.3", "a"), ("fd01::3", "a"), ("10.2.0.2", "a")}
    let_through = {("10.1.0.1", "a"), ("192.0.2.2", "a"), ("10.1.0.2", "outside")}
    assert reached(*kept_apart, *let_through) == let_through
    check("a", result, "isolated")


def test_a_bridge_is_kept_apart_until_its_last_pod_is_gone() -> None:
    add("a", "same-bridge", 1)
    add("b", "isolated", 1)
    add("c", "same-bridge", 2)
    delete("b")
    assert "cni1" in ruleset()
    assert "set isolated {\n\t\ttype ifname . ifname\n\t}" in ruleset()
    delete("a")
    assert "cni1" not in ruleset()
    assert table.verify(Paths())


def drop() -> None:
    for program in DROP:
        run(program, "-P", "FORWARD", "DROP")


def test_a_filter_that_drops_is_opened_where_the_reference_would_and_no_further() -> None:
    add_outside()
    drop()
    run("iptables-nft", "-A", "FORWARD", "-i", "foo", "-j", "ACCEPT")
    wire("plain", 1)
    result = add("a")
    opened = {("192.0.2.2", "a"), ("2001:db8::2", "a")}
    dropped = {("192.0.2.2", "plain"), ("2001:db8::2", "plain"), ("10.0.0.2", "outside")}
    assert reached(*opened, *dropped) == opened
    check("a", result)
    with serving("outside", 80):
        assert ask("192.0.2.2", 80, "a") == "outside 10.0.0.2"
    listed = run("iptables-nft", "-S", "FORWARD").splitlines()
    assert listed[0] == "-P FORWARD DROP"
    assert listed[1].startswith("-A FORWARD -m mark --mark 0x1000/0x1000")
    assert listed[2:] == ["-A FORWARD -i foo -j ACCEPT"]
    run("iptables-nft", "-A", "FORWARD", "-i", "bar", "-j", "ACCEPT")
    add("b")
    assert run("iptables-nft", "-S", "FORWARD").count("0x1000/0x1000") == 1
    delete("a")
    assert reaches("192.0.2.2", "b")
    delete("b")
    assert "0x1000/0x1000" not in run("iptables-nft", "-S")
    assert "-i bar" in run("iptables-nft", "-S")


def test_a_mark_leaves_dari_with_nothing_on_it() -> None:
    add_outside()
    add("a")
    run(
        "nft",
        "add table inet seen; add chain inet seen c { type filter hook postrouting priority 0; }",
    )
    run("nft", "add rule inet seen c meta mark & 0x1000 == 0x1000 counter")
    assert reaches("192.0.2.2", "a")
    assert "counter packets 0" in run("nft", "list", "table", "inet", "seen")


def test_a_filter_that_begins_to_drop_later_is_named_by_check_and_opened_by_the_next() -> None:
    add_outside()
    result = add("a")
    drop()
    with pytest.raises(CheckFailed) as caught:
        check("a", result)
    assert "ip filter FORWARD drops pods' packets" in caught.value.message
    add("b")
    check("a", result)
    assert reaches("192.0.2.2", "a")


def status(**keys: object) -> None:
    calling.status({**conf(**keys), "cniVersion": "1.1.0"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["iptables-legacy", "-P", "FORWARD", "DROP"], "iptables-legacy filter FORWARD"),
        (["ip6tables-legacy", "-P", "FORWARD", "DROP"], "ip6tables-legacy filter FORWARD"),
        (
            [
                "nft",
                "table inet site { chain f { type filter hook forward priority 5; "
                "policy drop; }; }",
            ],
            "inet site f",
        ),
    ],
)
def test_pain_15_status_names_a_filter_that_drops_all_there_is(
    words: list[str], named: str
) -> None:
    status()
    run(*words)
    with pytest.raises(NotAvailableLimited) as caught:
        status()
    assert caught.value.message == f"{named} drops all that is forwarded"
    assert caught.value.code == 51


def test_status_does_not_judge_rules_of_others() -> None:
    drop()
    run("iptables-legacy", "-P", "FORWARD", "DROP")
    run("iptables-legacy", "-A", "FORWARD", "-i", "cni0", "-j", "ACCEPT")
    status()


@pytest.mark.parametrize("netns", ["", "/run/netns/gone"])
def test_pain_3_del_leaves_nothing_and_may_come_twice(netns: str) -> None:
    add("a", "isolated")
    delete("a", netns)
    assert nothing_left()
    delete("a", netns)
    delete("never there", netns)
    assert table.verify(Paths())


def test_a_pod_with_the_address_of_one_before_it_keeps_it() -> None:
    wired = wire("old")
    add("old", wired=wired)
    add_namespace("new")
    add("new", wired=wired)
    delete("old")
    assert "10.0.0.2" in run("nft", "list", "set", "inet", "dari", "pods4")
    delete("new")
    assert nothing_left()


def collect(name: str, valid: list[str]) -> None:
    calling.collect({**conf(), "name": name, "cniVersion": "1.1.0"}, valid)


def test_pain_4_a_renamed_network_leaks_nothing() -> None:
    for container in ("a", "b", "c"):
        add(container)
    delete("a", name="other")
    run("ip", "netns", "delete", "b")
    wait_until(lambda: len(links("dari")) == 2)
    collect("other", [])
    assert run("nft", "list", "set", "inet", "dari", "pods4").count("10.0.0.") == 1
    collect("mynet", ["c"])
    assert "10.0.0.4" in ruleset()
    collect("mynet", [])
    assert nothing_left()


DAMAGE = {
    "table": ("nft delete table inet dari", "the set pods4 of inet dari lacks 10.0.0.2"),
    "address": ("nft flush set inet dari pods6", "the set pods6 of inet dari lacks fd00::2"),
    "bridge": ("nft flush set inet dari apart", 'the set apart of inet dari lacks "cni0"'),
    "chain": ("nft flush chain inet dari forwarded", "inet dari is missing or was changed"),
}


def test_check_names_a_port_that_is_not_isolated() -> None:
    result = add("a", "isolated")
    run("bridge", "link", "set", "dev", result.interfaces[1].name, "isolated", "off")
    with pytest.raises(CheckFailed, match="is not isolated"):
        check("a", result, "isolated")


@pytest.mark.parametrize("kind", DAMAGE)
def test_check_finds_each_kind_of_damage_and_the_files_mend_it(kind: str) -> None:
    result = add("a", "isolated")
    check("a", result, "isolated")
    command, expected = DAMAGE[kind]
    before = ruleset()
    run(*command.split())
    with pytest.raises(CheckFailed) as caught:
        check("a", result, "isolated")
    assert expected in f"{caught.value.message}; {caught.value.details}"
    table.rebuild(Paths())
    assert ruleset() == before


@pytest.mark.parametrize(
    "keys",
    [
        {"ingressPolicy": "closed"},
        {"ingressPolicy": 5},
        {"backend": "ebtables"},
        {"firewalldZone": ["trusted"]},
        {"iptablesAdminChainName": 1},
    ],
)
def test_a_wrong_configuration_changes_nothing(keys: dict[str, object]) -> None:
    wired = wire("a")
    before = ruleset()
    with pytest.raises(BadConfig), host() as node:
        request = call("ADD", {**CONF, **keys}, "a", "/run/netns/a", previous=wired)
        plugin("firewall").add(request, node)
    assert ruleset() == before
    assert not Path("/run/dari/firewall").exists()


@settings(max_examples=60)
@given(junk_for("ingressPolicy", "backend", "firewalldZone", "iptablesAdminChainName"))
def test_junk_is_refused_with_a_code_that_says_so(keys: dict[str, object]) -> None:
    from dari.wiring.plugins.firewall import parse_policy

    try:
        parse_policy({**CONF, **keys})
    except DariError as error:
        assert error.code in (2, 7)


def test_sixteen_at_once() -> None:
    names = [f"p{each}" for each in range(16)]
    wired = {name: wire(name, place % 2) for place, name in enumerate(names)}
    policies = ("open", "same-bridge", "isolated", "same-bridge")

    def one(name: str) -> object:
        return add(name, policies[int(name[1:]) % 4], wired=wired[name])

    in_threads(one, names)
    assert table.verify(Paths())
    in_threads(delete, names)
    assert nothing_left()
    assert table.verify(Paths())


def in_threads(work: Callable[[str], Any], names: list[str]) -> None:
    """Threads are born in the namespaces of the one that starts them."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, names))


@pytest.mark.long(12)
@pytest.mark.parametrize("policy", ["open", "same-bridge"])
def test_reaches_what_the_reference_lets_through(policy: str) -> None:
    def story(side: Side) -> set[Probe]:
        add_outside()
        drop()
        for number, container in ((1, "c1"), (2, "c2")):
            add_namespace(container)
            status, wired = side.ask("bridge", "ADD", bridge(number), container=container)
            assert status == 0, wired
            chained = {**conf(policy), "prevResult": wired}
            status, answer = side.ask("firewall", "ADD", chained, container=container)
            assert (status, answer) == (0, wired)
        probes = (
            ("192.0.2.2", "c1"),
            ("10.2.0.2", "c1"),
            ("10.1.0.2", "c2"),
            ("10.1.0.2", "outside"),
        )
        return reached(*probes)

    theirs, ours = both(story)
    assert ours == theirs


def test_the_page_describes_every_key_and_its_example_works() -> None:
    keys = ("backend", "iptablesAdminChainName", "firewalldZone", "ingressPolicy")
    assert [key for key in keys if not describes("firewall", key)] == []
    [chain] = examples("firewall")
    first, second = chain["plugins"]
    named = {"cniVersion": chain["cniVersion"], "name": chain["name"]}
    path = add_namespace("a")
    with host() as node:
        wired = plugin("bridge").add(call("ADD", {**first, **named}, "a", path), node)
        request = call("ADD", {**second, **named}, "a", path, previous=wired)
        assert plugin("firewall").add(request, node) == wired

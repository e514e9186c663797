"""Type `portmap` on the real kernel: who reaches what, beside others' rules and beside Debian's."""

from __future__ import annotations

from pathlib import Path

import pytest

from dari.nft import table
from dari.paths import Paths
from tests.support.calling import check, delete
from tests.support.hostports import (
    BRIDGE,
    NODE4,
    NODE6,
    WEB,
    add,
    add_outside,
    mapping,
    ruleset,
    wire,
)
from tests.support.isolation import add_namespace
from tests.support.kernel import run
from tests.support.pages import describes, examples
from tests.support.talk import ask, serving, told
from tests.support.twins import Side, assert_alike


def test_a_host_port_is_reached_from_everywhere_in_both_families() -> None:
    add_outside()
    wired = wire("web")
    wire("other")
    result = add(mapping(WEB), "web", wired)
    assert result == wired
    with serving("web", 80):
        assert ask(NODE4, 8080, "outside") == "web 192.0.2.2"
        assert ask(NODE6, 8080, "outside") == "web 2001:db8::2"
        assert ask(NODE4, 8080) == f"web {NODE4}"
        assert ask(NODE6, 8080) == f"web {NODE6}"
        assert ask("127.0.0.1", 8080) == "web 10.22.0.1"
        for place in ("web", "other"):
            assert ask(NODE4, 8080, place) == "web 10.22.0.1"
            assert ask(NODE6, 8080, place) == "web fd22::1"
        assert ask("10.22.0.1", 8080, "other") == "web 10.22.0.1"
        assert ask(NODE4, 80, "outside") == ""
    check(mapping(WEB), wired, "web")


def test_a_port_on_ipv6_localhost_stays_the_nodes_own() -> None:
    add(mapping(WEB), "web")
    with serving("web", 80), serving("", 8080):
        assert ask("::1", 8080) == "::1"
        assert ask("127.0.0.1", 8080) == "web 10.22.0.1"


def test_udp_and_several_ports_of_one_pod() -> None:
    add_outside()
    both = [
        {"hostPort": 5353, "containerPort": 53, "protocol": "udp"},
        {"hostPort": 5353, "containerPort": 54, "protocol": "tcp"},
        {"hostPort": 9, "containerPort": 9, "protocol": "SCTP"},
    ]
    add(mapping(*both), "dns")
    with serving("dns", 53, kind="udp"), serving("dns", 54):
        assert told(NODE4, 5353, "outside", kind="udp") == "dns 192.0.2.2"
        assert told(NODE6, 5353, "outside", kind="udp") == "dns 2001:db8::2"
        assert told("127.0.0.1", 5353, kind="udp") == "dns 10.22.0.1"
        assert ask(NODE4, 5353, "outside") == "dns 192.0.2.2"
    assert "sctp . 9 : 10.22.0.2 . 9" in ruleset()


@pytest.mark.parametrize(
    ("host_ip", "reached", "not_reached"),
    [
        ("192.0.2.9", ["192.0.2.9"], [NODE4, NODE6]),
        ("::ffff:192.0.2.9", ["192.0.2.9"], [NODE4, NODE6]),
        (NODE6, [NODE6], [NODE4]),
        ("0.0.0.0", [NODE4, "192.0.2.9"], [NODE6]),
        ("::", [NODE6], [NODE4]),
    ],
)
def test_a_host_ip_is_the_only_one(
    host_ip: str, reached: list[str], not_reached: list[str]
) -> None:
    add_outside()
    add(mapping({**WEB, "hostIP": host_ip}), "web")
    with serving("web", 80):
        assert [ask(each, 8080, "outside")[:3] for each in reached] == ["web"] * len(reached)
        assert [ask(each, 8080, "outside") for each in not_reached] == [""] * len(not_reached)


def test_a_port_on_127_0_0_1_is_for_the_node_alone() -> None:
    add_outside()
    add(mapping({**WEB, "hostIP": "127.0.0.1"}), "web")
    run("ip", "route", "add", "127.0.0.0/8", "via", NODE4, "table", "5", namespace="outside")
    with serving("web", 80):
        assert ask("127.0.0.1", 8080) == "web 10.22.0.1"
        assert ask(NODE4, 8080, "outside") == ""


def test_neighbours_do_not_reach_the_nodes_localhost() -> None:
    """What `route_localnet` would open is shut by dari's own chain."""
    add(mapping(WEB), "web")
    wire("bad")
    assert Path("/proc/sys/net/ipv4/conf/cni0/route_localnet").read_text().strip() == "1"
    run("sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1", namespace="bad")
    run(
        "ip", "route", "del", "local", "127.0.0.0/8", "dev", "lo", "table", "local", namespace="bad"
    )
    run("ip", "route", "add", "127.0.0.1", "via", "10.22.0.1", namespace="bad")
    run("ip", "address", "flush", "dev", "lo", namespace="bad")
    with serving("", 7000):
        assert ask("127.0.0.1", 7000, "bad") == ""
        run("nft", "flush", "chain", "inet", "dari", "hostport_guard")
        assert ask("127.0.0.1", 7000, "bad") == "10.22.0.3"


def test_without_snat_everybody_is_seen_as_he_is() -> None:
    add_outside()
    add(mapping(WEB, snat=False), "web")
    with serving("web", 80):
        assert ask(NODE4, 8080, "outside") == "web 192.0.2.2"
        assert ask("127.0.0.1", 8080) == ""
    assert Path("/proc/sys/net/ipv4/conf/cni0/route_localnet").read_text().strip() == "0"


def test_with_masq_all_everybody_is_seen_as_the_node() -> None:
    add_outside()
    add(mapping(WEB, masqAll=True), "web")
    with serving("web", 80):
        assert ask(NODE4, 8080, "outside") == "web 10.22.0.1"
        assert ask(NODE6, 8080, "outside") == "web fd22::1"
        assert ask("127.0.0.1", 8080) == "web 10.22.0.1"


def test_another_mark_and_conditions_make_chains_of_their_own() -> None:
    add_outside()
    first = mapping(WEB, markMasqBit=20, conditionsV4=["!", "-s", "192.0.2.2/32"])
    add(first, "web")
    second = mapping(
        {**WEB, "hostPort": 8081}, conditionsV4=["-d", NODE4], conditionsV6=["-i", "x+"]
    )
    add(second, "api")
    with serving("web", 80), serving("api", 80):
        assert ask(NODE4, 8080, "outside") == ""
        assert ask(NODE4, 8080) == f"web {NODE4}"
        assert ask(NODE6, 8080, "outside") == "web 2001:db8::2"
        assert ask("127.0.0.1", 8080) == "web 10.22.0.1"
        assert ask(NODE4, 8081, "outside") == "api 192.0.2.2"
        assert ask("192.0.2.9", 8081, "outside") == ""
        assert ask(NODE6, 8081, "outside") == ""
    assert "0x00100000" in ruleset()
    delete(first, "web")
    delete(second, "api")
    table.rebuild(Paths())
    assert "0x00100000" not in ruleset()


def test_rules_of_others_stay_and_go_on_to_work() -> None:
    add_outside()
    run("nft", "add", "table", "inet", "theirs")
    run(
        "iptables-nft", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "7", "-j", "ACCEPT"
    )
    theirs = ruleset()
    add(mapping(WEB), "web")
    assert theirs in ruleset() or all(line in ruleset() for line in theirs.splitlines())
    with serving("web", 80):
        assert ask(NODE4, 8080, "outside") == "web 192.0.2.2"
    assert "--dport 7" in run("iptables-nft", "-t", "nat", "-S")


# masqAll is not among these: the release that Debian has does not know it.
@pytest.mark.parametrize("keys", [{}, {"snat": False}, {"conditionsV4": ["!", "-d", "192.0.2.9"]}])
def test_answers_and_reaches_as_the_reference_does(keys: dict[str, object]) -> None:
    def story(side: Side) -> object:
        add_outside()
        for container in ("web", "other"):
            status, wired = side.ask(
                "bridge", "ADD", BRIDGE, container=container, netns=add_namespace(container)
            )
            assert status == 0, wired
            if container == "web":
                chained = {**mapping(WEB, **keys), "prevResult": wired}
                status, answer = side.ask("portmap", "ADD", chained, container=container)
                assert (status, answer) == (0, wired)
        with serving("web", 80):
            found = [
                ask(*each)
                for each in (
                    (NODE4, 8080, "outside"),
                    ("192.0.2.9", 8080, "outside"),
                    (NODE4, 8080),
                    ("127.0.0.1", 8080),
                    (NODE4, 8080, "web"),
                    (NODE4, 8080, "other"),
                    (NODE6, 8080, "outside"),
                    (NODE6, 8080, "other"),
                )
            ]
        if side.ours:  # theirs looks for its IPv4 rules among those of IPv6, and fails
            status, answer = side.ask("portmap", "CHECK", chained, container="web")
            assert status == 0, answer
        status, answer = side.ask("portmap", "DEL", chained, container="web")
        assert status == 0, answer
        with serving("web", 80):
            return found, ask(NODE4, 8080, "outside")

    assert_alike(story)


def test_the_page_describes_every_key_and_its_examples_work() -> None:
    keys = (
        *("backend", "snat", "masqAll", "markMasqBit", "externalSetMarkChain"),
        *("conditionsV4", "conditionsV6", "portMappings", "hostPort", "containerPort"),
        *("protocol", "hostIP"),
    )
    assert [key for key in keys if not describes("portmap", key)] == []
    add_outside()
    chain, asked = examples("portmap")
    bridge, portmap = chain["plugins"]
    named = {"cniVersion": chain["cniVersion"], "name": chain["name"]}
    wired = wire("web", {**bridge, **named})
    add({**portmap, **named, "runtimeConfig": asked}, "web", wired)
    with serving("web", 80):
        assert ask(NODE4, 8080, "outside") == "web 192.0.2.2"

"""What the doctor of one node finds out by sending packets, in a lab with a router on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.labs import ROOT, Lab, caller, lab

_PORT = 4789


@pytest.fixture(scope="module")
def built() -> Iterator[Lab]:
    """Nodes of both families, two on one network and one beyond a router, joined by a tunnel."""
    options = ("--nodes", "3", "--pods", "1", "--ipv6", "--routed", "--backend", "vxlan")
    with caller(ROOT) as by, lab(by, *options) as found:
        yield found


def findings(built: Lab) -> list[Any]:
    """What node1 finds wrong, with nobody else's tables."""
    done = built.run("node1", "dari", "doctor", "--cluster", "-o", "json")
    assert not done.stderr, done.stderr
    found: list[Any] = json.loads(done.stdout)["findings"]
    return found


@contextmanager
def ruled(built: Lab, machine: str, hook: str, statement: str) -> Iterator[None]:
    """A rule about the tunnel's packets, for as long as the block lasts."""
    chain = f"{{ type filter hook {hook} priority 0; }}"
    rules = f"add table inet site; add chain inet site c {chain}; "
    built.ok(machine, "nft", f"{rules}add rule inet site c udp dport {_PORT} {statement}")
    yield
    built.ok(machine, "nft", "delete table inet site")


def test_a_tunnel_that_carries_packets_is_found_to_be_sound(built: Lab) -> None:
    assert findings(built) == []


@pytest.mark.parametrize(
    ("machine", "hook", "statement", "code", "seen"),
    [
        ("router", "forward", "drop", "DARI-505", "is dropped there or on the way"),
        ("node2", "input", "drop", "DARI-505", "is dropped there or on the way"),
        (
            "router",
            "forward",
            "reject with icmpx admin-prohibited",
            "DARI-505",
            "10.0.1.254 forbids what is sent to UDP port 4789 of node2",
        ),
        ("node2", "input", "reject", "DARI-903", "10.0.2.12 refuses what is sent to UDP port 4789"),
    ],
    ids=["dropped-on-the-way", "dropped-by-the-peer", "forbidden", "refused"],
)
def test_what_stops_the_tunnel_is_told_without_a_look_at_the_other_machines(
    built: Lab, machine: str, hook: str, statement: str, code: str, seen: str
) -> None:
    with ruled(built, machine, hook, statement):
        found = findings(built)
    assert {(each["code"], each["where"]) for each in found} == {(code, "node1")}
    assert all(each["subject"] == f"node2 udp {_PORT}" for each in found)
    assert seen in found[0]["what"]
    assert findings(built) == []


def test_who_can_look_at_the_filter_itself_names_that_and_nothing_more(built: Lab) -> None:
    with ruled(built, "node2", "input", "drop"):
        done = built.caller.run("doctor", "--lab", built.name, "-o", "json")
    (found,) = json.loads(done.stdout)["findings"]
    assert (found["code"], found["where"]) == ("DARI-505", "node2")
    assert found["mend"]


def test_an_answer_that_leaves_by_another_link_is_told_and_the_printed_mend_mends(
    built: Lab,
) -> None:
    """node3 is on node1's network; what it sends is answered into the pods' bridge."""
    built.ok("node1", "ip", "route", "add", "10.0.1.13/32", "dev", "cni0")
    told = {each["code"]: each for each in findings(built)}
    assert told["DARI-407"]["what"] == (
        "what node3 sends comes in by eth0; the answer to 10.0.1.13 leaves by cni0"
    )
    for command in told["DARI-407"]["mend"]:
        built.ok("node1", "sh", "-c", command)
    assert findings(built) == []


def test_a_filter_on_the_bridge_itself_is_told_and_the_printed_mend_mends(built: Lab) -> None:
    """nft's family bridge sees a pod's frames before any other rule does."""
    rules = "add table bridge site; add chain bridge site c { type filter hook input priority 0; }"
    rules += "; add rule bridge site c ip saddr 10.244.0.0/16 drop"
    built.ok("node1", "nft", rules)
    assert built.run("pod-1-1", "ping", "-4", "-c", "1", "-W", "1", "node1").returncode != 0
    (found,) = findings(built)
    assert found["code"] == "DARI-501"
    assert "bridge site c (rule" in found["what"] and "on the bridge" in found["what"]
    for command in found["mend"]:
        built.ok("node1", "sh", "-c", command)
    assert findings(built) == []
    built.ok("pod-1-1", "ping", "-4", "-c", "1", "-w", "60", "node1")
    built.ok("node1", "nft", "delete table bridge site")


def test_rules_of_iptables_legacy_are_read_in_a_lab_too(built: Lab) -> None:
    built.ok("node1", "iptables-legacy", "-P", "FORWARD", "DROP")
    (found,) = findings(built)
    assert found["code"] == "DARI-501"
    assert "iptables-legacy filter FORWARD (its policy)" in found["what"]
    assert found["mend"] == ["iptables-legacy -t filter -P FORWARD ACCEPT"]
    built.ok("node1", "sh", "-c", found["mend"][0])
    assert findings(built) == []

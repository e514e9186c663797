"""Rules are read as the kernel would apply them, and what cannot be read is said to be so."""

from __future__ import annotations

from typing import Any

import pytest

from dari.explain.journey import Flow, Journey
from dari.explain.walk import walk
from tests.unit.explain.cluster import changed, snapshot

MATCH = {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}}
DROP, ACCEPT = {"drop": None}, {"accept": None}
TCP = Flow(protocol="tcp", port=80)


def chain(hook: str, kind: str = "filter", policy: str = "accept", priority: int = 0) -> Any:
    base = {"family": "inet", "table": "t", "name": hook, "hook": hook, "type": kind}
    return {"chain": {**base, "prio": priority, "policy": policy}}


def rule(name: str, *statements: Any) -> Any:
    body = {"family": "inet", "table": "t", "chain": name, "handle": 7, "expr": list(statements)}
    return {"rule": body}


def match(field: str, right: Any, protocol: str = "ip", op: str = "==") -> Any:
    left = {"payload": {"protocol": protocol, "field": field}}
    return {"match": {"op": op, "left": left, "right": right}}


def meta(key: str, right: Any) -> Any:
    return {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": right}}


def state(*names: str) -> Any:
    return {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": list(names)}}


def prefix(text: str) -> Any:
    address, _, length = text.partition("/")
    return {"prefix": {"addr": address, "len": int(length)}}


def journey(*ruleset: Any, flow: Flow = TCP, target: str = "pod-2") -> Journey:
    """pod-1's packets with these rules on node1."""
    world = changed(snapshot(), "node1", lambda place: place.replace(ruleset=tuple(ruleset)))
    return walk(world, "pod-1", target, flow)


@pytest.mark.parametrize(
    ("statements", "dropped"),
    [
        ([match("saddr", "10.244.1.2")], True),
        ([match("saddr", "10.244.1.3")], False),
        ([match("saddr", prefix("10.244.0.0/16"))], True),
        ([match("saddr", prefix("10.244.0.0/16"), op="!=")], False),
        ([match("daddr", {"set": [prefix("10.9.0.0/16"), "10.244.2.2"]})], True),
        ([match("saddr", "fd00::1", protocol="ip6")], False),
        ([match("saddr", "fd00::1", protocol="ip6", op="!=")], False),
        ([match("dport", {"set": [80, {"range": [440, 450]}]}, protocol="tcp")], True),
        ([match("dport", 443, protocol="tcp")], False),
        ([match("dport", 80, protocol="udp")], False),
        ([meta("iifname", "cni*"), meta("oifname", "eth0")], True),
        ([meta("iifname", "lo")], False),
        ([meta("l4proto", "tcp")], True),
        ([meta("mark", 1)], False),
        ([state("invalid", "related")], False),
        ([state("new")], True),
        ([{"counter": {"packets": 0, "bytes": 0}}], True),
        ([{"xt": {"type": "match", "name": "comment"}}], True),
    ],
)
def test_a_rule_drops_just_what_it_fits(statements: list[Any], dropped: bool) -> None:
    found = journey(chain("forward"), rule("forward", *statements, DROP))
    assert (not found.arrives) == dropped
    assert [one.code for one in found.findings] == (["DARI-501"] if dropped else [])
    assert found.complete


def test_a_policy_drops_what_no_rule_accepts() -> None:
    rules = [chain("forward", policy="drop"), rule("forward", match("saddr", "10.244.1.2"), ACCEPT)]
    assert not journey(*rules).answered  # the answer comes from another address
    assert journey(*rules, rule("forward", state("established"), ACCEPT)).works
    found = journey(chain("forward", policy="drop"))
    assert found.findings[0].mend == ("nft 'add chain inet t forward { policy accept; }'",)


def test_accepting_ends_one_chain_and_not_the_next() -> None:
    later = {**chain("forward", priority=10)["chain"], "name": "later"}
    rules = [chain("forward"), rule("forward", ACCEPT), {"chain": later}, rule("later", DROP)]
    assert not journey(*rules).arrives


def test_jumps_maps_and_named_sets_are_followed() -> None:
    named = {"family": "inet", "table": "t", "name": "bad", "type": "ipv4_addr"}
    verdicts = {"set": [["tcp", {"jump": {"target": "sub"}}], ["udp", {"accept": None}]]}
    rules = [
        {"set": {**named, "elem": ["10.244.1.2", {"elem": {"val": "10.244.2.2", "timeout": 9}}]}},
        chain("forward"),
        rule("forward", {"vmap": {"key": {"meta": {"key": "l4proto"}}, "data": verdicts}}),
        rule("sub", match("daddr", "@bad"), {"return": None}),
        rule("sub", DROP),
    ]
    assert journey(*rules).works
    assert not journey(*rules[1:]).arrives
    assert journey(*rules[1:], flow=Flow(protocol="udp", port=80)).works


def test_what_cannot_be_read_is_said_and_not_guessed() -> None:
    unknown = {"xt": {"type": "match", "name": "conntrack"}}
    found = journey(chain("forward"), rule("forward", unknown, DROP))
    assert found.arrives and not found.complete
    assert [hop.verdict for hop in found.there if hop.step == "filter"] == ["unread"]
    harmless = journey(chain("forward"), rule("forward", unknown, ACCEPT))
    assert harmless.complete


def test_masquerading_is_undone_for_the_answer() -> None:
    rules = [chain("postrouting", "nat"), rule("postrouting", {"masquerade": None})]
    found = journey(*rules, target="outside")
    assert found.works and str(found.seen_as) == "10.0.1.11"
    between = journey(*rules)
    assert between.answered and [one.code for one in between.findings] == ["DARI-504"]
    assert [one.code for one in journey(target="outside").findings] == ["DARI-503"]


def test_a_destination_led_elsewhere_comes_back_under_its_name() -> None:
    to = {"dnat": {"family": "ip", "addr": "10.244.2.2", "port": 8080}}
    service = match("daddr", "10.96.0.1")
    rules = [chain("prerouting", "nat"), rule("prerouting", service, to)]
    found = journey(*rules, target="10.96.0.1")
    assert found.answered and found.findings == ()
    assert found.there[-1].where == "pod-2"
    stale = [
        chain("prerouting", "nat"),
        rule("prerouting", match("daddr", "10.244.2.2"), {"dnat": {"addr": "10.244.2.9"}}),
    ]
    assert "DARI-506" in {one.code for one in journey(*stale).findings}

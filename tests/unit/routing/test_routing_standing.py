"""Judging a node's change alone comes to what deciding about all nodes comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.model import NodeName
from dari.routing.desired import Plan, consider, plan_of
from dari.routing.peer import AUTO, BGP, DIRECT, FLANNEL, VXLAN, Peer, Speech
from dari.routing.prefixes import Prefixes, key_of, key_of_host, last_of
from dari.routing.standing import Standing
from dari.routing.way import Overlay
from tests.unit.routing.nodes import TABLE

if TYPE_CHECKING:
    from dari.model import IPNetwork

NAMES = [NodeName(f"node{number}") for number in range(2, 7)]
ADDRESSES = ["192.168.0.1", "192.168.0.2", "192.168.0.3", "10.244.9.9", "192.168.7.7", "fd00::2"]
RANGES = ["10.244.2.0/24", "10.244.3.0/24", "10.244.9.0/24", "10.244.0.0/20", "fd00:244:2::/64"]
MACS = ["", "0a:00:00:00:00:01", "0a:00:00:00:00:02", "0a:00:00:00:00:03"]

speeches = st.builds(
    lambda kind, mac, mac6: Speech(type=kind, vni=79, port=4789, mac=mac, mac6=mac6),
    st.sampled_from([DIRECT, VXLAN, AUTO, BGP, FLANNEL]),
    st.sampled_from(MACS),
    st.sampled_from(MACS),
)


def some(texts: list[str], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(texts), max_size=most, unique=True)


def peer(name: str, addresses: list[str], ranges: list[str], speech: Speech, trouble: str) -> Peer:
    return Peer(
        name=NodeName(name),
        addresses=tuple(map(ip_address, addresses)),
        ranges=tuple(map(ip_network, ranges)),
        speech=speech,
        trouble=trouble,
    )


def joining(name: str, ranges: list[str]) -> Peer:
    return Peer(name=NodeName(name), ranges=tuple(map(ip_network, ranges)), joining=True)


def peers(name: NodeName) -> st.SearchStrategy[Peer]:
    trouble = st.sampled_from(["", "", "", "its record is odd"])
    told = st.builds(peer, st.just(name), some(ADDRESSES, 2), some(RANGES, 2), speeches, trouble)
    return told | st.builds(joining, st.just(name), some(RANGES, 2))


changes = st.lists(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: st.none() | peers(name) for name in names})
    ),
    max_size=8,
)


def own(kind: str) -> Peer:
    speech = Speech(type=kind, vni=79, port=4789, mac=MACS[1])
    return peer("node1", ["192.168.0.1", "fd00::1"], ["10.244.1.0/24"], speech, "")


def rows(plan: Plan) -> Counter[object]:
    return Counter([*plan.routes, *plan.remotes])


class Cluster:
    """All peers, the whole decision about them, and one that was kept up."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.there: dict[NodeName, Peer] = {}
        self._decide()
        self.standing = Standing(self.considered)

    def _decide(self) -> None:
        every = self.there.values()
        self.considered = consider(own(self.kind), every, TABLE, Overlay(type=self.kind), 1500)
        self.plan = plan_of(self.considered)

    def change(self, delta: Mapping[NodeName, Peer | None]) -> bool:
        """Both ways; were they the same? True: it was judged alone."""
        before = self.plan
        self.there.update({name: each for name, each in delta.items() if each is not None})
        for name in [name for name, each in delta.items() if each is None]:
            self.there.pop(name, None)
        self._decide()
        shift = self.standing.change(delta)
        if shift is None:
            self.standing = Standing(self.considered)
            return False
        kept = rows(before)
        kept.subtract(shift.withdrawn)
        kept.update(shift.granted)
        assert +kept == rows(self.plan) and not -kept
        assert (self.plan.tunnels, self.plan.learnt) == (before.tunnels, before.learnt)
        assert self.plan.refused == before.refused
        return True

    def compare(self) -> None:
        """What is told of the decision that was kept up."""
        assert self.standing.reached == self.plan.reached
        ends = {(each.tunnel, each.mac): each.address for each in self.plan.remotes}
        devices = [each.name for each in self.plan.tunnels]
        for end in product(devices, MACS):
            assert self.standing.vtep(*end) == ends.get(end)


@pytest.mark.parametrize("kind", [DIRECT, VXLAN, AUTO, BGP, FLANNEL])
@given(changes)
@settings(max_examples=150, deadline=None)
def test_after_any_changes_it_is_what_deciding_about_all_comes_to(
    kind: str, deltas: list[dict[NodeName, Peer | None]]
) -> None:
    cluster = Cluster(kind)
    for delta in deltas:
        cluster.change(delta)
        cluster.compare()


def plain(number: int, kind: str, address: str = "") -> Peer:
    speech = Speech(type=kind, vni=79, port=4789, mac=f"0a:00:00:00:01:{number:02x}")
    given = [address or f"192.168.0.{number}"]
    return peer(f"node{number}", given, [f"10.244.{number}.0/24"], speech, "")


@pytest.mark.parametrize("kind", [DIRECT, VXLAN, AUTO])
def test_nodes_that_come_move_and_go_are_judged_alone(kind: str) -> None:
    cluster = Cluster(kind)
    cluster.change({NodeName("node2"): plain(2, kind)})
    for delta in (
        {NodeName("node3"): plain(3, kind), NodeName("node4"): plain(4, kind)},
        {NodeName("node3"): plain(3, kind, "192.168.0.33")},
        {NodeName("node4"): plain(4, kind).replace(ranges=(ip_network("10.244.40.0/24"),))},
        {NodeName("node3"): None},
    ):
        assert cluster.change(delta)
        cluster.compare()


def test_a_range_that_passes_from_one_node_to_another_is_judged_with_both() -> None:
    cluster = Cluster(DIRECT)
    two, three = NodeName("node2"), NodeName("node3")
    cluster.change({two: plain(2, DIRECT)})
    taken = plain(3, DIRECT).replace(ranges=(ip_network("10.244.2.0/24"),))
    assert cluster.change({two: None, three: taken})
    assert not cluster.change({two: plain(2, DIRECT)})  # now both claim it
    assert not cluster.change({two: None})  # so the other's is granted again


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 15), st.integers(26, 32)), max_size=30),
    st.integers(0, 15),
    st.integers(26, 32),
)
def test_prefixes_touch_as_ipaddress_says(
    steps: list[tuple[bool, int, int]], number: int, length: int
) -> None:
    def network(number: int, length: int) -> IPNetwork:
        return ip_network((0x0A000000 + number * 8, length), strict=False)

    held: list[IPNetwork] = []
    prefixes = Prefixes()
    for add, *parts in steps:
        each = network(*parts)
        if add:
            held.append(each)
            prefixes.add(key_of(each))
        elif each in held:
            held.remove(each)
            prefixes.remove(key_of(each))
    asked = network(number, length)
    assert prefixes.touch(key_of(asked)) == any(each.overlaps(asked) for each in held)
    assert not prefixes.touch(key_of(ip_network("fd00::/64")))
    assert last_of(key_of(asked)) == int(asked.broadcast_address)
    assert key_of_host(asked.network_address) == key_of(ip_network(asked.network_address))

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.model import NodeName
from dari.netlink.route import KernelRoute
from dari.routing.desired import Plan, plan_routes
from dari.routing.peer import Peer
from dari.routing.way import RTPROT_DARI


def peer(name: str, addresses: str, ranges: str = "") -> Peer:
    return Peer(
        name=NodeName(name),
        addresses=tuple(map(ip_address, addresses.split())),
        ranges=tuple(map(ip_network, ranges.split())),
    )


TABLE = [
    KernelRoute(dst=ip_network("0.0.0.0/0"), gateway=ip_address("192.168.0.254"), device=2),
    KernelRoute(dst=ip_network("192.168.0.0/24"), device=2, protocol=2),
    KernelRoute(dst=ip_network("fd00::/64"), device=2, protocol=2, metric=256),
    KernelRoute(dst=ip_network("10.244.1.0/24"), device=9, protocol=2),
]
OWN = peer("node1", "192.168.0.1 fd00::1", "10.244.1.0/24 fd00:244:1::/64")
TWO = peer("node2", "192.168.0.2 fd00::2", "10.244.2.0/24 fd00:244:2::/64")
FAR = peer("node3", "192.168.1.3", "10.244.3.0/24")


def plan(*peers: Peer, own: Peer = OWN) -> Plan:
    return plan_routes(own, peers, TABLE)


def ways(found: Plan) -> dict[str, str]:
    return {str(route.dst): str(route.gateway) for route in found.routes}


def test_each_range_goes_by_the_peers_address_of_its_family() -> None:
    found = plan(OWN, TWO)
    assert ways(found) == {"10.244.2.0/24": "192.168.0.2", "fd00:244:2::/64": "fd00::2"}
    assert found.refused == ()


def test_routes_carry_daris_mark_and_compare_equal_to_what_the_kernel_tells() -> None:
    first, second = plan(TWO).routes
    assert first.protocol == second.protocol == RTPROT_DARI
    assert (first.device, first.metric, first.onlink) == (2, 0, False)
    assert (second.device, second.metric, second.onlink) == (2, 1024, False)


def test_a_peer_on_another_segment_is_reached_through_the_router() -> None:
    assert ways(plan(FAR)) == {"10.244.3.0/24": "192.168.0.254"}


def test_a_router_has_routes_to_every_node() -> None:
    router = peer("router", "192.168.0.254")
    assert ways(plan(OWN, TWO, own=router)) == {
        "10.244.1.0/24": "192.168.0.1",
        "10.244.2.0/24": "192.168.0.2",
        "fd00:244:1::/64": "fd00::1",
        "fd00:244:2::/64": "fd00::2",
    }


def test_a_gateway_that_needs_onlink_keeps_it() -> None:
    table = [
        KernelRoute(
            dst=ip_network("0.0.0.0/0"),
            gateway=ip_address("172.31.1.1"),
            device=2,
            onlink=True,
        )
    ]
    (route,) = plan_routes(OWN, [FAR], table).routes
    assert route.onlink and str(route.gateway) == "172.31.1.1"


def test_daris_own_routes_do_not_decide_how_a_node_is_reached() -> None:
    lying = KernelRoute(
        dst=ip_network("192.168.0.2/32"),
        gateway=ip_address("192.168.0.66"),
        device=2,
        protocol=RTPROT_DARI,
    )
    assert plan_routes(OWN, [TWO], [*TABLE, lying]) == plan(TWO)


def test_a_range_claimed_by_two_nodes_is_refused_and_both_are_named() -> None:
    twin = peer("node4", "192.168.0.4", "10.244.2.0/24 10.244.4.0/24")
    found = plan(TWO, twin)
    assert set(ways(found)) == {"10.244.4.0/24", "fd00:244:2::/64"}
    assert found.refused == (
        "pod range 10.244.2.0/24 is claimed by both node2 and node4: no route to it",
    )


def test_overlapping_ranges_are_refused_however_they_nest() -> None:
    wide = peer("node4", "192.168.0.4", "10.244.0.0/16")
    found = plan(TWO, wide, FAR)
    assert set(ways(found)) == {"fd00:244:2::/64"}
    for name in ("node1", "node2", "node3"):
        assert any(name in text and "10.244.0.0/16 of node4" in text for text in found.refused)


def test_a_range_of_this_very_node_is_not_routed_away() -> None:
    thief = peer("node4", "192.168.0.4", "10.244.1.0/24")
    found = plan(thief)
    assert found.routes == ()
    assert "both node1 and node4" in found.refused[0]


@pytest.mark.parametrize(
    ("stranger", "reason"),
    [
        (peer("bad", "192.168.0.66", "192.168.0.0/30"), "holds the address of node node1"),
        (peer("bad", "192.168.0.66", "192.168.0.0/16"), "holds the address of node"),
        (peer("bad", "", "10.7.0.0/24"), "bad has no IPv4 address"),
        (peer("bad", "192.168.0.66", "fd07::/64"), "bad has no IPv6 address"),
        (peer("bad", "fd99::1", "fd07::/64"), "no way to bad at fd99::1"),
        (peer("bad", "192.168.0.1", "10.7.0.0/24"), "claims this node's address 192.168.0.1"),
    ],
)
def test_a_range_that_cannot_be_served_gets_no_route_and_a_reason(
    stranger: Peer, reason: str
) -> None:
    found = plan(TWO, stranger)
    assert len(found.routes) == 2
    assert len(found.refused) == 1
    assert reason in found.refused[0]


def test_a_node_that_is_still_joining_gets_no_route_and_that_is_no_trouble() -> None:
    late = peer("late", "", "10.7.0.0/24").replace(joining=True)
    found = plan(TWO, late)
    assert (len(found.routes), found.refused) == (2, ())
    thief = late.replace(ranges=TWO.ranges)
    assert any("both late and node2" in each for each in plan(TWO, thief).refused)


def test_the_plan_does_not_depend_on_the_order_of_records() -> None:
    twin = peer("node4", "192.168.0.4", "10.244.2.0/24")
    assert plan(TWO, FAR, twin) == plan(twin, FAR, TWO)


NETWORKS = st.tuples(st.integers(0, 255), st.integers(6, 8)).map(
    lambda pair: ip_network(((10 << 24) + (pair[0] << 16 << 2 & 0xFFFFFF), pair[1] + 8), False)
)
PEERS = st.lists(st.tuples(st.integers(2, 30), st.lists(NETWORKS, max_size=3)), max_size=8).map(
    lambda rows: [
        Peer(
            name=NodeName(f"node{number}"),
            addresses=(ip_address(f"192.168.0.{number}"),),
            ranges=tuple(networks),
        )
        for number, networks in dict(rows).items()
    ]
)


@given(PEERS)
@settings(max_examples=150, deadline=None)
def test_no_two_nodes_ever_share_a_route_and_nothing_is_dropped_in_silence(
    peers: list[Peer],
) -> None:
    found = plan_routes(peer("me", "192.168.0.1"), peers, TABLE)
    owners = {one.addresses[0]: one for one in peers}
    for route in found.routes:
        assert route.gateway is not None
        for other in peers:
            if other != owners[route.gateway]:
                assert not any(route.dst.overlaps(each) for each in other.ranges)
    routed = {route.dst for route in found.routes}
    for one in peers:
        for each in one.ranges:
            assert each in routed or any(str(each) in text for text in found.refused)

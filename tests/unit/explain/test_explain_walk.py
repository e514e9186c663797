"""A walk ends where a packet would, and names why."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from dari.causes import addresses, identity, links, paths, settings
from dari.causes.cause import Cause
from dari.explain.journey import Journey
from dari.explain.walk import walk
from dari.netlink.address import Address
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.netlink.rule import Rule
from dari.snapshot.model import Place
from tests.unit.explain.cluster import (
    BRIDGE,
    CABLE,
    ETH0,
    changed,
    local,
    plus,
    pod_range,
    snapshot,
    with_link,
    with_route,
    with_setting,
    without_route,
)

Change = Callable[[Place], Place]
NODES = ("pod-1", "pod-2", "node1", "node2")


def codes(journey: Journey) -> set[str]:
    return {one.code for one in journey.findings}


def without(*addresses_: str) -> Change:
    """A change that takes addresses away, with the routes that came with them."""

    def change(place: Place) -> Place:
        gone = {ip_address(one) for one in addresses_}
        devices = {one.index for one in place.addresses if one.interface.ip in gone}
        return place.replace(
            addresses=tuple(one for one in place.addresses if one.interface.ip not in gone),
            routes=tuple(
                one for one in place.routes if one.device not in devices or one.gateway is not None
            ),
        )

    return change


def another_port(place: Place) -> Link:
    """A port of the bridge with nothing behind it that anybody reads."""
    (cable,) = (one for one in place.links if one.index == CABLE)
    return cable.replace(index=7, name="dari9", kind="dummy", peer_index=0)


@pytest.mark.parametrize("source", NODES)
@pytest.mark.parametrize("target", NODES)
def test_in_a_healthy_cluster_everybody_reaches_everybody(source: str, target: str) -> None:
    journey = walk(snapshot(), source, target)
    assert journey.works and journey.complete
    assert journey.findings == ()
    assert journey.seen_as == journey.source.address
    assert journey.largest >= 1500


def test_a_pod_s_way_to_another_node_shows_each_table_that_decides() -> None:
    journey = walk(snapshot(), "pod-1", "pod-2")
    assert [(hop.where, hop.step) for hop in journey.there] == [
        ("pod-1", "route"),
        ("pod-1", "neighbour"),
        ("node1", "fdb"),
        ("node1", "route"),
        ("node1", "neighbour"),
        ("switch", "fdb"),
        ("node2", "route"),
        ("node2", "neighbour"),
        ("node2", "fdb"),
        ("pod-2", "deliver"),
    ]
    assert journey.there[3].row == "10.244.2.0/24 via 10.0.1.12 dev eth0 proto 79"


PEER, OWN = str(pod_range(2)), str(pod_range(1))
FAULTS: dict[str, tuple[Cause, str, Change]] = {
    "forwarding off": (
        settings.FORWARDING_OFF,
        "node2",
        with_setting("net/ipv4/conf/eth0/forwarding", "0"),
    ),
    "strict rp_filter, and the way back elsewhere": (
        settings.REVERSE_PATH_FILTER,
        "node2",
        lambda place: with_setting("net/ipv4/conf/all/rp_filter", "1")(
            with_route(dst=pod_range(1), device=BRIDGE)(place)
        ),
    ),
    "route missing": (paths.ROUTE_MISSING, "node1", without_route(PEER)),
    "route wrong": (
        paths.ROUTE_WRONG,
        "node1",
        with_route(dst=pod_range(2), gateway=ip_address("10.0.1.254"), device=ETH0, protocol=79),
    ),
    "more specific route": (
        paths.ROUTE_SHADOWED,
        "node1",
        with_route(dst=ip_network("10.244.2.0/25"), gateway=ip_address("10.0.1.254"), device=ETH0),
    ),
    "blackhole": (
        paths.ROUTE_REFUSES,
        "node1",
        with_route(dst=ip_network("10.244.2.0/24"), kind=6, protocol=4),
    ),
    "policy rule": (
        paths.ROUTE_SHADOWED,
        "node1",
        lambda place: plus("rules", Rule(version=4, priority=100, table=100))(
            with_route(dst=ip_network("0.0.0.0/0"), kind=7, table=100)(place)
        ),
    ),
    "permanent ARP entry with another MAC": (
        paths.NEIGHBOUR_STALE,
        "node1",
        plus(
            "neighbours",
            Neighbour(index=ETH0, address=ip_address("10.0.1.12"), mac="02:00:00:00:00:99"),
        ),
    ),
    "wrong forwarding entry": (
        paths.FORWARDING_ENTRY_WRONG,
        "node2",
        lambda place: plus(
            "fdb", Neighbour(index=7, mac="0a:58:0a:f4:02:02", master=BRIDGE, state=0x40)
        )(plus("links", another_port(place))(place)),
    ),
    "bridge without its address": (links.BRIDGE_ADDRESS_MISSING, "node1", without("10.244.1.1")),
    "bridge down": (links.BRIDGE_DOWN, "node1", with_link("cni0", up=False)),
    "cable down": (links.CABLE_DOWN, "node1", with_link("dari1", up=False)),
    "cable unplugged": (links.CABLE_UNPLUGGED, "node1", with_link("dari1", master=0)),
    "node interface down": (links.NODE_INTERFACE_DOWN, "node1", with_link("eth0", up=False)),
    "pod interface down": (links.POD_INTERFACE, "pod-2", with_link("eth0", up=False)),
    "pod without route": (links.POD_ROUTE, "pod-1", without_route("0.0.0.0/0")),
    "pod without address": (links.POD_ADDRESS, "pod-2", without("10.244.2.2")),
    "pod cable's MTU too small": (links.MTU_MISMATCH, "node1", with_link("dari1", mtu=900)),
    "switch's MTU too small": (
        paths.LARGE_PACKETS_LOST,
        "switch",
        with_link("node2", mtu=1400),
    ),
    "way back missing": (paths.ROUTE_MISSING, "node2", without_route(OWN)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_by_its_cause(fault: str) -> None:
    cause, where, change = FAULTS[fault]
    journey = walk(changed(snapshot(), where, change), "pod-1", "pod-2")
    assert cause.code in codes(journey)
    assert not journey.works


def test_an_address_that_two_machines_have_is_named_where_the_wrong_one_is_met() -> None:
    twin = Address(index=ETH0, interface=ip_interface("10.0.1.12/24"))
    both = changed(snapshot(), "outside", plus("addresses", twin))
    both = changed(both, "outside", plus("routes", local("10.0.1.12", ETH0)))
    entry = Neighbour(index=ETH0, address=ip_address("10.0.1.12"), mac="02:1a:0a:00:01:fe", state=2)
    journey = walk(changed(both, "node1", plus("neighbours", entry)), "node1", "node2")
    assert not journey.arrives and codes(journey) == {identity.DUPLICATE_ADDRESS.code}


def test_a_second_claim_to_a_pod_range_is_named() -> None:
    healthy = snapshot()
    (node1, *others) = healthy.machines
    claims = (*node1.peers, node1.peers[0].replace(name="node9"))
    claimed = healthy.replace(machines=(node1.replace(peers=claims), *others))
    assert addresses.DUPLICATE_RANGE.code in codes(walk(claimed, "pod-1", "pod-2"))

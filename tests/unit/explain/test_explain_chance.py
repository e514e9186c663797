"""Where the tables do not decide, a journey says what does; where they do, it does not."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address, ip_interface, ip_network
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.causes import identity, links, settings
from dari.explain.chance import MOST, Chances, each
from dari.explain.echo import echo_in, echo_request, replied
from dari.explain.gates import check_family
from dari.explain.journey import Journey
from dari.explain.packet import Packet
from dari.explain.show import verdict
from dari.explain.stops import Stopped, Teller
from dari.explain.walk import walk
from dari.explain.world import World
from dari.netlink.address import Address
from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute
from dari.snapshot.model import Place, Snapshot
from tests.unit.explain.cluster import (
    BRIDGE,
    ETH0,
    changed,
    local,
    plus,
    pod_range,
    snapshot,
    with_link,
    with_route,
    with_setting,
)

PEERS_MAC = "02:1a:0a:00:01:0c"
STALE = 0x04


def twins(healthy: Snapshot) -> Snapshot:
    """The host outside has node2's MAC, and the switch heard it last."""
    heard = Neighbour(index=3, mac=PEERS_MAC, state=2, master=9)
    both = changed(healthy, "outside", with_link("eth0", mac=PEERS_MAC))
    return changed(both, "switch", plus("fdb", heard))


def codes(journey: Journey) -> set[str]:
    return {one.code for one in journey.findings}


def test_two_with_one_mac_are_reached_by_who_spoke_last() -> None:
    journey = walk(twins(snapshot()), "pod-1", "pod-2")
    assert journey.depends == ("which of node2, outside, who have one MAC, was heard last",)
    assert not journey.arrives and not journey.works
    assert codes(journey) == {identity.DUPLICATE_MAC.code}
    assert "may or may not" in verdict(journey)


def test_an_answer_to_one_of_two_with_one_mac_comes_back_as_it_was_just_heard() -> None:
    journey = walk(twins(snapshot()), "pod-2", "pod-1")
    assert journey.answered and not journey.depends
    assert codes(journey) == {identity.DUPLICATE_MAC.code}


def test_two_with_one_mac_never_reach_each_other() -> None:
    journey = walk(twins(snapshot()), "node2", "outside")
    assert (journey.answered, journey.depends) == (False, ())
    assert journey.ends_at == ("node2", False)  # the answer to its question does not come back


def test_an_address_that_two_have_is_reached_by_who_answers_first() -> None:
    twin = Address(index=ETH0, interface=ip_interface("10.0.1.12/24"))
    both = changed(snapshot(), "outside", plus("addresses", twin))
    both = changed(both, "outside", plus("routes", local("10.0.1.12", ETH0)))
    journey = walk(both, "node1", "node2")
    assert journey.depends == ("who of node2, outside answers first for 10.0.1.12",)
    assert codes(journey) == {identity.DUPLICATE_ADDRESS.code}


def test_an_entry_that_is_out_of_date_is_used_until_it_is_asked_about() -> None:
    entry = Neighbour(
        index=ETH0, address=ip_address("10.0.1.12"), mac="02:00:00:00:00:07", state=STALE
    )
    journey = walk(changed(snapshot(), "node1", plus("neighbours", entry)), "node1", "node2")
    assert not journey.arrives and journey.ends_at == ("switch", False)
    assert journey.depends == ("whether node1 has found out that 10.0.1.12 has another MAC now",)


def test_a_cable_that_is_down_at_its_far_end_is_where_nothing_gets_in() -> None:
    down = changed(snapshot(), "node1", with_link("dari1", up=False))
    journey = walk(down, "pod-1", "pod-2")
    assert journey.ends_at == ("pod-1", False)
    assert codes(journey) == {links.CABLE_DOWN.code}


def test_a_second_cable_between_two_nodes_is_followed() -> None:
    (node1, node2, *_others) = snapshot().machines
    joined = snapshot()
    for number, node in ((1, node1), (2, node2)):
        (eth0,) = (one for one in node.place.links if one.index == ETH0)
        end = eth0.replace(index=9, name="storage", mac=f"02:00:00:00:99:0{number}", peer_index=9)
        address = Address(index=9, interface=ip_interface(f"10.0.99.{number}/30"))
        joined = changed(joined, node.name, plus("links", end))
        joined = changed(joined, node.name, plus("addresses", address))
        joined = changed(joined, node.name, plus("routes", local(f"10.0.99.{number}", 9)))
        network = KernelRoute(dst=ip_network("10.0.99.0/30"), device=9, protocol=2)
        joined = changed(joined, node.name, plus("routes", network))
    way = with_route(dst=ip_network("10.244.2.0/25"), gateway=ip_address("10.0.99.2"), device=9)
    journey = walk(changed(joined, "node1", way), "node1", "pod-2")
    assert journey.answered and "switch" not in {hop.where for hop in journey.there}


def test_a_pod_without_its_address_is_named_though_its_kernel_finds_another() -> None:
    def bare(place: Place) -> Place:
        return place.replace(addresses=(), routes=place.routes[1:])

    journey = walk(changed(snapshot(), "pod-1", bare), "pod-1", "pod-2")
    assert links.POD_ADDRESS.code in codes(journey)


def test_ipv6_that_is_off_for_a_link_lets_nothing_in() -> None:
    off = changed(snapshot(), "node1", with_setting("net/ipv6/conf/cni0/disable_ipv6", "1"))
    spot = World(off).spot("node1")
    assert spot is not None
    packet = Packet(src=ip_address("fd00::1"), dst=ip_address("fd00::2"))
    with pytest.raises(Stopped) as stopped:
        check_family(Teller(lambda _hop: None), spot, spot.links[BRIDGE], packet)
    assert stopped.value.finding is not None
    assert stopped.value.finding.code == settings.IPV6_OFF.code


def test_a_way_in_circles_ends_where_no_router_may_pass_it_on_and_is_told_once_around() -> None:
    to_node1 = with_route(dst=pod_range(2), gateway=ip_address("10.0.1.11"), device=ETH0)
    looped = changed(snapshot(), "node2", to_node1)
    journey = walk(looped, "pod-1", "pod-2")
    assert journey.ends_at == ("node2", False)  # the 64th that it comes to, after node1
    assert len(journey.there) < 20 and "circles" in journey.there[-1].text


def test_where_there_is_no_room_for_a_connection_none_begins_but_answers_pass() -> None:
    full = changed(
        snapshot(), "node2", lambda place: place.replace(connections=1000, most_connections=1000)
    )
    there = walk(full, "pod-1", "pod-2")
    assert there.ends_at == ("node2", False) and not there.depends
    assert codes(there) == {settings.CONNTRACK_FULL.code}
    nearly = changed(
        snapshot(), "node2", lambda place: place.replace(connections=995, most_connections=1000)
    )
    assert walk(nearly, "pod-1", "pod-2").depends == (
        "whether node2 has room for one more connection",
    )


def test_where_a_question_is_lost_the_packet_has_not_left() -> None:
    journey = walk(changed(snapshot(), "node1", with_link("cni0", up=False)), "pod-1", "pod-2")
    assert [hop.where for hop in journey.there] == ["pod-1", "node1"]
    assert journey.ends_at == ("pod-1", False)
    assert links.BRIDGE_DOWN.code in codes(journey)


def test_a_packet_s_fate_is_decided_anew_for_each_way_that_chance_can_take() -> None:
    def two_dice(chances: Chances) -> tuple[int, int]:
        first = chances.pick(2, "the first")
        return first, chances.pick(3, "the second") if first else 0

    assert sorted(found for found, _chances in each(two_dice)) == [(0, 0), (1, 0), (1, 1), (1, 2)]


@given(st.lists(st.integers(1, 4), max_size=8))
def test_no_way_is_taken_twice_and_not_too_many(counts: list[int]) -> None:
    def run(chances: Chances) -> tuple[int, ...]:
        return tuple(chances.pick(count, "") for count in counts)

    ways = [way for way, _chances in each(run)]
    assert len(set(ways)) == len(ways) == min(prod(counts), MOST)


def ethernet(kind: int, packet: bytes) -> bytes:
    return bytes(12) + struct.pack("!H", kind) + packet


def ipv4(protocol: int, body: bytes, options: bytes = b"") -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, *(0,) * 5, protocol, 0, b"", b"")
    return head + options + body


@given(st.binary(min_size=8, max_size=40), st.sampled_from([b"", bytes(4)]))
def test_an_echo_is_known_by_its_payload_in_a_frame_and_in_a_tunnel(
    payload: bytes, options: bytes
) -> None:
    payload = payload[: len(payload) // 2 * 2]
    echo = echo_request(socket.AF_INET, 7, 1, payload)
    frame = ethernet(0x0800, ipv4(1, echo, options))
    assert echo_in(frame) == (False, payload)
    udp = struct.pack("!HHHH", 50000, 4789, 0, 0)
    assert echo_in(ethernet(0x0800, ipv4(17, udp + bytes(8) + frame))) == (False, payload)
    six = bytes(6) + b"\x3a" + bytes(33) + b"\x81" + echo[1:]
    assert echo_in(ethernet(0x86DD, six)) == (True, payload)
    error = b"\x0b" + bytes(7) + ipv4(1, echo)
    assert echo_in(ethernet(0x0800, ipv4(1, error))) is None
    assert replied(socket.AF_INET, ipv4(1, b"\0" + echo[1:], options)) == payload


@given(st.binary(max_size=120))
def test_any_frame_can_be_asked_for_an_echo(frame: bytes) -> None:
    echo_in(frame)

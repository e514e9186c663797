"""Which notifications matter; the bytes are made as the kernel makes them."""

from __future__ import annotations

from ipaddress import ip_address
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.agent.events import (
    concerns_firewall,
    concerns_network,
    concerns_tunnel,
    is_as_wanted,
    is_own,
)
from dari.model import ContainerId, InterfaceName, Owner
from dari.netlink import constants as c
from dari.netlink.codec import Message, attribute
from dari.netlink.neighbour import Neighbour, replace_fdb, replace_neighbour
from dari.wiring.names import host_end, shaper

OWNER = Owner(container_id=ContainerId("web1"), ifname=InterfaceName("eth0"))
HOST_END = host_end(OWNER)


def message(kind: int, body: bytes) -> Message:
    return Message(kind=kind, flags=0, sequence=0, port=0, body=body)


def link(name: str, family: int = 0, kind: int = c.RTM_NEWLINK) -> Message:
    header = pack("=BxHiII", family, 0, 3, 0, 0)
    return message(kind, header + attribute(c.IFLA_IFNAME, name.encode() + b"\0"))


def route(table: int, kind: int = c.RTM_DELROUTE) -> Message:
    return message(kind, pack("=BBBBBBBBI", 2, 24, 0, 0, table, 79, 0, 1, 0))


def nft(kind: int, table: str) -> Message:
    return message(10 << 8 | kind, pack("=BBH", 1, 0, 0) + attribute(1, table.encode() + b"\0"))


@pytest.mark.parametrize(
    "event",
    [
        link("eth0"),
        link("cni0", kind=c.RTM_DELLINK),
        link("dari0"),
        route(254),
        route(0),
        message(c.RTM_DELADDR, b""),
        message(c.RTM_NEWADDR, b""),
    ],
)
def test_links_addresses_and_routes_matter(event: Message) -> None:
    assert concerns_network(event)


@pytest.mark.parametrize(
    "event",
    [
        link(HOST_END),
        link(HOST_END, kind=c.RTM_DELLINK),
        link(shaper(OWNER)),
        link("eth0", family=c.AF_BRIDGE),
        route(255),
        route(255, kind=c.RTM_NEWROUTE),
    ],
)
def test_a_pods_start_or_end_does_not_wake_the_agent(event: Message) -> None:
    assert not concerns_network(event)


def test_of_the_firewall_only_daris_table_matters() -> None:
    for kind in (0, 1, 2, 5, 8, 14):  # new and deleted tables, chains, rules, set elements
        assert concerns_firewall(nft(kind, "dari"))
        assert not concerns_firewall(nft(kind, "kube-proxy"))
    assert not concerns_firewall(message(10 << 8 | 15, b"\0\0\0\0"))  # a new generation


@given(st.integers(0, 65535), st.binary(max_size=64))
@settings(max_examples=200, deadline=None)
def test_any_bytes_get_a_yes_or_a_no(kind: int, body: bytes) -> None:
    assert concerns_network(message(kind, body)) in (True, False)
    assert concerns_firewall(message(kind, body)) in (True, False)


def test_neighbours_count_on_tunnels_alone() -> None:
    event = message(c.RTM_NEWNEIGH, pack("=BxHiHBB", 7, 0, 12, 0x80, 2, 0))
    assert concerns_tunnel(event, {3, 12})
    assert not concerns_tunnel(event, {3})
    assert not concerns_tunnel(event, set())
    assert not concerns_tunnel(message(c.RTM_NEWNEIGH, b""), {12})


def of_port(kind: int, port: int) -> Message:
    return Message(kind=kind, flags=0, sequence=0, port=port, body=bytes(12))


def test_what_the_agent_itself_asked_for_is_known_by_its_sockets_port() -> None:
    for kind in (c.RTM_NEWROUTE, c.RTM_DELROUTE, c.RTM_NEWNEIGH, c.RTM_DELNEIGH):
        assert is_own(of_port(kind, 77), 77)
        assert not is_own(of_port(kind, 78), 77)
    # More may come of a link's change than was asked for.
    assert not is_own(of_port(c.RTM_NEWLINK, 77), 77)


MAC, THERE = "0a:00:00:00:00:02", ip_address("192.168.0.2")


def fdb(kind: int, mac: str, address: str) -> Message:
    entry = Neighbour(index=12, mac=mac, address=ip_address(address))
    return Message(kind=kind, flags=0, sequence=0, port=0, body=replace_fdb(entry).body)


@pytest.mark.parametrize(
    ("kind", "mac", "address", "known"),
    [
        (c.RTM_NEWNEIGH, MAC, "192.168.0.2", True),
        (c.RTM_NEWNEIGH, MAC, "192.168.0.9", False),
        (c.RTM_NEWNEIGH, "0a:00:00:00:00:09", "192.168.0.2", False),
        (c.RTM_DELNEIGH, MAC, "192.168.0.2", False),
        (c.RTM_DELNEIGH, MAC, "192.168.0.9", True),
        (c.RTM_DELNEIGH, "0a:00:00:00:00:09", "192.168.0.2", True),
    ],
)
def test_a_forwarding_entry_that_is_as_it_should_be_is_no_damage(
    kind: int, mac: str, address: str, known: bool
) -> None:
    wanted = {(12, MAC): THERE}
    assert is_as_wanted(fdb(kind, mac, address), lambda *end: wanted.get(end)) == known


def test_neighbours_and_what_cannot_be_read_are_not_taken_to_be_wanted() -> None:
    neighbour = replace_neighbour(Neighbour(index=12, mac=MAC, address=THERE))
    event = Message(kind=c.RTM_NEWNEIGH, flags=0, sequence=0, port=0, body=neighbour.body)
    assert not is_as_wanted(event, lambda *_: THERE)
    assert not is_as_wanted(of_port(c.RTM_NEWNEIGH, 0).replace(body=b""), lambda *_: None)

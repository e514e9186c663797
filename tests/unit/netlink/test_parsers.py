"""What each parser reads: of pyroute2's bytes, of our own, and of nonsense."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from dari.errors import Undecodable
from dari.netlink import constants as c
from dari.netlink.address import Address, add_address, parse_address
from dari.netlink.codec import attribute
from dari.netlink.family import unpack_address, unpack_interface, unpack_network, version_of
from dari.netlink.link import Link, parse_link
from dari.netlink.linkchange import add_bridge
from dari.netlink.neighbour import Neighbour, parse_neighbour, replace_fdb, replace_neighbour
from dari.netlink.route import KernelRoute, NextHop, add_route, parse_route
from dari.netlink.rule import Rule, add_rule, parse_rule
from tests.unit.netlink.witness import encoded, indexes, macs, moderate, names, numbers

MAC = "0a:58:0a:16:00:05"
PARSERS: list[tuple[Callable[[bytes], object], int]] = [
    (parse_link, 16),
    (parse_address, 8),
    (parse_route, 12),
    (parse_neighbour, 12),
    (parse_rule, 12),
]

versions = st.sampled_from([4, 6])


def addresses_of(version: int) -> st.SearchStrategy[object]:
    return st.ip_addresses(v=version)  # type: ignore[arg-type]


interfaces = versions.flatmap(
    lambda version: st.builds(
        lambda address, length: ip_interface((address, length)),
        addresses_of(version).map(str),
        st.integers(0, 32 if version == 4 else 128),
    )
)
addresses = interfaces.map(lambda interface: interface.ip)
networks = interfaces.map(lambda interface: interface.network)


def test_a_link_that_pyroute2_wrote() -> None:
    port = [("IFLA_BRPORT_MODE", 1), ("IFLA_BRPORT_LEARNING", 1), ("IFLA_BRPORT_ISOLATED", 0)]
    info = [
        ("IFLA_INFO_KIND", "veth"),
        ("IFLA_INFO_SLAVE_KIND", "bridge"),
        ("IFLA_INFO_SLAVE_DATA", {"attrs": port}),
    ]
    body = encoded(
        ifinfmsg,
        {"index": 3, "flags": 0x10143},
        [
            ("IFLA_IFNAME", "dari1"),
            ("IFLA_ADDRESS", MAC),
            ("IFLA_MTU", 1400),
            ("IFLA_LINK", 2),
            ("IFLA_MASTER", 5),
            ("IFLA_TXQLEN", 1000),
            ("IFLA_OPERSTATE", "UP"),
            ("IFLA_IFALIAS", "dari net pod eth0"),
            ("IFLA_GROUP", 7),
            ("IFLA_CARRIER", 1),
            ("IFLA_LINK_NETNSID", 4),
            ("IFLA_LINKINFO", {"attrs": info}),
        ],
    )
    assert parse_link(body) == Link(
        index=3,
        name="dari1",
        kind="veth",
        mac=MAC,
        mtu=1400,
        up=True,
        running=True,
        carrier=True,
        operstate=6,
        master=5,
        peer_index=2,
        netns_id=4,
        alias="dari net pod eth0",
        group=7,
        txqlen=1000,
        flags=0x10143,
        promisc=True,
        port_kind="bridge",
        hairpin=True,
        learning=True,
    )


def test_a_bare_link() -> None:
    assert parse_link(encoded(ifinfmsg, {"index": 1}, [])) == Link(index=1, name="")


def test_ports_of_something_else_have_no_bridge_flags() -> None:
    slave = [("IFLA_INFO_SLAVE_KIND", "bond"), ("IFLA_INFO_SLAVE_DATA", {"attrs": []})]
    body = encoded(ifinfmsg, {"index": 1}, [("IFLA_LINKINFO", {"attrs": slave})])
    assert parse_link(body) == Link(index=1, name="", port_kind="bond")


def test_an_address_that_pyroute2_wrote() -> None:
    fields = {"family": 2, "prefixlen": 24, "index": 3, "scope": 253, "flags": 0x80}
    written = [
        ("IFA_ADDRESS", "10.0.0.2"),
        ("IFA_LOCAL", "10.0.0.1"),
        ("IFA_BROADCAST", "10.0.0.255"),
        ("IFA_LABEL", "eth0:1"),
        ("IFA_FLAGS", 0x240),
    ]
    found = parse_address(encoded(ifaddrmsg, fields, written))
    assert found == Address(
        index=3,
        interface=ip_interface("10.0.0.1/24"),
        scope=253,
        flags=0x240,
        label="eth0:1",
        peer=ip_address("10.0.0.2"),
        broadcast=ip_address("10.0.0.255"),
    )
    assert found.tentative
    assert not found.duplicate


def test_an_address_without_a_local_part_or_wide_flags() -> None:
    fields = {"family": 10, "prefixlen": 64, "index": 3, "flags": c.IFA_F_DADFAILED}
    found = parse_address(encoded(ifaddrmsg, fields, [("IFA_ADDRESS", "fd00::5")]))
    assert found.interface == ip_interface("fd00::5/64")
    assert found.duplicate
    assert found.peer is None


def test_routes_that_pyroute2_wrote() -> None:
    fields = {"family": 2, "dst_len": 16, "proto": 79, "type": 1, "scope": 0, "flags": 4}
    written = [
        ("RTA_DST", "10.23.0.0"),
        ("RTA_GATEWAY", "10.22.0.1"),
        ("RTA_OIF", 3),
        ("RTA_TABLE", 1000),
        ("RTA_PRIORITY", 5),
        ("RTA_PREFSRC", "10.22.0.5"),
        ("RTA_METRICS", {"attrs": [("RTAX_MTU", 1400), ("RTAX_ADVMSS", 1360)]}),
    ]
    assert parse_route(encoded(rtmsg, fields, written)) == KernelRoute(
        dst=ip_network("10.23.0.0/16"),
        gateway=ip_address("10.22.0.1"),
        device=3,
        protocol=79,
        table=1000,
        metric=5,
        scope=0,
        mtu=1400,
        advmss=1360,
        source=ip_address("10.22.0.5"),
        onlink=True,
    )


def test_a_default_route_has_no_destination_written() -> None:
    body = encoded(rtmsg, {"family": 10, "table": 254, "type": 1}, [("RTA_OIF", 3)])
    found = parse_route(body)
    assert (found.dst, found.device, found.table) == (ip_network("::/0"), 3, 254)


def test_a_gateway_of_the_other_family() -> None:
    via = {"family": 10, "addr": "fe80::1"}
    body = encoded(rtmsg, {"family": 2, "type": 1}, [("RTA_VIA", via), ("RTA_OIF", 3)])
    assert parse_route(body).gateway == ip_address("fe80::1")


def test_a_neighbour_and_a_forwarding_entry_that_pyroute2_wrote() -> None:
    fields = {"family": 10, "ifindex": 3, "state": 0x80, "flags": 0x10}
    written = [("NDA_DST", "fd00::5"), ("NDA_LLADDR", MAC)]
    assert parse_neighbour(encoded(ndmsg, fields, written)) == Neighbour(
        index=3, address=ip_address("fd00::5"), mac=MAC, state=0x80, flags=0x10
    )
    entry = [("NDA_LLADDR", MAC), ("NDA_MASTER", 5), ("NDA_VLAN", 2), ("NDA_VNI", 7)]
    assert parse_neighbour(encoded(ndmsg, {**fields, "family": 7}, entry)) == Neighbour(
        index=3, mac=MAC, state=0x80, flags=0x10, master=5, vlan=2, vni=7
    )


def test_a_rule_that_pyroute2_wrote() -> None:
    fields = {"family": 2, "src_len": 16, "dst_len": 8, "action": 1, "table": 254, "flags": 2}
    written = [
        ("FRA_PRIORITY", 100),
        ("FRA_SRC", "10.23.0.0"),
        ("FRA_DST", "11.0.0.0"),
        ("FRA_IIFNAME", "eth0"),
        ("FRA_FWMARK", 1),
        ("FRA_FWMASK", 3),
        ("FRA_TABLE", 1000),
        ("FRA_PROTOCOL", 79),
    ]
    assert parse_rule(encoded(fibmsg, fields, written)) == Rule(
        version=4,
        priority=100,
        src=ip_network("10.23.0.0/16"),
        dst=ip_network("11.0.0.0/8"),
        incoming="eth0",
        mark=1,
        mask=3,
        table=1000,
        protocol=79,
        inverted=True,
    )


@moderate
@given(names, macs, numbers, st.booleans())
def test_links_survive_a_round_trip(name: str, mac: str, mtu: int, up: bool) -> None:
    found = parse_link(add_bridge(name, mac=mac, mtu=mtu, up=up).body)
    assert (found.name, found.mac, found.mtu) == (name, mac, mtu)
    assert (found.up, found.kind) == (up, "bridge")


@moderate
@given(indexes, interfaces)
def test_addresses_survive_a_round_trip(index: int, interface: object) -> None:
    found = parse_address(add_address(index, interface).body)  # type: ignore[arg-type]
    assert (found.index, found.interface, found.peer) == (index, interface, None)


hops = st.builds(
    lambda gateway, device, weight, onlink: NextHop(
        gateway=gateway, device=device, weight=weight, onlink=onlink
    ),
    st.none() | addresses,
    indexes,
    st.integers(1, 256),
    st.booleans(),
)
routes = st.builds(
    lambda dst, gateway, device, small, table, metric, mtu, source, onlink, ways: KernelRoute(
        dst=dst,
        gateway=gateway,
        device=device,
        protocol=small,
        table=table,
        metric=metric,
        scope=small,
        kind=small,
        mtu=mtu,
        advmss=mtu,
        source=source,
        onlink=onlink,
        hops=tuple(ways),
    ),
    networks,
    st.none() | addresses,
    indexes,
    st.integers(0, 255),
    numbers,
    numbers,
    numbers,
    st.none() | addresses,
    st.booleans(),
    st.lists(hops, max_size=3),
)


@moderate
@given(routes)
def test_routes_survive_a_round_trip(route: KernelRoute) -> None:
    assert parse_route(add_route(route).body) == route


neighbours = st.builds(
    lambda index, address, mac, state, flags, vlan, vni, device: Neighbour(
        index=index,
        address=address,
        mac=mac,
        state=state,
        flags=flags,
        vlan=vlan,
        vni=vni,
        device=device,
    ),
    indexes,
    addresses,
    macs,
    st.integers(0, 65535),
    st.integers(1, 255),
    st.integers(0, 4095),
    st.integers(0, 2**24 - 1),
    st.just(0) | indexes,
)


@moderate
@given(neighbours)
def test_neighbours_and_forwarding_entries_survive_a_round_trip(entry: Neighbour) -> None:
    assert parse_neighbour(replace_neighbour(entry).body) == entry
    assert parse_neighbour(replace_fdb(entry).body) == entry


rules = versions.flatmap(
    lambda version: st.builds(
        lambda priority, table, src, dst, incoming, mark, protocol, inverted, suppressed: Rule(
            version=version,
            priority=priority,
            table=table,
            src=src,
            dst=dst,
            incoming=incoming,
            mark=mark,
            mask=mark,
            protocol=protocol,
            inverted=inverted,
            suppress_prefixlen=suppressed,
        ),
        numbers,
        numbers,
        st.none() | networks.filter(lambda network: network.version == version),
        st.none() | networks.filter(lambda network: network.version == version),
        st.just("") | names,
        numbers,
        st.integers(0, 255),
        st.booleans(),
        st.integers(-1, 128),
    )
)


@moderate
@given(rules)
def test_rules_survive_a_round_trip(rule: Rule) -> None:
    assert parse_rule(add_rule(rule).body) == rule


noise = st.recursive(
    st.binary(max_size=20),
    lambda inner: st.lists(st.tuples(st.integers(0, 64), inner), max_size=4).map(
        lambda items: b"".join(attribute(kind, payload) for kind, payload in items)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(("parse", "size"), PARSERS)
@moderate
@given(data=st.data())
def test_nonsense_is_a_value_or_undecodable(
    parse: Callable[[bytes], object], size: int, data: st.DataObject
) -> None:
    family = data.draw(st.sampled_from([b"\x02", b"\x0a", b"\x07", b""]))
    header = data.draw(st.binary(min_size=size, max_size=size))
    body = (family + header)[:size] + data.draw(noise)
    for given_bytes in (body, data.draw(st.binary(max_size=100)), body[: size - 1]):
        with suppress(Undecodable):
            parse(given_bytes)


@pytest.mark.parametrize(("parse", "size"), PARSERS)
def test_a_cut_header_is_undecodable(parse: Callable[[bytes], object], size: int) -> None:
    for length in range(size):
        with pytest.raises(Undecodable):
            parse(b"\x02" * length)


@pytest.mark.parametrize("parse", [parse_address, parse_route, parse_rule])
def test_another_family_is_undecodable(parse: Callable[[bytes], object]) -> None:
    with pytest.raises(Undecodable, match="family 28"):
        parse(bytes([28]) + bytes(11))


def test_addresses_of_odd_sizes_are_undecodable() -> None:
    with pytest.raises(Undecodable):
        version_of(7, "a route")
    with pytest.raises(Undecodable):
        unpack_address(b"12345")
    with pytest.raises(Undecodable):
        unpack_interface(bytes(4), 33)
    with pytest.raises(Undecodable):
        unpack_network(bytes(4), 8, 6)
    with pytest.raises(Undecodable):
        unpack_network(None, 33, 4)

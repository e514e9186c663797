"""Every row gets an explanation, and the ones that matter get the right one."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.model import NodeName
from dari.netlink.address import Address
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute, NextHop
from dari.snapshot.model import Machine, Place
from dari.snapshot.node import parse_hosts
from dari.store.record import NodeRecord
from dari.tables.bridges import bridges, forwarding
from dari.tables.connections import connections
from dari.tables.facts import Facts
from dari.tables.layout import Style, render
from dari.tables.neighbours import neighbours
from dari.tables.registry import TABLES
from dari.tables.routes import routes
from dari.tables.rules import rules
from dari.tables.table import Table
from tests.unit.explain.cluster import (
    changed,
    plus,
    snapshot,
    with_link,
    with_route,
    without_route,
)

GATEWAY_MAC, POD_MAC, CABLE_MAC, NODE_MAC = (f"02:00:00:00:00:0{n}" for n in range(1, 5))

PLACE = Place(
    links=(
        Link(index=1, name="lo", up=True, running=True),
        Link(index=2, name="eth0", kind="veth", up=True, running=True),
        Link(index=3, name="cni0", kind="bridge", mac=GATEWAY_MAC, up=True, running=True),
        Link(
            index=4,
            name="dariaaaaaaaaaaa",
            kind="veth",
            mac=CABLE_MAC,
            master=3,
            alias="dari dari web1 eth0",
            up=True,
        ),
        Link(index=5, name="tap0", master=3),
    ),
    addresses=(
        Address(index=3, interface=ip_interface("10.244.1.1/24")),
        Address(index=3, interface=ip_interface("fe80::1/64"), scope=253),
    ),
    routes=(
        KernelRoute(dst=ip_network("10.244.2.0/24"), gateway=ip_address("10.0.1.12"), protocol=79),
        KernelRoute(dst=ip_network("10.244.3.0/24"), gateway=ip_address("10.0.1.254"), protocol=79),
        KernelRoute(dst=ip_network("10.244.9.0/24"), gateway=ip_address("10.0.1.19"), protocol=79),
        KernelRoute(dst=ip_network("10.244.1.0/24"), device=3, protocol=2),
        KernelRoute(
            dst=ip_network("10.0.1.0/24"), device=2, protocol=2, source=ip_address("10.0.1.11")
        ),
        KernelRoute(dst=ip_network("0.0.0.0/0"), gateway=ip_address("10.0.1.254"), device=2),
        KernelRoute(dst=ip_network("::/0"), kind=7, protocol=4),
        KernelRoute(dst=ip_network("fe80::/64"), device=2, protocol=2),
        KernelRoute(dst=ip_network("10.9.9.9/32"), device=2, protocol=186),
        KernelRoute(
            dst=ip_network("10.8.0.0/16"),
            hops=(NextHop(gateway=ip_address("10.0.1.2")), NextHop(gateway=ip_address("10.0.1.3"))),
        ),
    ),
    neighbours=(
        Neighbour(index=2, address=ip_address("10.0.1.12"), mac=NODE_MAC, state=0x02),
        Neighbour(index=2, address=ip_address("fe80::c"), mac=NODE_MAC, state=0x04),
        Neighbour(index=2, address=ip_address("10.0.1.77"), state=0x20),
        Neighbour(index=3, address=ip_address("10.244.1.2"), mac=POD_MAC, state=0x80),
        Neighbour(index=3, address=ip_address("10.244.1.3"), mac="02:00:00:00:00:99", state=0x04),
        Neighbour(index=2, address=ip_address("224.0.0.22"), mac="01:00:5e:00:00:16", state=0x40),
    ),
    fdb=(
        Neighbour(index=3, mac=GATEWAY_MAC, master=3, state=0x80),
        Neighbour(index=4, mac=POD_MAC, master=3, state=0x02),
        Neighbour(index=4, mac=CABLE_MAC, master=3, state=0x80),
        Neighbour(index=4, mac=CABLE_MAC, master=3, state=0x80, vlan=1),
        Neighbour(index=5, mac="02:00:00:00:00:55", master=3, state=0x02),
        Neighbour(index=4, mac="33:33:00:00:00:01", master=3, state=0x80),
        Neighbour(index=2, mac="33:33:00:00:00:01", state=0x80, flags=2),
    ),
)
NODE1, NODE2, NODE3 = (
    NodeRecord(
        name=NodeName(f"node{number}"),
        addresses=(ip_address(address),),
        pod_ranges=(ip_network(f"10.244.{number}.0/24"),),
    )
    for number, address in ((1, "10.0.1.11"), (2, "10.0.1.12"), (3, "10.0.2.13"))
)
ALONE = Machine(name="node1", place=PLACE, names={"10.0.1.254": "router"})
MACHINE = ALONE.replace(record=NODE1, peers=(NODE2, NODE3))
FACTS = Facts(MACHINE)


def why(table: Table, first: str, *, column: int = 0) -> str:
    (found,) = [row.why for row in table.rows if row.cells[column] == first]
    return found


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("10.244.2.0/24", "the pods of node2: by way of its own address, 10.0.1.12"),
        ("10.244.3.0/24", "the pods of node3: by way of 10.0.1.254 (router)"),
        ("10.244.9.0/24", "pods of another node: by way of 10.0.1.19"),
        ("10.244.1.0/24", "this node's own pods: on the bridge cni0, no next hop needed"),
        (
            "10.0.1.0/24",
            "addresses of this network: directly on eth0, no next hop needed, from 10.0.1.11",
        ),
        ("fe80::/64", "link-local addresses: talk between direct neighbours on eth0"),
        ("10.9.9.9/32", "one address: directly on eth0, no next hop needed"),
        ("10.8.0.0/16", "addresses of this network: shared among 2 next hops"),
    ],
)
def test_routes(destination: str, expected: str) -> None:
    assert why(routes(FACTS), destination) == expected


def test_the_defaults_come_first_in_their_family() -> None:
    table = routes(FACTS)
    assert table.rows[0].cells == ("default", "10.0.1.254", "eth0", "by hand")
    assert table.rows[0].why == "everything that no other row fits: by way of 10.0.1.254 (router)"
    versions = [row.cells[0] for row in table.rows]
    assert versions.index("10.9.9.9/32") < versions.index("fe80::/64")
    assert [row.why for row in table.rows if row.cells[3] == "static"] == [
        "everything that no other row fits: refused, and the sender is told that it is unreachable"
    ]


def test_a_bridge_s_prefix_is_for_its_pods_even_without_a_cluster() -> None:
    assert why(routes(Facts(ALONE)), "10.244.1.0/24").startswith("this node's own pods")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.1.12", "node2: heard from lately"),
        ("fe80::c", "link-local address of node2: known, and confirmed again at its next use"),
        ("10.0.1.77", "a machine beyond eth0: did not answer: nobody has this address"),
        ("10.244.1.2", "eth0 of web1: written down, never asked for"),
        ("10.244.1.3", "a pod on cni0: known, and confirmed again at its next use"),
    ],
)
def test_neighbours(address: str, expected: str) -> None:
    assert why(neighbours(FACTS), address) == expected


def test_neighbours_that_need_no_asking_are_left_out() -> None:
    assert "224.0.0.22" not in [row.cells[0] for row in neighbours(FACTS).rows]


def test_a_bridge_and_its_ports() -> None:
    table = bridges(FACTS)
    assert why(table, "cni0") == (
        "joins this node's pods; its address is their gateway: 10.244.1.1/24"
    )
    assert why(table, "dariaaaaaaaaaaa") == "this end of the cable to eth0 of web1"
    assert why(table, "tap0") == "a port that dari did not make"
    assert [row.cells[3] for row in table.rows] == ["up", "no cable", "down"]


def test_forwarding_entries() -> None:
    table = forwarding(FACTS)
    assert why(table, GATEWAY_MAC).startswith("the bridge itself")
    assert why(table, POD_MAC) == "eth0 of web1: it has sent something from there"
    assert why(table, CABLE_MAC) == "this end of the cable to eth0 of web1"
    assert why(table, "02:00:00:00:00:55") == (
        "what is beyond tap0: it has sent something from there"
    )
    assert len(table.rows) == 4


INDEXES = st.integers(0, 6)
MACS = st.one_of(st.just(""), st.integers(0, 2**48 - 1).map(lambda n: n.to_bytes(6).hex(":")))
NETWORKS = st.ip_addresses().flatmap(
    lambda ip: st.integers(0, ip.max_prefixlen).map(lambda n: ip_network((ip, n), strict=False))
)
ROUTES = st.builds(
    KernelRoute,
    dst=NETWORKS,
    gateway=st.none() | st.ip_addresses(),
    device=INDEXES,
    protocol=st.integers(0, 255),
    kind=st.integers(0, 11),
    source=st.none() | st.ip_addresses(),
)
NEIGHBOURS = st.builds(
    Neighbour,
    index=INDEXES,
    address=st.none() | st.ip_addresses(),
    mac=MACS,
    state=st.integers(0, 255),
    flags=st.integers(0, 255),
    master=INDEXES,
)
LINKS = st.builds(
    Link,
    index=INDEXES,
    name=st.text(min_size=1, max_size=15),
    kind=st.sampled_from(["", "bridge", "veth"]),
    mac=MACS,
    master=INDEXES,
    alias=st.text(max_size=20) | st.just("dari net pod eth0"),
)


@given(
    st.lists(LINKS, max_size=4),
    st.lists(ROUTES, max_size=4),
    st.lists(NEIGHBOURS, max_size=4),
    st.booleans(),
)
def test_whatever_the_kernel_holds_every_row_is_explained(
    links: list[Link], table: list[KernelRoute], entries: list[Neighbour], known: bool
) -> None:
    place = Place(
        links=tuple(links),
        routes=tuple(table),
        neighbours=tuple(entries),
        fdb=tuple(entries),
    )
    facts = Facts((MACHINE if known else ALONE).replace(place=place))
    for explain in TABLES.values():
        found = explain(facts)
        for row in found.rows:
            assert len(row.cells) == len(found.columns)
            assert row.why
        lines = render(found, Style()).split("\n")
        assert len(lines) == 2 + len(found.rows) + len(found.below)
        assert all(line.isprintable() for line in lines)


def test_hosts_files_are_read_as_they_come() -> None:
    lines = ["127.0.0.1 localhost", "", "# 10.0.0.1 no", "10.0.0.2 a b # c", "10.0.0.2 d", "x"]
    assert parse_hosts(lines) == {"127.0.0.1": "localhost", "10.0.0.2": "a"}


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_hosts_file_at_all_is_taken(lines: list[str]) -> None:
    parse_hosts(lines)


def codes(table: Table) -> dict[str, str]:
    """Causes by the first cell of the row that has one, or by the line below the rows."""
    below = {line.text: line.code for line in table.below if line.code}
    return below | {row.cells[0]: row.code for row in table.rows if row.code}


@pytest.mark.parametrize(
    ("where", "change", "table", "expected"),
    [
        ("node1", without_route("10.244.2.0/24"), routes, {"10.244.2.0/24": "DARI-401"}),
        (
            "node1",
            with_route(dst=ip_network("10.244.2.0/24"), gateway=ip_address("10.0.1.9"), device=2),
            routes,
            {"10.244.2.0/24": "DARI-402"},
        ),
        (
            "node1",
            with_route(dst=ip_network("10.244.2.0/25"), gateway=ip_address("10.0.1.9"), device=2),
            routes,
            {"10.244.2.0/25": "DARI-403"},
        ),
        (
            "node1",
            with_route(dst=ip_network("10.244.2.7/32"), kind=6),
            routes,
            {"10.244.2.7/32": "DARI-409"},
        ),
        (
            "node1",
            plus("neighbours", Neighbour(index=2, address=ip_address("10.0.1.12"), mac=POD_MAC)),
            neighbours,
            {"10.0.1.12": "DARI-404"},
        ),
        ("node1", with_link("cni0", up=False), bridges, {"cni0": "DARI-302"}),
        ("node1", with_link("dari1", up=False), bridges, {"dari1": "DARI-306"}),
        (
            "node1",
            plus("fdb", Neighbour(index=2, mac="0a:58:0a:f4:01:02", master=3, state=2)),
            forwarding,
            {"0a:58:0a:f4:01:02": "DARI-405"},
        ),
        (
            "node1",
            lambda place: place.replace(connections=99, most_connections=100),
            connections,
            {"99 of at most 100 (99.0%): new connections are dropped": "DARI-204"},
        ),
    ],
)
def test_a_row_that_contradicts_the_records_names_the_cause(
    where: str,
    change: Callable[[Place], Place],
    table: Callable[[Facts], Table],
    expected: dict[str, str],
) -> None:
    healthy, broken = (one.machines[0] for one in (snapshot(), changed(snapshot(), where, change)))
    assert codes(table(Facts(healthy))) == {}
    assert codes(table(Facts(broken))) == expected


def test_rules_are_told_in_words_and_by_whom() -> None:
    base = {"family": "inet", "table": "dari", "name": "postrouting"}
    ruleset = (
        {"chain": {**base, "type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"}},
        {"rule": {**base, "chain": "postrouting", "handle": 1, "expr": [{"masquerade": None}]}},
    )
    table = rules(Facts(ALONE.replace(place=Place(ruleset=ruleset))))
    assert [(*row.cells, row.why) for row in table.rows] == [
        (
            "inet dari postrouting",
            "hook postrouting, priority 100",
            "dari",
            "every packet that leaves, when its route is known; "
            "what no rule decides about is let by",
        ),
        (
            "  postrouting",
            "masquerade",
            "dari",
            "gives them this machine's address for a source",
        ),
    ]

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.netlink.route import KernelRoute, NextHop
from dari.routing.reach import Hop, Reach


def route(dst: str, *, gateway: str = "", device: int = 2, metric: int = 0) -> KernelRoute:
    return KernelRoute(
        dst=ip_network(dst),
        gateway=ip_address(gateway) if gateway else None,
        device=device,
        metric=metric,
    )


TABLE = [
    route("0.0.0.0/0", gateway="192.168.0.254"),
    route("0.0.0.0/0", gateway="192.168.9.254", device=3, metric=100),
    route("192.168.0.0/24"),
    route("192.168.8.0/21", gateway="192.168.0.253"),
    route("192.168.9.0/24", device=3),
    route("fd00::/64", metric=256),
    route("fd00:1::/64", gateway="fe80::1", metric=1024),
]


@pytest.mark.parametrize(
    ("address", "hop"),
    [
        ("192.168.0.7", Hop(device=2)),
        ("192.168.9.7", Hop(device=3)),
        ("192.168.10.7", Hop(device=2, gateway=ip_address("192.168.0.253"))),
        ("8.8.8.8", Hop(device=2, gateway=ip_address("192.168.0.254"))),
        ("fd00::7", Hop(device=2)),
        ("fd00:1::7", Hop(device=2, gateway=ip_address("fe80::1"))),
        ("fd00:2::7", None),
    ],
)
def test_the_longest_prefix_wins(address: str, hop: Hop | None) -> None:
    assert Reach(TABLE).hop(ip_address(address)) == hop


def test_the_lowest_metric_wins_whatever_the_order() -> None:
    assert Reach(reversed(TABLE)).hop(ip_address("8.8.8.8")) == Reach(TABLE).hop(
        ip_address("8.8.8.8")
    )


def test_a_route_that_drops_is_no_way() -> None:
    dropping = route("10.0.0.0/8").replace(kind=6)
    assert Reach([*TABLE, dropping]).hop(ip_address("10.1.1.1")) is None


def test_of_several_ways_the_first_is_taken_and_onlink_is_kept() -> None:
    several = KernelRoute(
        dst=ip_network("10.0.0.0/8"),
        hops=(
            NextHop(gateway=ip_address("172.31.1.1"), device=5, onlink=True),
            NextHop(gateway=ip_address("172.31.1.2"), device=6),
        ),
    )
    expected = Hop(device=5, gateway=ip_address("172.31.1.1"), onlink=True)
    assert Reach([several]).hop(ip_address("10.1.1.1")) == expected


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), min_size=1, max_size=30),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_agrees_with_looking_at_every_route(prefixes: list[tuple[int, int]], number: int) -> None:
    networks = [IPv4Network(prefix, strict=False) for prefix in prefixes]
    table = [KernelRoute(dst=network, device=i + 1) for i, network in enumerate(networks)]
    address = ip_address(number)
    lengths = [network.prefixlen for network in networks if address in network]
    hop = Reach(table).hop(address)
    assert (hop is None) == (not lengths)
    if hop:
        assert networks[hop.device - 1].prefixlen == max(lengths)
        assert address in networks[hop.device - 1]

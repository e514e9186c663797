"""A cluster of records: its table, and what is read from the kernel's words."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.figures import MISSED
from bench.harness import BenchFailed
from bench.members import CLUSTER, UNDERLAY, address_of, peer, range_of
from bench.peers import section
from bench.peerwork import Account, Order, prefixes_in, received_in

LOCAL = Account(
    order=Order(
        store="local", backend="direct", peers=5000, pods=1000, changes=3, rate=100, seconds=60.0
    ),
    start=0.8,
    changes=(3.0, 4.0, 20.0),
    churn=0.123,
    rest=0.004,
    memory=50.0,
    traffic=None,
)


def test_each_store_and_backend_has_a_column_and_the_worst_is_held_against_the_budget() -> None:
    etcd = LOCAL.replace(order=LOCAL.order.replace(store="etcd"), start=1.2, traffic=512.4)
    found = section([LOCAL, etcd])
    assert found.headings == ("", "local, direct", "etcd, direct", "budget")
    start, change, churn, rest, memory, traffic = found.lines
    assert start[1:] == ("0.80 s", "1.20 s", f"{MISSED}: at most 1 s")
    assert change[1:] == ("4.0 (20.0) ms", "4.0 (20.0) ms", "at most 10 ms")
    assert (churn[1], rest[1], memory[3]) == ("12%", "0.4%", "at most 64 MB")
    assert traffic[1:] == ("", "512 bytes", "")


def test_no_two_peers_share_an_address_or_a_range() -> None:
    ranges = sorted(range_of(number) for number in range(1, 15001))
    assert all(not left.overlaps(right) for left, right in pairwise(ranges))
    assert all(CLUSTER.supernet_of(each) for each in (ranges[0], ranges[-1]))  # type: ignore
    places = {address_of(place) for place in range(1, 40001)}
    assert len(places) == 40000 and all(each in UNDERLAY for each in (min(places), max(places)))
    assert peer(7, "vxlan", 9000).addresses == (address_of(9000),)


def test_the_main_tables_routes_are_counted() -> None:
    told = "Basic info: x\nMain:\n\tLeaves: 4\n\tPrefixes:       7\nLocal:\n\tPrefixes:       9\n"
    assert prefixes_in(told) == 7
    with pytest.raises(BenchFailed):
        prefixes_in("")


def test_bytes_of_the_agents_connections_alone_are_summed() -> None:
    told = (
        'ESTAB 0 0 [::1]:1 [::1]:2 users:(("python",pid=12,fd=9)) bytes_received:700 x\n'
        'ESTAB 0 0 [::1]:1 [::1]:2 users:(("python",pid=12,fd=8)) bytes_received:30 x\n'
        'ESTAB 0 0 [::1]:1 [::1]:2 users:(("etcd",pid=123,fd=9)) bytes_received:5000 x\n'
    )
    assert received_in(told, 12) == 730

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.model import NodeName
from dari.store.ranges import Claim, ClusterRange, RangesExhausted, RangeTaken, allot

NODE = NodeName("node1")


def claims(*texts: str) -> list[Claim]:
    return [Claim(node=NodeName("other"), network=ip_network(text)) for text in texts]


def allotted(
    cluster: str, prefix: int, others: Sequence[Claim], earlier: Sequence[str] = ()
) -> list[str]:
    one = ClusterRange(network=ip_network(cluster), node_prefix=prefix)
    had = [ip_network(text) for text in earlier]
    return [str(network) for network in allot(NODE, [one], had, others)]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ((), "10.244.0.0/24"),
        (("10.244.0.0/24",), "10.244.1.0/24"),
        (("10.244.1.0/24",), "10.244.0.0/24"),
        (("10.244.0.128/25",), "10.244.1.0/24"),
        (("10.244.0.0/17", "10.244.130.0/24"), "10.244.128.0/24"),
        (("10.244.0.0/24", "10.244.0.0/20"), "10.244.16.0/24"),
        (("192.168.0.0/16", "fd00::/8"), "10.244.0.0/24"),
    ],
)
def test_the_first_gap_is_taken(others: tuple[str, ...], expected: str) -> None:
    assert allotted("10.244.0.0/16", 24, claims(*others)) == [expected]


def test_a_wide_ipv6_range_takes_no_time_to_search() -> None:
    taken = claims(*(f"fd00:0:0:{number:x}::/64" for number in range(2000)))
    assert allotted("fd00::/16", 64, taken) == ["fd00:0:0:7d0::/64"]


def test_the_whole_cluster_range_may_be_one_nodes() -> None:
    assert allotted("10.1.0.0/24", 24, ()) == ["10.1.0.0/24"]
    with pytest.raises(RangesExhausted, match="all 1 ranges"):
        allotted("10.1.0.0/24", 24, claims("10.0.0.0/8"))


def test_an_earlier_range_of_another_size_is_kept_and_one_outside_is_not() -> None:
    assert allotted("10.244.0.0/16", 24, (), ["10.244.8.0/22"]) == ["10.244.8.0/22"]
    assert allotted("10.244.0.0/16", 24, (), ["10.9.8.0/24"]) == ["10.244.0.0/24"]


def test_an_earlier_range_that_another_claims_is_refused_naming_both() -> None:
    with pytest.raises(RangeTaken, match=r"10\.244\.8\.0/24 of node1 .*10\.244\.8\.0/24 of other"):
        allotted("10.244.0.0/16", 24, claims("10.244.8.0/24"), ["10.244.8.0/24"])


@given(
    st.lists(st.tuples(st.integers(0, 2**12 - 1), st.integers(20, 30)), max_size=40),
    st.integers(22, 28),
)
@settings(max_examples=100, deadline=None)
def test_what_is_allotted_overlaps_nothing_and_is_the_first_that_fits(
    taken: list[tuple[int, int]], prefix: int
) -> None:
    cluster = ip_network("10.20.0.0/20")
    base = int(cluster.network_address)
    others = [ip_network((base + number, size), strict=False) for number, size in taken]
    free = [
        str(each)
        for each in cluster.subnets(new_prefix=prefix)
        if not any(each.overlaps(other) for other in others)
    ]
    held = claims(*map(str, others))
    if free:
        assert allotted(str(cluster), prefix, held) == free[:1]
    else:
        with pytest.raises(RangesExhausted):
            allotted(str(cluster), prefix, held)

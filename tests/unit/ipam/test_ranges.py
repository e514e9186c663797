"""Ranges: what may be leased, and in which order, against a naive model."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dari.errors import BadConfig
from dari.ipam.ranges import (
    RangeSet,
    addresses_after,
    capacity,
    describe,
    is_full,
    is_usable,
    parse_ranges,
    plain_address,
    range_of,
)

if TYPE_CHECKING:
    from dari.model import IPAddress


def only(ipam: dict[str, object]) -> RangeSet:
    (pool,) = parse_ranges(ipam, {})
    return pool


def texts(pool: RangeSet, last: str = "") -> list[str]:
    return [str(one) for one in addresses_after(pool, ip_address(last) if last else None)]


def test_one_old_style_range_has_the_first_address_as_gateway() -> None:
    (one,) = only({"subnet": "10.22.0.0/16"})
    assert (str(one), str(one.gateway)) == ("10.22.0.1-10.22.255.254", "10.22.0.1")


def test_an_ipv6_range_reaches_to_the_last_address() -> None:
    (one,) = only({"subnet": "fd00:22::/120"})
    assert (str(one), str(one.gateway)) == ("fd00:22::1-fd00:22::ff", "fd00:22::1")


def test_all_keys_are_honoured() -> None:
    (one,) = only(
        {
            "subnet": "10.1.2.0/24",
            "rangeStart": "10.1.2.9",
            "rangeEnd": "10.1.2.17",
            "gateway": "10.1.2.30",
        }
    )
    assert (str(one), str(one.gateway)) == ("10.1.2.9-10.1.2.17", "10.1.2.30")


def test_sets_come_in_the_reference_s_order() -> None:
    pools = parse_ranges(
        {"subnet": "10.2.0.0/24", "ranges": [[{"subnet": "10.3.0.0/24"}]]},
        {"ipRanges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/64"}]]},
    )
    assert [str(pool[0].subnet) for pool in pools] == [
        "10.1.0.0/24",
        "fd00::/64",
        "10.2.0.0/24",
        "10.3.0.0/24",
    ]


def test_empty_strings_and_null_count_as_not_given() -> None:
    given_up = {"rangeStart": "", "rangeEnd": None, "gateway": ""}
    assert only({"subnet": "10.1.0.0/24", **given_up}) == only({"subnet": "10.1.0.0/24"})


def test_ipv4_written_as_ipv6_is_ipv4() -> None:
    (one,) = only({"subnet": "10.1.0.0/24", "rangeStart": "::ffff:10.1.0.9"})
    assert str(one.first) == "10.1.0.9"
    assert plain_address("::ffff:10.1.0.9", "x") == ip_address("10.1.0.9")


def test_gateway_network_and_broadcast_are_left_out_even_where_named() -> None:
    pool = only({"subnet": "10.1.0.0/29", "rangeStart": "10.1.0.0", "rangeEnd": "10.1.0.7"})
    assert texts(pool) == [f"10.1.0.{n}" for n in (2, 3, 4, 5, 6)]
    assert capacity(pool) == 5


def test_the_gateway_of_another_range_of_the_set_is_left_out() -> None:
    pool = only(
        {
            "ranges": [
                [
                    {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.2", "rangeEnd": "10.1.0.5"},
                    {
                        "subnet": "10.1.0.0/24",
                        "rangeStart": "10.1.0.8",
                        "rangeEnd": "10.1.0.9",
                        "gateway": "10.1.0.4",
                    },
                ]
            ]
        }
    )
    assert texts(pool) == [f"10.1.0.{n}" for n in (2, 3, 5, 8, 9)]


def test_leasing_goes_on_after_the_last_and_comes_round() -> None:
    pool = only({"ranges": [[{"subnet": "10.1.0.0/30"}, {"subnet": "10.9.0.0/29"}]]})
    assert texts(pool, "10.9.0.4") == [
        "10.9.0.5",
        "10.9.0.6",
        "10.1.0.2",
        "10.9.0.2",
        "10.9.0.3",
        "10.9.0.4",
    ]


def test_a_last_address_outside_of_the_set_means_from_the_start() -> None:
    pool = only({"subnet": "10.1.0.0/29"})
    assert texts(pool, "10.2.0.3") == texts(pool) == texts(pool, "fd00::1")


def test_nobody_counts_through_an_ipv6_range() -> None:
    pool = only({"subnet": "fd00::/64"})
    assert capacity(pool) == 2**64 - 2
    assert not is_full(pool, {"fd00::2"})
    assert [str(one) for one in islice(addresses_after(pool, None), 2)] == ["fd00::2", "fd00::3"]
    assert str(next(addresses_after(pool, ip_address("fd00::ffff")))) == "fd00::1:0"


def test_a_pool_of_small_ipv6_numbers_stays_ipv6() -> None:
    assert texts(only({"subnet": "::/125"}))[0] == "::2"


@pytest.mark.parametrize(
    ("ipam", "said"),
    [
        ({}, "no address range"),
        ({"ranges": []}, "no address range"),
        ({"ranges": [[]]}, "empty range set"),
        ({"ranges": {}}, "not a list"),
        ({"ranges": [{"subnet": "10.1.0.0/24"}]}, "not a list"),
        ({"ranges": [["10.1.0.0/24"]]}, "not an object"),
        ({"ranges": [[{}]]}, r"ipam.ranges\[0\]\[0\].subnet"),
        ({"subnet": "10.1.0.0"}, "CIDR"),
        ({"subnet": ""}, "CIDR"),
        ({"subnet": 7}, "CIDR"),
        ({"subnet": "10.1.0.0/255.255.0.0"}, "CIDR"),
        ({"subnet": "10.1.0.0/33"}, "CIDR"),
        ({"subnet": "010.1.0.0/24"}, "CIDR"),
        ({"subnet": "10.1.0.0/" + "9" * 5000}, "CIDR"),
        ({"subnet": "fe80::1%eth0/64"}, "CIDR"),
        ({"subnet": "::ffff:10.1.0.0/112"}, "IPv4 written as IPv6"),
        ({"subnet": "10.1.0.5/24"}, "host bits"),
        ({"subnet": "10.1.0.0/31"}, "too small"),
        ({"subnet": "10.1.0.0/32"}, "too small"),
        ({"subnet": "fd00::/127"}, "too small"),
        ({"subnet": "fd00::/128"}, "too small"),
        ({"subnet": "10.1.0.0/24", "rangeStart": "10.2.0.1"}, "rangeStart: 10.2.0.1 is not in"),
        ({"subnet": "10.1.0.0/24", "rangeEnd": "10.2.0.1"}, "rangeEnd: 10.2.0.1 is not in"),
        ({"subnet": "10.1.0.0/24", "rangeEnd": "fd00::1"}, "rangeEnd: fd00::1 is not in"),
        ({"subnet": "10.1.0.0/24", "rangeStart": 5}, "rangeStart: 5 is not a string"),
        ({"subnet": "10.1.0.0/24", "gateway": "fe80::1%x"}, "zone"),
        ({"subnet": "10.1.0.0/24", "gateway": "fd00::1"}, "other family"),
        (
            {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.8"},
            "is after rangeEnd",
        ),
        (
            {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.1", "rangeEnd": "10.1.0.1"},
            "no address for a pod",
        ),
        ({"ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "fd00::/64"}]]}, "IPv4 and IPv6"),
        ({"ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "10.1.0.0/16"}]]}, "overlap"),
        ({"ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "10.1.0.0/16"}]]}, "overlap"),
        ({"subnet": "10.1.0.0/24", "ranges": [[{"subnet": "10.1.0.0/24"}]]}, "overlap"),
    ],
)
def test_what_is_wrong_is_named(ipam: dict[str, object], said: str) -> None:
    with pytest.raises(BadConfig, match=said) as refused:
        parse_ranges(ipam, {})
    assert refused.value.code == 7


def test_ranges_of_the_runtime_are_checked_too() -> None:
    with pytest.raises(BadConfig, match=r"runtimeConfig.ipRanges\[0\]\[0\].subnet"):
        parse_ranges({"subnet": "10.1.0.0/24"}, {"ipRanges": [[{"subnet": "x"}]]})
    with pytest.raises(BadConfig, match="overlap"):
        parse_ranges({"subnet": "10.1.0.0/24"}, {"ipRanges": [[{"subnet": "10.1.0.0/28"}]]})


def test_a_long_list_of_ranges_is_read_in_no_time() -> None:
    spans = [{"subnet": str(one)} for one in ip_network("10.0.0.0/16").subnets(new_prefix=30)]
    assert capacity(only({"ranges": [spans]})) == len(spans)
    with pytest.raises(BadConfig, match="overlap"):
        parse_ranges({"ranges": [[*spans, {"subnet": "10.0.255.0/24"}]]}, {})


# Against a naive model, in small networks where every address can be listed.


@st.composite
def pools(draw: st.DrawFn) -> dict[str, object]:
    """A set of ranges in 10.0.0.0/26, which may overlap."""
    ranges = []
    for _ in range(draw(st.integers(1, 3))):
        prefix = draw(st.integers(27, 30))
        subnets = list(IPv4Network("10.0.0.0/26").subnets(new_prefix=prefix))
        subnet = draw(st.sampled_from(subnets))
        one = {"subnet": str(subnet)}
        inside = st.sampled_from([str(address) for address in subnet])
        for key in ("rangeStart", "rangeEnd", "gateway"):
            if draw(st.booleans()):
                one[key] = draw(inside)
        ranges.append(one)
    return {"ranges": [ranges]}


def naive(pool: RangeSet) -> list[IPAddress]:
    """Each address that a pod may have, listed one by one."""
    gateways = {one.gateway for one in pool}
    found: list[IPAddress] = []
    for one in pool:
        never = gateways | {one.subnet.network_address, one.subnet.broadcast_address}
        for other in pool:
            never |= {other.subnet.network_address, other.subnet.broadcast_address}
        found += [
            address
            for address in one.subnet
            if int(one.first) <= int(address) <= int(one.last) and address not in never
        ]
    return found


@settings(deadline=None, max_examples=200)
@given(pools(), st.integers(0, 63))
def test_ranges_agree_with_a_naive_model(ipam: dict[str, object], offset: int) -> None:
    try:
        pool = only(ipam)
    except BadConfig as refused:
        assume("overlap" not in refused.message)
        return
    every = naive(pool)
    assert list(addresses_after(pool, None)) == every
    assert capacity(pool) == len(every) > 0
    address = ip_address("10.0.0.0") + offset
    assert is_usable(pool, address) == (address in every)
    assert (range_of(pool, address) is not None) == any(
        int(one.first) <= int(address) <= int(one.last) for one in pool
    )
    assert is_full(pool, {str(one) for one in every})
    assert not is_full(pool, {str(one) for one in every[1:]})


@settings(deadline=None, max_examples=200)
@given(pools(), st.integers(0, 63))
def test_the_order_is_a_rotation_that_ends_with_the_last(
    ipam: dict[str, object], offset: int
) -> None:
    try:
        pool = only(ipam)
    except BadConfig:
        return
    every = naive(pool)
    last = ip_address("10.0.0.0") + offset
    order = list(addresses_after(pool, last))
    start = every.index(order[0])
    assert order == every[start:] + every[:start]
    if last in every:
        assert order[-1] == last


# Whatever is written into a configuration, the answer is ranges or BadConfig.

_ADDRESS = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(["", "10.0.0.1", "10.0.0.256", "fe80::1%lo", "::ffff:10.0.0.1", "٣.1.1.1"]),
    st.text(max_size=6),
)
_PREFIX = st.one_of(
    st.sampled_from(["10.0.0.0/24", "10.0.0.0/8", "fd00::/64", "::/0", "0.0.0.0/0", "fd00::/127"]),
    st.tuples(_ADDRESS, st.integers(-1, 130)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
)
_JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
_RANGE = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "subnet": st.one_of(_PREFIX, _JUNK),
            "rangeStart": st.one_of(_ADDRESS, _JUNK),
            "rangeEnd": st.one_of(_ADDRESS, _JUNK),
            "gateway": st.one_of(_ADDRESS, _JUNK),
        },
    ),
    _JUNK,
)
_SETS = st.one_of(st.lists(st.lists(_RANGE, max_size=3), max_size=3), _JUNK)


@settings(deadline=None, max_examples=400)
@given(_RANGE, _SETS, _SETS)
def test_hostile_ranges_are_ranges_or_bad_config(
    single: object, ranges: object, of_runtime: object
) -> None:
    ipam = {**(single if isinstance(single, dict) else {}), "ranges": ranges}
    try:
        found = parse_ranges(ipam, {"ipRanges": of_runtime})
    except BadConfig as refused:
        assert refused.code == 7
        return
    for pool in found:
        assert describe(pool)
        for address in islice(addresses_after(pool, None), 3):
            assert is_usable(pool, address)
            assert str(ip_address(str(address))) == str(address)

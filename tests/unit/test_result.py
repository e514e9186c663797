"""Results of every version: their shapes, and what survives on the way down and round."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import DariError, IncompatibleVersion, Undecodable
from dari.jsontext import decode, encode
from dari.model import DNS, Interface, IPConfig, Result, Route
from dari.result import CURRENT, OLDEST, SUPPORTED, at_least, decode_result, encode_result

if TYPE_CHECKING:
    from dari.model import Json

WORD = st.text("abcxyz0129:./-", min_size=1, max_size=12)
MAYBE = st.just("") | WORD
# Keys of nobody: what a later version or a private plugin might add.
EXTRA = st.dictionaries(WORD.map("x-".__add__), st.integers() | WORD | st.lists(WORD), max_size=2)
U32 = st.none() | st.integers(0, 2**32 - 1)
SIZE = st.integers(0, 2**31 - 1)
ADDRESSES = st.ip_addresses()


@st.composite
def interfaces_with_length(draw: st.DrawFn) -> Any:
    address = draw(ADDRESSES)
    return ip_interface((address, draw(st.integers(0, address.max_prefixlen))))


NETWORKS = interfaces_with_length().map(lambda interface: interface.network)
INTERFACES = st.builds(
    Interface,
    name=MAYBE,
    mac=MAYBE,
    sandbox=MAYBE,
    mtu=SIZE,
    socket_path=MAYBE,
    pci_id=MAYBE,
    extra=EXTRA,
)
ROUTES = st.builds(
    Route,
    dst=NETWORKS,
    gw=st.none() | ADDRESSES,
    mtu=SIZE,
    advmss=SIZE,
    priority=U32,
    table=U32,
    scope=U32,
    extra=EXTRA,
)
TEXTS = st.lists(WORD, max_size=2).map(tuple)
SETTINGS = st.builds(DNS, nameservers=TEXTS, domain=MAYBE, search=TEXTS, options=TEXTS)


@st.composite
def results(draw: st.DrawFn) -> Result:
    links = tuple(draw(st.lists(INTERFACES, max_size=3)))
    index = st.none() | st.integers(0, max(len(links) - 1, 0))
    ips = st.builds(
        IPConfig,
        address=interfaces_with_length(),
        gateway=st.none() | ADDRESSES,
        interface=index,
        extra=EXTRA,
    )
    return Result(
        interfaces=links,
        ips=tuple(draw(st.lists(ips, max_size=3))),
        routes=tuple(draw(st.lists(ROUTES, max_size=3))),
        dns=draw(SETTINGS),
        extra=draw(EXTRA),
    )


def through(result: Result, version: str) -> Result:
    """To bytes and back, as between two plugins."""
    return decode_result(decode(encode(encode_result(result, version)), "it"), OLDEST)


@settings(deadline=None)
@given(results())
def test_the_newest_version_loses_nothing(result: Result) -> None:
    assert through(result, CURRENT) == result


@settings(deadline=None)
@given(results(), st.sampled_from(SUPPORTED[2:]))
def test_versions_with_lists_lose_only_what_came_later(result: Result, version: str) -> None:
    expected = result
    if not at_least(version, "1.1.0"):
        links = tuple(i.replace(mtu=0, socket_path="", pci_id="") for i in result.interfaces)
        routes = tuple(
            r.replace(mtu=0, advmss=0, priority=None, table=None, scope=None) for r in result.routes
        )
        expected = result.replace(interfaces=links, routes=routes)
    assert through(result, version) == expected


@settings(deadline=None)
@given(results(), st.sampled_from(SUPPORTED), st.sampled_from(SUPPORTED))
def test_a_second_journey_loses_nothing_more(result: Result, first: str, second: str) -> None:
    try:
        once = through(through(result, first), second)
    except IncompatibleVersion:
        assert not result.ips
        return
    assert through(once, second) == once


@settings(deadline=None)
@given(results(), st.sampled_from(SUPPORTED[:2]))
def test_old_versions_keep_the_first_address_of_each_family(result: Result, version: str) -> None:
    if not result.ips:
        with pytest.raises(IncompatibleVersion):
            encode_result(result, version)
        return
    kept = through(result, version)
    for family in (4, 6):
        there = [ip for ip in result.ips if ip.address.version == family]
        assert [ip for ip in kept.ips if ip.address.version == family] == [
            ip.replace(interface=None) for ip in there[:1]
        ]
        routes = [r.dst for r in result.routes if r.dst.version == family and there]
        assert [r.dst for r in kept.routes if r.dst.version == family] == routes
    assert (kept.interfaces, kept.dns, kept.extra) == ((), result.dns, result.extra)


FULL = Result(
    interfaces=(
        Interface(name="cni0", mac="0a:58:0a:16:00:01"),
        Interface(name="eth0", mac="0a:58:0a:16:00:05", sandbox="/run/netns/web", mtu=1450),
    ),
    ips=(
        IPConfig(
            address=ip_interface("10.22.0.5/16"), gateway=ip_address("10.22.0.1"), interface=1
        ),
        IPConfig(address=ip_interface("10.23.0.5/16"), interface=1),
        IPConfig(address=ip_interface("fd00::5/64"), interface=1),
    ),
    routes=(
        Route(dst=ip_network("0.0.0.0/0"), gw=ip_address("10.22.0.1"), mtu=1400, table=100),
        Route(dst=ip_network("::/0")),
    ),
    dns=DNS(nameservers=("10.96.0.10",), search=("cluster.local",)),
)
DNS_JSON = {"nameservers": ["10.96.0.10"], "search": ["cluster.local"]}
PLAIN_LINKS = [
    {"name": "cni0", "mac": "0a:58:0a:16:00:01"},
    {"name": "eth0", "mac": "0a:58:0a:16:00:05", "sandbox": "/run/netns/web"},
]
PLAIN_IPS: list[dict[str, object]] = [
    {"address": "10.22.0.5/16", "gateway": "10.22.0.1", "interface": 1},
    {"address": "10.23.0.5/16", "interface": 1},
    {"address": "fd00::5/64", "interface": 1},
]
PLAIN_ROUTES = [{"dst": "0.0.0.0/0", "gw": "10.22.0.1"}, {"dst": "::/0"}]
FLAT = {
    "ip4": {"ip": "10.22.0.5/16", "gateway": "10.22.0.1", "routes": PLAIN_ROUTES[:1]},
    "ip6": {"ip": "fd00::5/64", "routes": PLAIN_ROUTES[1:]},
    "dns": DNS_JSON,
}
VERSIONED = {
    "interfaces": PLAIN_LINKS,
    "ips": [{"version": v, **ip} for v, ip in zip("446", PLAIN_IPS, strict=True)],
    "routes": PLAIN_ROUTES,
    "dns": DNS_JSON,
}
SHAPES: dict[str, dict[str, object]] = {
    "0.1.0": FLAT,
    "0.2.0": FLAT,
    "0.3.0": VERSIONED,
    "0.3.1": VERSIONED,
    "0.4.0": VERSIONED,
    "1.0.0": {**VERSIONED, "ips": PLAIN_IPS},
    "1.1.0": {
        **VERSIONED,
        "interfaces": [PLAIN_LINKS[0], {**PLAIN_LINKS[1], "mtu": 1450}],
        "ips": PLAIN_IPS,
        "routes": [{**PLAIN_ROUTES[0], "mtu": 1400, "table": 100}, PLAIN_ROUTES[1]],
    },
}


def test_every_version_has_its_shape_here() -> None:
    assert tuple(SHAPES) == SUPPORTED


@pytest.mark.parametrize("version", SUPPORTED)
def test_the_shape_of_each_version(version: str) -> None:
    assert encode_result(FULL, version) == {"cniVersion": version, **SHAPES[version]}


@pytest.mark.parametrize("version", SUPPORTED)
def test_a_result_that_names_no_version_has_its_configurations(version: str) -> None:
    assert encode_result(decode_result(SHAPES[version], version), version) == {
        "cniVersion": version,
        **SHAPES[version],
    }


def test_fields_that_a_version_does_not_know_are_written_back() -> None:
    said: Json = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "eth0", "mtu": 1450, "vendor": [1]}],
        "ips": [{"address": "10.0.0.5/8", "zone": "a"}],
        "routes": [{"dst": "0.0.0.0/0", "mtu": 1400, "why": None}],
        "vendor": {"key": "value"},
    }
    assert encode_result(decode_result(said, "1.0.0"), "1.0.0") == said


def test_null_and_empty_fields_count_as_absent() -> None:
    said: Json = {
        "ips": [{"address": "10.0.0.5/8", "gateway": "", "interface": None}],
        "routes": None,
        "interfaces": None,
        "dns": None,
    }
    assert decode_result(said, "1.0.0") == Result(
        ips=(IPConfig(address=ip_interface("10.0.0.5/8")),)
    )


def test_an_address_managers_index_means_nothing_yet() -> None:
    said: Json = {"ips": [{"address": "10.0.0.5/8", "interface": 3}]}
    assert decode_result(said, "1.0.0").ips[0].interface == 3


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"ips": 5}, "ips"),
        ({"ips": [5]}, r"ips\[0\]"),
        ({"ips": [{"address": "10.0.0.1/8"}, {}]}, r"ips\[1\].address"),
        ({"ips": [{"address": "10.0.0.1"}]}, r"ips\[0\].address"),
        ({"ips": [{"address": "10.0.0.1/8", "gateway": "x"}]}, r"ips\[0\].gateway"),
        ({"ips": [{"address": "10.0.0.1/8", "interface": True}]}, r"ips\[0\].interface"),
        ({"ips": [{"address": "10.0.0.1/8", "interface": -1}]}, r"ips\[0\].interface"),
        (
            {"interfaces": [{}], "ips": [{"address": "10.0.0.1/8", "interface": 1}]},
            r"ips\[0\].interface",
        ),
        ({"interfaces": [{"name": 1}]}, r"interfaces\[0\].name"),
        ({"interfaces": [{"mtu": "1"}]}, r"interfaces\[0\].mtu"),
        ({"routes": [{"dst": "0/0"}]}, r"routes\[0\].dst"),
        ({"routes": [{"dst": "::/0", "gw": 4}]}, r"routes\[0\].gw"),
        ({"routes": [{"dst": "::/0", "table": 2**32}]}, r"routes\[0\].table"),
        ({"dns": []}, "dns"),
        ({"dns": {"search": "x"}}, "search"),
        ({"dns": {"search": [1]}}, "dns.search"),
        ({"cniVersion": 1}, "cniVersion"),
        ({"cniVersion": "0.2.0", "ip4": {}}, "ip4.ip"),
        ({"cniVersion": "0.2.0", "ip4": "x"}, "ip4"),
        (
            {"cniVersion": "0.1.0", "ip6": {"ip": "::1/64", "routes": [{"dst": 5}]}},
            r"ip6.routes\[0\].dst",
        ),
    ],
)
def test_what_is_no_result_is_told_by_field(said: Json, where: str) -> None:
    with pytest.raises(Undecodable, match=f"^{where}:"):
        decode_result(said, "1.1.0")


def test_a_version_that_nobody_knows_is_told_as_such() -> None:
    with pytest.raises(IncompatibleVersion, match=r"9\.9\.9"):
        decode_result({"cniVersion": "9.9.9"}, "1.1.0")


KEYS = ["cniVersion", "interfaces", "ips", "routes", "dns", "ip4", "ip6"]
INNER_KEYS = [
    "ip",
    "address",
    "gateway",
    "interface",
    "dst",
    "gw",
    "mtu",
    "name",
    "search",
    "table",
]
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "10.0.0.1/8", "::/0", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*KEYS, *INNER_KEYS]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
).filter(lambda value: isinstance(value, dict))


@settings(deadline=None, max_examples=300)
@given(HOSTILE, st.sampled_from(SUPPORTED))
def test_wrong_types_anywhere_are_an_error_of_ours(said: dict[str, object], version: str) -> None:
    try:
        result = decode_result(said, version)
        encode_result(result, version)
    except DariError as error:
        assert error.code in (1, 6)

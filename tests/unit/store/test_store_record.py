from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import Undecodable
from dari.model import NodeName
from dari.store.record import LARGEST, HostFacts, NodeRecord, decode, decode_ranges, encode

RECORD = NodeRecord(
    name=NodeName("node1.example"),
    addresses=(ip_address("192.168.0.1"), ip_address("fd00::1")),
    pod_ranges=(ip_network("10.244.1.0/24"), ip_network("fd00:10:244:1::/64")),
    mac="02:00:00:00:00:01",
    backend={"vni": 1},
    updated=1700000000.25,
    host=HostFacts(
        name="node1",
        boot_id="5c1f",
        product_uuid="a0b1",
        version="0.1.0",
        macs=("02:00:00:00:00:01", "02:00:00:00:00:02"),
    ),
)


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(encode(RECORD)), **fields}).encode()


def test_a_record_survives_the_way_through_json() -> None:
    assert decode(encode(RECORD), "a file") == RECORD


def test_the_same_record_is_the_same_bytes_and_readable() -> None:
    assert encode(RECORD) == encode(RECORD.replace())
    assert b'"pod_ranges": [\n  "10.244.1.0/24"' in encode(RECORD)


def test_keys_of_newer_versions_are_passed_over() -> None:
    assert decode(changed(colour="green"), "a file") == RECORD


def test_only_the_name_is_needed() -> None:
    assert decode(b'{"name": "node7"}', "a file") == NodeRecord(name=NodeName("node7"))


def test_the_time_of_writing_does_not_count_as_a_difference() -> None:
    assert RECORD.says_the_same_as(RECORD.replace(updated=1.0))
    assert not RECORD.says_the_same_as(RECORD.replace(mac=""))
    assert not RECORD.says_the_same_as(None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", "Node One"),
        ("name", "../../etc/passwd"),
        ("name", "node1\n"),
        ("name", "a" * 254),
        ("name", 7),
        ("addresses", "192.168.0.1"),
        ("addresses[0]", ["192.168.0"]),
        ("addresses[0]", ["127.0.0.1"]),
        ("addresses[0]", ["0.0.0.0"]),
        ("addresses[0]", ["224.0.0.1"]),
        ("addresses[0]", ["255.255.255.255"]),
        ("addresses[0]", ["fe80::1"]),
        ("addresses[0]", ["fd00::1%eth0"]),
        ("addresses[1]", ["192.168.0.1", 3232235521]),
        ("addresses", ["192.168.0.1"] * 17),
        ("pod_ranges", {}),
        ("pod_ranges[0]", ["10.244.1.0"]),
        ("pod_ranges[0]", ["10.244.1.1/24"]),
        ("pod_ranges[0]", ["0.0.0.0/0"]),
        ("pod_ranges[0]", ["0.0.0.0/1"]),
        ("pod_ranges[0]", ["128.0.0.0/1"]),
        ("pod_ranges[0]", ["::/0"]),
        ("pod_ranges[0]", ["8000::/1"]),
        ("pod_ranges[0]", ["127.0.0.0/24"]),
        ("pod_ranges[0]", ["10.0.0.0/24" + " " * 100]),
        ("pod_ranges", ["10.0.0.0/8", "10.244.1.0/24"]),
        ("pod_ranges", [f"10.0.{number}.0/24" for number in range(65)]),
        ("mac", "02:00"),
        ("mac", None),
        ("backend", []),
        ("host", []),
        ("host.boot_id", {"boot_id": 7}),
        ("updated", "yesterday"),
        ("updated", -1),
        ("updated", True),
        ("updated", 10**400),
    ],
)
def test_a_wrong_field_is_named_together_with_its_source(field: str, value: object) -> None:
    with pytest.raises(Undecodable) as caught:
        decode(
            changed(**{field.partition("[")[0].partition(".")[0]: value}), "/somewhere/node1.json"
        )
    assert caught.value.message.startswith(f"/somewhere/node1.json: {field}: ")
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"updated": NaN}',
        b'{"name": "a", "name": "b"}',
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 60000,
        b'{"name": "a"}' + b" " * LARGEST,
    ],
)
def test_what_is_no_object_is_refused_by_source(content: bytes) -> None:
    with pytest.raises(Undecodable, match=r"^node1\.json: "):
        decode(content, "node1.json")


def test_ranges_are_read_though_other_fields_are_damaged() -> None:
    assert decode_ranges(changed(name=5, mac=5), "a file") == RECORD.pod_ranges
    with pytest.raises(Undecodable, match=r"a file: pod_ranges\[0\]"):
        decode_ranges(changed(pod_ranges=["?"]), "a file")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
FIELDS = st.sampled_from(NodeRecord._fields)


@given(st.dictionaries(FIELDS, JSON))
@settings(max_examples=200, deadline=None)
def test_hostile_json_is_a_record_or_a_clear_error(fields: dict[str, object]) -> None:
    try:
        record = decode(changed(**fields), "a file")
    except Undecodable as error:
        assert error.message.startswith("a file: ")
        assert "\n" not in error.message
    else:
        assert decode(encode(record), "again") == record


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_hostile_bytes_are_a_clear_error(content: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(content, "a file")


ADDRESSES = st.builds(
    IPv4Address, st.integers(int(IPv4Address("10.0.0.0")), int(IPv4Address("126.0.0.0")))
) | st.builds(IPv6Address, st.integers(int(IPv6Address("2000::")), int(IPv6Address("fdff::"))))


@given(st.lists(ADDRESSES, max_size=16), st.floats(0, 1e10))
@settings(max_examples=100, deadline=None)
def test_any_record_survives_the_way_through_json(
    addresses: list[IPv4Address | IPv6Address], updated: float
) -> None:
    record = RECORD.replace(addresses=tuple(addresses), updated=updated)
    assert decode(encode(record), "a file") == record

"""A snapshot's JSON reads back as what it was, and nothing else is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_interface, ip_network
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dari.errors import IOFailure, Undecodable
from dari.record import Record
from dari.snapshot import codec, files
from dari.snapshot.model import Host, Lease, Machine, Place, Pod, Snapshot

ADDRESSES = {
    codec.IPAddress: st.ip_addresses(),
    codec.IPInterface: st.ip_addresses().map(lambda one: ip_interface((one, 24))),
    codec.IPNetwork: st.ip_addresses().map(ip_network),
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
SCALARS: Mapping[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.integers(-(2**63), 2**63),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value that an annotation allows."""
    if hint in ADDRESSES:
        return ADDRESSES[hint]
    origin = get_origin(hint)
    if origin is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=2).map(tuple)
    if origin in (Union, UnionType):
        bare = tuple(each for each in get_args(hint) if each is not NoneType)
        return st.none() | values(Union[bare])  # noqa: UP007 - computed
    if origin is not None:
        kind = get_args(hint)[1]
        return st.dictionaries(TEXTS, JSON if kind is object else values(kind), max_size=2)
    return records(hint) if issubclass(hint, Record) else SCALARS[hint]


def records(kind: type[Record]) -> st.SearchStrategy[Any]:
    """Any record of a kind, some fields left as by default."""
    hints = codec._hints(kind)
    required = {field: values(hint) for field, hint in hints.items() if field not in kind._defaults}
    optional = {field: values(hint) for field, hint in hints.items() if field in kind._defaults}
    fields = st.fixed_dictionaries(required, optional=optional)
    return fields.map(lambda given: kind(**given))


# The parts one by one, since the whole is too large to be drawn often.
@pytest.mark.parametrize("kind", (Place, Pod, Lease, Host, Machine), ids=lambda one: one.__name__)
def test_what_was_written_reads_back_the_same(kind: type[Record]) -> None:
    @settings(
        max_examples=30,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(records(kind))
    def check(record: Record) -> None:
        text = json.dumps(codec.encode(record))
        assert codec.decode(kind, json.loads(text), "it") == record

    check()


def test_a_snapshot_survives_its_file() -> None:
    machine = Machine(name="node1", host=Host(name="node1", boot_id="b"))
    snapshot = Snapshot(machines=(machine,), lab="lab")
    assert files.from_bytes(files.as_text(snapshot).encode(), "it") == snapshot


@pytest.mark.parametrize(
    ("document", "complaint"),
    (
        ("[]", "it: not a JSON object"),
        ("{}", "it: not a snapshot"),
        ('{"format": "dari snapshot", "version": 2}', "it: a snapshot of version 2, not 1"),
        ('{"format": "dari snapshot", "version": 1}', "it: machines is missing"),
        (
            '{"format": "dari snapshot", "version": 1, "machines": [{"name": 1}]}',
            "it.machines[0].name: 1 is not of type str",
        ),
        (
            '{"format": "dari snapshot", "version": 1, "machines": [{"name": "a", "leases":'
            ' [{"path": "", "network": "", "address": "10.0.0.256"}]}]}',
            "it.machines[0].leases[0].address: '10.0.0.256' is no address",
        ),
    ),
)
def test_what_is_wrong_is_named_by_its_place(document: str, complaint: str) -> None:
    with pytest.raises(Undecodable) as caught:
        files.from_bytes(document.encode(), "it")
    assert caught.value.message == complaint


@given(st.binary(max_size=200) | JSON.map(lambda one: json.dumps(one).encode()))
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(Undecodable):
        files.from_bytes(content, "it")


def test_a_missing_file_is_said_to_be_missing() -> None:
    with pytest.raises(IOFailure, match="there is no file /nowhere"):
        files.load(["/nowhere"])


def test_the_later_of_two_snapshots_of_one_machine_counts() -> None:
    def taken(moment: float, boot: str, name: str = "node1") -> Snapshot:
        host = Host(name=name, time=moment, boot_id=boot)
        return Snapshot(machines=(Machine(name=name, host=host),))

    both = files.merged([taken(2, "one"), taken(1, "one"), taken(1, "other")])
    assert [(one.host.time, one.host.boot_id) for one in both.machines] == [
        (2, "one"),
        (1, "other"),
    ]

"""Flannel's annotations of a Node: read, written, and refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import BadConfig
from dari.model import NodeName
from dari.store.kubernetes.flannel import PREFIX, annotations_of, record_of
from dari.store.kubernetes.nodes import RECORD, entry_of, record_patch
from dari.store.record import NodeRecord

MAC, MAC6 = "0a:58:00:00:00:01", "0a:58:00:00:00:02"
RANGES = (ip_network("10.244.3.0/24"), ip_network("fd00:10:244:3::/64"))
# As flannel v0.28 writes them.
THEIRS = {
    f"{PREFIX}backend-data": f'{{"VNI":1,"VtepMAC":"{MAC}"}}',
    f"{PREFIX}backend-v6-data": f'{{"VNI":1,"VtepMAC":"{MAC6}"}}',
    f"{PREFIX}backend-type": "vxlan",
    f"{PREFIX}kube-subnet-manager": "true",
    f"{PREFIX}public-ip": "192.168.0.3",
    f"{PREFIX}public-ipv6": "fd00::3",
}
OURS = NodeRecord(
    name=NodeName("node3"),
    addresses=(ip_address("192.168.0.3"), ip_address("fd00::3")),
    pod_ranges=RANGES,
    backend={"type": "flannel", "vni": 1, "mac": MAC, "mac6": MAC6},
)


def read(change: Mapping[str, object]) -> NodeRecord | None:
    return record_of("node3", {**THEIRS, **change}, RANGES)


def test_what_flannel_writes_is_a_record_and_back() -> None:
    assert read({}) == OURS
    assert annotations_of(OURS) == THEIRS


def test_a_node_of_one_family_and_a_node_of_another_backend() -> None:
    null = {f"{PREFIX}backend-v6-data": "null", f"{PREFIX}public-ipv6": ""}
    four = read(null)
    assert four is not None and four.backend == {"type": "flannel", "vni": 1, "mac": MAC}
    assert four.addresses == OURS.addresses[:1]
    gateway = read({f"{PREFIX}backend-type": "host-gw", f"{PREFIX}backend-data": "null"})
    assert gateway is not None and gateway.backend == {"type": "host-gw"}
    only = annotations_of(OURS.replace(pod_ranges=RANGES[:1]))
    assert f"{PREFIX}backend-v6-data" not in only and f"{PREFIX}public-ipv6" not in only


def test_a_node_that_flannel_does_not_manage_has_no_such_record() -> None:
    assert read({f"{PREFIX}kube-subnet-manager": "false"}) is None
    assert record_of("node3", {}, RANGES) is None
    assert annotations_of(None) == {}
    assert annotations_of(OURS.replace(backend={"type": "vxlan"})) == {}


@pytest.mark.parametrize(
    "change",
    [
        {f"{PREFIX}public-ip": "192.168.0"},
        {f"{PREFIX}public-ip": 7},
        {f"{PREFIX}public-ipv6": "fe80::1"},
        {f"{PREFIX}backend-data": "{"},
        {f"{PREFIX}backend-data": "x" * 5000},
        {f"{PREFIX}backend-v6-data": ["x"]},
    ],
)
def test_what_flannel_never_writes_is_named(change: dict[str, object]) -> None:
    (key,) = change
    with pytest.raises(BadConfig, match=key):
        read(change)


@given(st.dictionaries(st.sampled_from(sorted(THEIRS)), st.text() | st.integers()))
@settings(deadline=None)
def test_nonsense_is_refused_or_read(change: dict[str, object]) -> None:
    with suppress(BadConfig):
        read(change)


def node(annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": "node3", "resourceVersion": "7", "annotations": annotations},
        "spec": {"podCIDRs": list(map(str, RANGES))},
    }


def test_a_node_is_known_by_flannels_words_until_it_has_a_record_of_ours() -> None:
    assert entry_of(node(THEIRS)).record == OURS
    patch: Any = record_patch(OURS.replace(backend={"type": "vxlan"}))
    own = patch["metadata"]["annotations"][RECORD]
    found = entry_of(node({**THEIRS, RECORD: own})).record
    assert found is not None and found.backend == {"type": "vxlan"}
    broken = entry_of(node({**THEIRS, f"{PREFIX}public-ip": "x"}))
    assert broken.record is None and "Node node3: flannel" in broken.trouble
    assert broken.ranges == RANGES


def test_our_own_record_speaks_to_flannels_nodes_where_that_is_the_backend() -> None:
    patch: Any = record_patch(OURS)
    annotations = patch["metadata"]["annotations"]
    assert json.loads(annotations[RECORD])["backend"] == OURS.backend
    assert {key: annotations[key] for key in THEIRS} == THEIRS
    assert record_patch(None) == {"metadata": {"annotations": {RECORD: None}}}

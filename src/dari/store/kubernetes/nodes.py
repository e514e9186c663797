"""What dari reads from a Node object, and what it writes there. Pure.

The whole record is one annotation, so that it changes as one. Ranges that the
cluster's controller gave the node (``spec.podCIDRs``) are claimed for it even
before it has a record. A node that has none, but flannel's annotations, is known
by those.

A Node is mostly images and conditions; nothing of it is kept but the record.

May import: errors, model, record, store.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from dari.errors import BadConfig
from dari.model import NodeName
from dari.store.base import Unreachable
from dari.store.kubernetes import flannel
from dari.store.record import NodeRecord, encode, parse_pod_range
from dari.store.remote.entries import Entry, read_entry

if TYPE_CHECKING:
    from dari.model import IPNetwork, Json

RECORD = "dari.dev/record"
_CONDITION = "NetworkUnavailable"
_REASON = "DariIsUp"


def entry_of(node: Json) -> Entry:
    """A Node as an entry; one without a record of ours only holds its ranges.

    Raises:
        Unreachable: it has no name or version, so it is no Node.
    """
    metadata = section(node, "metadata")
    name, annotation = metadata.get("name"), section(metadata, "annotations").get(RECORD)
    if not isinstance(name, str) or not name:
        raise Unreachable("kubernetes: a Node without a name")
    revision, birth = revision_of(node), str(metadata.get("uid", ""))
    try:
        given, trouble = pod_cidrs(node), ""
    except BadConfig as error:
        given, trouble = (), f"Node {name}: {error.message}"
    if not isinstance(annotation, str):
        known = Entry(name=NodeName(name), revision=revision, birth=birth, ranges=given)
        return _of_flannel(known.replace(trouble=trouble), section(metadata, "annotations"))
    source = f"Node {name}: annotation {RECORD}"
    entry = read_entry(NodeName(name), annotation.encode(errors="replace"), source, revision, birth)
    return entry.replace(
        ranges=_union(entry.ranges or (), given) if given else entry.ranges,
        trouble=entry.trouble or trouble,
    )


def _of_flannel(entry: Entry, annotations: Json) -> Entry:
    """The entry of a node that has no record of ours, with what flannel says of it."""
    try:
        return entry.replace(record=flannel.record_of(entry.name, annotations, entry.ranges or ()))
    except BadConfig as error:
        trouble = entry.trouble or f"Node {entry.name}: {error.message}"
        return entry.replace(trouble=trouble)


def _union(held: tuple[IPNetwork, ...], given: tuple[IPNetwork, ...]) -> tuple[IPNetwork, ...]:
    return (*held, *(each for each in given if each not in held))


def pod_cidrs(node: Json) -> tuple[IPNetwork, ...]:
    """The ranges that the cluster gave a Node; several of a family are all taken.

    Raises:
        BadConfig: one of them is none that pods can have.
    """
    spec = section(node, "spec")
    several = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    if not isinstance(several, list):
        raise BadConfig("spec.podCIDRs: not a list")
    return tuple(
        parse_pod_range(each, f"spec.podCIDRs[{index}]") for index, each in enumerate(several)
    )


def revision_of(thing: Json) -> int:
    """The version of an object or list, which is the count of the store's changes.

    Raises:
        Unreachable: it has none that is a number (Kubernetes guarantees one since 1.35).
    """
    version = section(thing, "metadata").get("resourceVersion")
    if not isinstance(version, str) or not version.isdecimal() or len(version) > 20:
        raise Unreachable(f"kubernetes: resourceVersion {str(version)[:40]!r} is no number")
    return int(version)


def record_patch(record: NodeRecord | None) -> Json:
    """A merge patch that writes a node's record, or takes it away."""
    text = None
    if record is not None:
        text = json.dumps(json.loads(encode(record)), sort_keys=True, separators=(",", ":"))
    return {"metadata": {"annotations": {RECORD: text, **flannel.annotations_of(record)}}}


def network_is_up(node: Json) -> bool:
    """Does the Node's condition already say that its network works?"""
    conditions = section(node, "status").get("conditions")
    return isinstance(conditions, list) and any(
        isinstance(each, dict) and (each.get("type"), each.get("status")) == (_CONDITION, "False")
        for each in conditions
    )


def up_patch(seconds: float) -> Json:
    """A strategic merge patch of a Node's status: conditions are merged by type."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    condition = {
        "type": _CONDITION,
        "status": "False",
        "reason": _REASON,
        "message": "dari is running on this node",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    return {"status": {"conditions": [condition]}}


def section(thing: Json, key: str) -> Json:
    """A nested object; empty where there is none."""
    value = thing.get(key)
    return value if isinstance(value, dict) else {}

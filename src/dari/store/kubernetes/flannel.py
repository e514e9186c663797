"""Flannel's annotations of a Node, read as a record and written from one. Pure.

A cluster is moved from flannel to dari node by node: until the last one has
moved, nodes of both kinds tell each other in flannel's words where they are.

Source: facts read from flannel v0.28; docs/backends.md has them.
May import: addr, errors, jsontext, model, store.record.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dari import jsontext
from dari.errors import BadConfig, Undecodable
from dari.store.record import NodeRecord, parse_name, parse_node_address

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork, Json

PREFIX = "flannel.alpha.coreos.com/"
_MANAGED = f"{PREFIX}kube-subnet-manager"
_TYPE = f"{PREFIX}backend-type"
_DATA = {4: f"{PREFIX}backend-data", 6: f"{PREFIX}backend-v6-data"}
_ADDRESS = {4: f"{PREFIX}public-ip", 6: f"{PREFIX}public-ipv6"}
_MAC_KEY = {4: "mac", 6: "mac6"}
_BACKEND, _TUNNEL = "flannel", "vxlan"
_LARGEST = 4096  # bytes of backend data


def record_of(name: str, annotations: Json, ranges: tuple[IPNetwork, ...]) -> NodeRecord | None:
    """The record of a node that flannel manages; None where it does not.

    Args:
        name: the Node's.
        annotations: all of the Node's.
        ranges: from its ``spec.podCIDRs``.

    Raises:
        BadConfig: an annotation is not what flannel writes; it is named.
    """
    if annotations.get(_MANAGED) != "true":
        return None
    addresses = tuple(
        parse_node_address(annotations[key], key)
        for key in _ADDRESS.values()
        if annotations.get(key)
    )
    return NodeRecord(
        name=parse_name(name, "metadata.name"),
        addresses=addresses,
        pod_ranges=ranges,
        backend=_backend(annotations),
    )


def annotations_of(record: NodeRecord | None) -> dict[str, str]:
    """What flannel's nodes read of a record; nothing of one with another backend.

    Args:
        record: this node's own.
    """
    if record is None or record.backend.get("type") != _BACKEND:
        return {}
    found = {_MANAGED: "true", _TYPE: _TUNNEL}
    for version in (4, 6):
        address = next((each for each in record.addresses if each.version == version), None)
        mac = record.backend.get(_MAC_KEY[version])
        if address is not None and mac and _has_range(record, version):
            found |= _spoken(address, str(mac), record.backend.get("vni"))
    return found


def _has_range(record: NodeRecord, version: int) -> bool:
    return any(each.version == version for each in record.pod_ranges)


def _spoken(address: IPAddress, mac: str, vni: object) -> dict[str, str]:
    data = json.dumps({"VNI": vni, "VtepMAC": mac}, separators=(",", ":"))
    return {_DATA[address.version]: data, _ADDRESS[address.version]: str(address)}


def _backend(annotations: Json) -> Json:
    """Of flannel's other backends only host-gw is met in the same way as dari's direct one."""
    kind = annotations.get(_TYPE)
    if kind != _TUNNEL:
        return {"type": str(kind)}
    found: dict[str, object] = {"type": _BACKEND}
    for version, key in _DATA.items():
        data = _decoded(annotations.get(key), key)
        if data.get("VtepMAC"):
            found[_MAC_KEY[version]] = data["VtepMAC"]
            found["vni"] = data.get("VNI")
    return found


def _decoded(value: object, key: str) -> Json:
    """Backend data; flannel writes ``null`` for a family that it does not serve."""
    if value is None or value == "null":
        return {}
    if not isinstance(value, str) or len(value) > _LARGEST:
        raise BadConfig(f"{key}: not a short text")
    try:
        return jsontext.decode(value.encode(), key)
    except Undecodable as error:
        raise BadConfig(error.message) from None

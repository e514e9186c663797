"""A node's record: what every node tells the others, as JSON.

Records come from outside (a folder that others write, later an API server), so
reading one trusts nothing: each field is checked, each list is bounded, and
what is wrong is named by source and field. Keys that this version does not know
are passed over, so that a newer node's record is still of use.

May import: addr, errors, jsontext, model, record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from itertools import pairwise
from sys import intern
from typing import TYPE_CHECKING

from dari import jsontext
from dari.addr import parse_address, parse_interface, parse_network
from dari.errors import BadConfig, Undecodable
from dari.model import EMPTY, NodeName
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork, Json

LARGEST = 64 * 1024  # bytes of JSON
_MOST_ADDRESSES = 16
_MOST_RANGES = 64
_MOST_MACS = 64
_FEWEST_THAT_OVERLAP = 2
_HOST_TEXTS = ("name", "boot_id", "product_uuid", "version")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")

# Nothing of these can be a node's address or a part of a pod range. That also
# refuses a range so wide that it would take over the default route.
_UNUSABLE = tuple(
    (each.version, int(each.network_address), int(each.broadcast_address), each)
    for each in map(
        ip_network,
        (
            "0.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/3",
            "::/127",
            "fe80::/10",
            "ff00::/8",
        ),
    )
)


class HostFacts(Record):
    """What tells a node's machine from others, so that clones are found; all may be empty.

    Attributes:
        name: of the host.
        boot_id: of its kernel's run; namespaces of one machine have the same.
        product_uuid: of the machine.
        version: of dari.
        macs: of the interfaces that lead to other machines.
    """

    name: str = ""
    boot_id: str = ""
    product_uuid: str = ""
    version: str = ""
    macs: tuple[str, ...] = ()


_UNKNOWN = HostFacts()


class NodeRecord(Record):
    """One node of the cluster.

    Attributes:
        name: unique in the cluster, in lower case (RFC 1123).
        addresses: where peers reach the node; the first of each family counts.
        pod_ranges: prefixes whose pods run on this node.
        mac: of the interface that holds the addresses; may be empty.
        backend: what a backend other than direct routes needs to know.
        updated: when the node wrote it, seconds since 1970.
        host: the machine that wrote it; empty from a dari that did not tell.
    """

    name: NodeName
    addresses: tuple[IPAddress, ...] = ()
    pod_ranges: tuple[IPNetwork, ...] = ()
    mac: str = ""
    backend: Json = EMPTY
    updated: float = 0.0
    host: HostFacts = _UNKNOWN

    @property
    def is_bare_claim(self) -> bool:
        """Does it hold a range for a node that has yet to tell where it is?

        Such is what `Store.allot` writes; the node writes its own as soon as others can
        reach it.
        """
        return not self.addresses and not self.updated

    def says_the_same_as(self, other: NodeRecord | None) -> bool:
        """Equal in everything but the time of writing?"""
        return other is not None and self == other.replace(updated=self.updated)


def encode(record: NodeRecord) -> bytes:
    """The record as JSON, the same bytes for the same record."""
    document = {
        "name": record.name,
        "addresses": [str(address) for address in record.addresses],
        "pod_ranges": [str(network) for network in record.pod_ranges],
        "mac": record.mac,
        "backend": dict(record.backend),
        "updated": record.updated,
        **({"host": _host_document(record.host)} if record.host != _UNKNOWN else {}),
    }
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def decode(content: bytes, source: str) -> NodeRecord:
    """Read what `encode` wrote.

    Args:
        content: JSON, at most `LARGEST` bytes.
        source: where it was read; named in errors.

    Raises:
        Undecodable: it is no record; the message names source and field.
    """
    document = _object(content, source)
    with _naming(source):
        return NodeRecord(
            name=parse_name(document.get("name"), "name"),
            addresses=_addresses(document),
            pod_ranges=_ranges(document),
            mac=_mac(document.get("mac", "")),
            backend=_backend(document.get("backend", {})),
            updated=_seconds(document.get("updated", 0)),
            host=_host(document["host"]) if "host" in document else _UNKNOWN,
        )


def decode_ranges(content: bytes, source: str) -> tuple[IPNetwork, ...]:
    """Read the pod ranges alone, of a record whose other fields may be damaged.

    Raises:
        Undecodable: not even they can be read.
    """
    document = _object(content, source)
    with _naming(source):
        return _ranges(document)


def parse_name(value: object, field: str) -> NodeName:
    """Read a node's name: a DNS subdomain in lower case, at most 253 characters.

    Raises:
        BadConfig: it is not; `field` is named.
    """
    if not isinstance(value, str) or not _NAME.match(value):
        raise BadConfig(
            f"{field}: {_short(value)} is not a node's name: lower-case letters, digits, '-', '.'"
        )
    return NodeName(value)


def parse_pod_range(value: object, field: str) -> IPNetwork:
    """Read a prefix that pods may have addresses of.

    Raises:
        BadConfig: it is no prefix, has bits set beyond its length, or holds
            addresses that no pod can have; `field` is named.
    """
    network = parse_network(_text(value, field), field)
    canonical = str(network) == value
    if not canonical and parse_interface(value, field).ip != network.network_address:
        raise BadConfig(f"{field}: {_short(value)} should be written {network}")
    first = int(network.network_address)
    # Not `hostmask`, which would be kept with the network, of which there may be thousands.
    last = first + (1 << network.max_prefixlen - network.prefixlen) - 1
    unusable = _unusable(network.version, first, last)
    if unusable:
        raise BadConfig(f"{field}: {network} holds {unusable}, of which no pod has an address")
    return network


def parse_node_address(value: object, field: str) -> IPAddress:
    """Read an address at which a node can be reached by others.

    Raises:
        BadConfig: it is none, or of a kind that stays on its own machine or link.
    """
    address = parse_address(_text(value, field), field)
    number = int(address)
    if _unusable(address.version, number, number) or (address.version == 6 and address.scope_id):
        raise BadConfig(f"{field}: {address} is no address at which others reach a node")
    return address


def _unusable(version: int, first: int, last: int) -> IPNetwork | None:
    """The first of the unusable prefixes that has addresses in common with these."""
    for of_version, low, high, network in _UNUSABLE:
        if of_version == version and first <= high and low <= last:
            return network
    return None


@contextmanager
def _naming(source: str) -> Iterator[None]:
    """Say of which record a field is wrong."""
    try:
        yield
    except BadConfig as error:
        raise Undecodable(f"{source}: {error.message}", _advice(source)) from None


def _advice(source: str) -> str:
    return f"its node writes it anew while its agent runs; otherwise mend or remove {source}"


def _object(content: bytes, source: str) -> Json:
    if len(content) > LARGEST:
        raise Undecodable(f"{source}: larger than {LARGEST} bytes", _advice(source))
    try:
        return jsontext.decode(content, source)
    except Undecodable as error:
        raise Undecodable(error.message, _advice(source)) from None


def _addresses(document: Json) -> tuple[IPAddress, ...]:
    given = _list(document, "addresses", _MOST_ADDRESSES)
    return tuple(
        parse_node_address(each, f"addresses[{number}]") for number, each in enumerate(given)
    )


def _ranges(document: Json) -> tuple[IPNetwork, ...]:
    given = _list(document, "pod_ranges", _MOST_RANGES)
    ranges = tuple(
        parse_pod_range(each, f"pod_ranges[{number}]") for number, each in enumerate(given)
    )
    refuse_overlap(ranges, "pod_ranges")
    return ranges


def refuse_overlap(ranges: tuple[IPNetwork, ...], field: str) -> None:
    """Refuse prefixes that share addresses.

    Raises:
        BadConfig: two overlap; both are named.
    """
    if len(ranges) < _FEWEST_THAT_OVERLAP:
        return  # most nodes have one, and there may be thousands of them
    ordered = sorted(ranges, key=lambda each: (each.version, each.network_address.packed))
    for left, right in pairwise(ordered):
        if left.version == right.version and left.overlaps(right):
            raise BadConfig(f"{field}: {left} and {right} overlap")


def _list(document: Json, field: str, most: int) -> list[object]:
    value = document.get(field, [])
    if not isinstance(value, list):
        raise BadConfig(f"{field}: {_short(value)} is not a list")
    if len(value) > most:
        raise BadConfig(f"{field}: {len(value)} entries, more than {most}")
    return value


def _mac(value: object) -> str:
    text = _text(value, "mac").lower()
    if text and not _MAC.match(text):
        raise BadConfig(f"mac: {_short(value)} is not six bytes such as 0a:58:0a:16:00:05")
    return text


def _backend(value: object) -> Json:
    if not isinstance(value, dict):
        raise BadConfig(f"backend: {_short(value)} is not an object")
    # Nearly all nodes say nearly the same: each text is kept once.
    return {
        intern(key): intern(each) if isinstance(each, str) else each for key, each in value.items()
    }


def _host_document(host: HostFacts) -> Json:
    return {**{name: getattr(host, name) for name in _HOST_TEXTS}, "macs": list(host.macs)}


def _host(value: object) -> HostFacts:
    if not isinstance(value, dict):
        raise BadConfig(f"host: {_short(value)} is not an object")
    texts = {name: _text(value.get(name, ""), f"host.{name}") for name in _HOST_TEXTS}
    return HostFacts(
        name=texts["name"],
        boot_id=texts["boot_id"],
        product_uuid=texts["product_uuid"],
        version=texts["version"],
        macs=tuple(_mac(each) for each in _list(value, "macs", _MOST_MACS)),
    )


def _seconds(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e11:
        return float(value)
    raise BadConfig(f"updated: {_short(value)} is not a time in seconds since 1970")


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise BadConfig(f"{field}: {_short(value)} is not a short string")
    return value


def _short(value: object) -> str:
    """A value as it appears in a message: never longer than a line."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."

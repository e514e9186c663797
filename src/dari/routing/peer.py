"""What routing knows of a node, and what it is asked about it: plain data.

May import: errors, fields, model, record.
"""

from __future__ import annotations

import re
from sys import intern
from typing import TYPE_CHECKING

from dari.errors import BadConfig
from dari.fields import number, text
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork, Json, NodeName

DIRECT, VXLAN, AUTO, BGP, FLANNEL = "direct", "vxlan", "auto", "bgp", "flannel"
LARGEST_VNI = 2**24 - 1
LARGEST_PORT = 2**16 - 1
LARGEST_AS = 2**32 - 1
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
_MULTICAST = 0x01  # of a MAC's first byte


class Speech(Record):
    """Which backend a node speaks, from its record's `backend`.

    Attributes:
        type: one of the names above; of another, later one nothing is known.
        vni, port: of its tunnel; 0: it has none.
        mac: of its tunnel's device; empty: it has none.
        mac6: of the second device, where flannel has one for IPv6.
        as_number: of its routing daemon; 0: it has none.
    """

    type: str = DIRECT
    vni: int = 0
    port: int = 0
    mac: str = ""
    mac6: str = ""
    as_number: int = 0


class Peer(Record):
    """A node as routing sees it: where it is, and which pod ranges it holds.

    Attributes:
        trouble: why its record's backend could not be read; empty: it could.
        joining: it holds its ranges, and has yet to tell where it is.
    """

    name: NodeName
    addresses: tuple[IPAddress, ...] = ()
    ranges: tuple[IPNetwork, ...] = ()
    speech: Speech = Speech()
    trouble: str = ""
    joining: bool = False

    def address(self, version: int) -> IPAddress | None:
        """Where it is reached by this IP version."""
        for each in self.addresses:  # asked thousands of times: no generator
            if each.version == version:
                return each
        return None


class Claim(Record):
    """One pod range that a node says is its own."""

    network: IPNetwork
    peer: Peer


def encode_speech(speech: Speech) -> Json:
    """A record's `backend`: what is known, and no more."""
    document = {
        "type": speech.type,
        "vni": speech.vni,
        "port": speech.port,
        "mac": speech.mac,
        "mac6": speech.mac6,
        "as": speech.as_number,
    }
    return {key: value for key, value in document.items() if value}


def decode_speech(backend: Json) -> Speech:
    """Read what `encode_speech` wrote, on another node.

    Raises:
        BadConfig: a field is not what it should be; it is named.
    """
    return Speech(
        type=text(backend, "type", DIRECT),
        vni=number(backend, "vni", high=LARGEST_VNI),
        port=number(backend, "port", high=LARGEST_PORT),
        mac=_mac(backend, "mac"),
        mac6=_mac(backend, "mac6"),
        as_number=number(backend, "as", high=LARGEST_AS),
    )


def _mac(backend: Json, key: str) -> str:
    found = intern(text(backend, key).lower())  # the record's own, where that is in lower case
    if found and not _is_device(found):
        raise BadConfig(f"{key}: {found[:40]!r} is no device's MAC")
    return found


def _is_device(mac: str) -> bool:
    """One device's, and not that of many or of none."""
    if not _MAC.match(mac):
        return False
    octets = bytes.fromhex(mac.replace(":", ""))
    return any(octets) and not octets[0] & _MULTICAST

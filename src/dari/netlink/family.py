"""The two address families: their numbers, and addresses as the kernel packs them.

May import: errors, model, constants.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from dari.errors import Undecodable
from dari.netlink.constants import AF_INET, AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPAddress, IPInterface, IPNetwork

FAMILY = {4: AF_INET, 6: AF_INET6}
VERSION = {AF_INET: 4, AF_INET6: 6}
_V4_SIZE, _V6_SIZE = 4, 16


def version_of(family: int, what: str) -> int:
    """The IP version of an AF_* number; `what` names the message.

    Raises:
        Undecodable: it is neither AF_INET nor AF_INET6.
    """
    version = VERSION.get(family)
    if version is None:
        raise Undecodable(f"netlink: {what} of family {family}")
    return version


def unpack_address(packed: bytes) -> IPAddress:
    """Four or sixteen bytes as an address.

    Raises:
        Undecodable: they are of another number.
    """
    if len(packed) == _V4_SIZE:
        return IPv4Address(packed)
    if len(packed) == _V6_SIZE:
        return IPv6Address(packed)
    raise Undecodable(f"netlink: an address of {len(packed)} bytes")


def unpack_optional(packed: bytes | None) -> IPAddress | None:
    """The same for an attribute that may be absent."""
    return None if packed is None else unpack_address(packed)


def unpack_interface(packed: bytes, length: int) -> IPInterface:
    """An address and its prefix length.

    Raises:
        Undecodable: a wrong number of bytes, or too long a prefix.
    """
    try:
        if len(packed) == _V4_SIZE:
            return IPv4Interface((packed, length))
        if len(packed) == _V6_SIZE:
            return IPv6Interface((packed, length))
    except ValueError:
        pass
    raise Undecodable(f"netlink: {packed.hex()}/{length} is no address")


def unpack_network(packed: bytes | None, length: int, version: int) -> IPNetwork:
    """A prefix; the kernel leaves out the address of the one that matches all.

    Raises:
        Undecodable: a wrong number of bytes, or too long a prefix.
    """
    size = _V4_SIZE if version == 4 else _V6_SIZE
    given = bytes(size) if packed is None else packed
    try:
        if len(given) == size:
            kind = IPv4Network if version == 4 else IPv6Network
            return kind((given, length), strict=False)
    except ValueError:
        pass
    raise Undecodable(f"netlink: {given.hex()}/{length} is no prefix of IPv{version}")

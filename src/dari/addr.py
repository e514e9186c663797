"""Arithmetic on addresses that more than one layer needs.

One path for both families: everything takes and gives :mod:`ipaddress` objects
and asks `.version` only where the kernel or a file format does.

May import: errors.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from dari.errors import BadConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPAddress, IPInterface, IPNetwork

_SOLICITED_NODE = bytes.fromhex("ff02 0000 0000 0000 0000 0001 ff")


def parse_address(text: object, field: str) -> IPAddress:
    """Read one address; `field` names it in the error.

    Raises:
        BadConfig: it is no IPv4 or IPv6 address.
    """
    try:
        return ip_address(_text(text, field))
    except ValueError:
        raise BadConfig(f"{field}: {text!r} is not an IPv4 or IPv6 address") from None


def parse_interface(text: object, field: str) -> IPInterface:
    """Read an address with its prefix length, such as ``10.22.0.5/16``.

    Raises:
        BadConfig: it is not, or the prefix length is missing.
    """
    given = _text(text, field)
    try:
        if "/" not in given:
            raise ValueError
        return ip_interface(given)
    except ValueError:
        raise BadConfig(
            f"{field}: {given!r} is not an address with a prefix length, such as 10.22.0.5/16"
        ) from None


def parse_network(text: object, field: str) -> IPNetwork:
    """Read a prefix; bits set beyond its length are cleared, as Go's ParseCIDR does.

    Raises:
        BadConfig: it is no prefix in CIDR notation.
    """
    given = _text(text, field)
    try:
        if "/" not in given:
            raise ValueError
        return ip_network(given, strict=False)
    except ValueError:
        raise BadConfig(
            f"{field}: {given!r} is not a prefix in CIDR notation, such as 10.22.0.0/16"
        ) from None


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise BadConfig(f"{field}: {value!r} is not a string")
    return value


def default_route(version: int) -> IPNetwork:
    """The prefix that matches everything of IP version 4 or 6."""
    return ip_network("0.0.0.0/0" if version == 4 else "::/0")


def host_prefix(address: IPAddress) -> IPNetwork:
    """The prefix that holds this address alone: a /32 or a /128."""
    return ip_network(address)


def mac_of(address: IPAddress) -> str:
    """A locally administered MAC derived from an address.

    The same address always gets the same MAC, so a neighbour's cached entry
    stays right when a pod is replaced by another with its address. IPv4:
    ``0a:58:`` and the four bytes; IPv6: ``0a:59:`` and the last four.
    """
    tail = address.packed[-4:]
    return "0a:%02x:%s" % (0x58 if address.version == 4 else 0x59, tail.hex(":"))


def solicited_node_of(address: IPAddress) -> IPAddress:
    """The multicast group that an IPv6 address is asked for in (RFC 4291, section 2.7.1)."""
    return ip_address(_SOLICITED_NODE + address.packed[-3:])


def link_local_of(mac: str) -> IPInterface:
    """The fe80::/64 address that RFC 4291, appendix A, derives from a MAC."""
    octets = bytes.fromhex(mac.replace(":", ""))
    eui = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return ip_interface((b"\xfe\x80" + bytes(6) + eui, 64))

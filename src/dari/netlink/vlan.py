"""VLANs of a bridge and of its ports, where the kernel filters by them.

A kernel without CONFIG_BRIDGE_VLAN_FILTERING answers EOPNOTSUPP to all of it.

Source: linux/if_bridge.h (struct bridge_vlan_info), linux/if_link.h;
net/bridge/br_netlink.c.
May import: codec, constants.
"""

from __future__ import annotations

from struct import Struct

from dari.netlink import constants as c
from dari.netlink.codec import Request, attribute, nested, pack, text, u8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_IFINFO = Struct("=BxHiII")
_VLAN_INFO = Struct("=HH")  # flags, VLAN
DEFAULT_VLAN = 1
"""What a bridge puts every new port into, untagged."""


def filter_vlans(index: int) -> Request:
    """Have a bridge tell its ports' VLANs apart.

    Equivalent to: `ip link set dev BRIDGE type bridge vlan_filtering 1`.
    """
    kind = text(c.IFLA_INFO_KIND, "bridge")
    data = nested(c.IFLA_INFO_DATA, u8(c.IFLA_BR_VLAN_FILTERING, 1))
    return Request(
        kind=c.RTM_NEWLINK,
        flags=0,
        body=pack(_IFINFO, 0, 0, index, 0, 0) + nested(c.IFLA_LINKINFO, kind, data),
        doing=f"filter VLANs on bridge {index}",
    )


def add_access_vlan(port: int, vlan: int) -> Request:
    """What comes untagged into a port is in this VLAN, and leaves it untagged.

    Equivalent to: `bridge vlan add dev PORT vid VLAN pvid untagged`.

    Args:
        port: the port's index.
        vlan: 1 to 4094.
    """
    flags = c.BRIDGE_VLAN_INFO_PVID | c.BRIDGE_VLAN_INFO_UNTAGGED
    return _vlans(c.RTM_SETLINK, port, [_info(flags, vlan)], f"add VLAN {vlan} to port {port}")


def add_trunk_vlans(port: int, ranges: Sequence[tuple[int, int]]) -> Request:
    """Let tagged frames of these VLANs through a port.

    Equivalent to: `bridge vlan add dev PORT vid FIRST-LAST`, for each range.

    Args:
        port: the port's index.
        ranges: first and last VLAN of each, both within it.
    """
    found = [each for first, last in ranges for each in _range(first, last)]
    return _vlans(c.RTM_SETLINK, port, found, f"add VLANs to port {port}")


def delete_vlan(port: int, vlan: int) -> Request:
    """Take a port out of a VLAN.

    Equivalent to: `bridge vlan delete dev PORT vid VLAN`.
    """
    return _vlans(c.RTM_DELLINK, port, [_info(0, vlan)], f"delete VLAN {vlan} of port {port}")


def _range(first: int, last: int) -> list[bytes]:
    if first == last:
        return [_info(0, first)]
    return [
        _info(c.BRIDGE_VLAN_INFO_RANGE_BEGIN, first),
        _info(c.BRIDGE_VLAN_INFO_RANGE_END, last),
    ]


def _info(flags: int, vlan: int) -> bytes:
    return attribute(c.IFLA_BRIDGE_VLAN_INFO, pack(_VLAN_INFO, flags, vlan))


def _vlans(kind: int, port: int, infos: list[bytes], doing: str) -> Request:
    head = pack(_IFINFO, c.AF_BRIDGE, 0, port, 0, 0)
    return Request(kind=kind, flags=0, body=head + nested(c.IFLA_AF_SPEC, *infos), doing=doing)

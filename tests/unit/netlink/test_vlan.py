"""Requests about VLANs, read back by pyroute2."""

from __future__ import annotations

from typing import Any

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from dari.netlink import constants as c
from dari.netlink.codec import Request
from dari.netlink.vlan import add_access_vlan, add_trunk_vlans, delete_vlan, filter_vlans


def infos(request: Request) -> list[tuple[int, int]]:
    found = read(request)
    assert found["family"] == c.AF_BRIDGE
    listed = found.get_attr("IFLA_AF_SPEC").get_attrs("IFLA_BRIDGE_VLAN_INFO")
    return [(each["flags"], each["vid"]) for each in listed]


def read(request: Request) -> Any:
    head = bytes(16)
    message = ifinfmsg((16 + len(request.body)).to_bytes(4, "little") + head[4:] + request.body)
    message.decode()
    assert message["index"] == 5
    return message


def test_untagged_frames_go_into_the_access_vlan() -> None:
    request = add_access_vlan(5, 100)
    assert request.kind == c.RTM_SETLINK
    assert infos(request) == [(2 | 4, 100)]


def test_a_trunk_is_ranges_and_single_vlans() -> None:
    request = add_trunk_vlans(5, [(3, 3), (5, 9)])
    assert infos(request) == [(0, 3), (8, 5), (16, 9)]


def test_a_vlan_is_left_by_a_deletion() -> None:
    request = delete_vlan(5, 1)
    assert request.kind == c.RTM_DELLINK
    assert infos(request) == [(0, 1)]


def test_a_bridge_filters() -> None:
    info = read(filter_vlans(5)).get_attr("IFLA_LINKINFO")
    assert info.get_attr("IFLA_INFO_KIND") == "bridge"
    assert info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_BR_VLAN_FILTERING") == 1

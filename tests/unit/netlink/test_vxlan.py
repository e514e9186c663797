"""What vxlan's builders write, read by pyroute2, and the other way round."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from dari.errors import BadConfig, Undecodable
from dari.netlink import constants as c
from dari.netlink.vxlan import add_vxlan, change_vxlan, parse_vxlan
from tests.unit.netlink.witness import decoded, encoded, macs, moderate, names

V4, V6 = ip_address("192.168.0.1"), ip_address("fd00::1")
locals_ = st.ip_addresses().filter(lambda address: not address.is_unspecified)


def test_pyroute2_reads_a_device_of_each_family() -> None:
    request = add_vxlan("dari.vxlan", vni=79, port=4789, local=V4, mac="0a:58:00:00:00:01", mtu=9)
    fields, attributes = decoded(ifinfmsg, request)
    assert (request.kind, request.flags) == (c.RTM_NEWLINK, c.NLM_F_CREATE | c.NLM_F_EXCL)
    assert (fields["index"], fields["flags"]) == (0, 0)
    assert attributes == {
        "IFLA_IFNAME": "dari.vxlan",
        "IFLA_ADDRESS": "0a:58:00:00:00:01",
        "IFLA_MTU": 9,
        "IFLA_LINKINFO": {
            "IFLA_INFO_KIND": "vxlan",
            "IFLA_INFO_DATA": {
                "IFLA_VXLAN_ID": 79,
                "IFLA_VXLAN_PORT": 4789,
                "IFLA_VXLAN_LEARNING": 0,
                "IFLA_VXLAN_LOCAL": "192.168.0.1",
            },
        },
    }
    _, attributes = decoded(ifinfmsg, add_vxlan("v6", vni=1, port=8472, local=V6))
    assert attributes["IFLA_LINKINFO"]["IFLA_INFO_DATA"]["IFLA_VXLAN_LOCAL6"] == "fd00::1"
    assert "IFLA_MTU" not in attributes and "IFLA_ADDRESS" not in attributes


def test_pyroute2_reads_a_change_of_the_sender() -> None:
    fields, attributes = decoded(ifinfmsg, change_vxlan(7, local=V4))
    assert fields["index"] == 7
    data = attributes["IFLA_LINKINFO"]["IFLA_INFO_DATA"]
    assert data == {"IFLA_VXLAN_LEARNING": 0, "IFLA_VXLAN_LOCAL": "192.168.0.1"}


def test_a_device_that_pyroute2_wrote() -> None:
    data = [
        ("IFLA_VXLAN_ID", 1),
        ("IFLA_VXLAN_LINK", 2),
        ("IFLA_VXLAN_LOCAL6", "fd00::1"),
        ("IFLA_VXLAN_PORT", 8472),
        ("IFLA_VXLAN_LEARNING", 1),
        ("IFLA_VXLAN_L3MISS", 1),
    ]
    info = {"attrs": [("IFLA_INFO_KIND", "vxlan"), ("IFLA_INFO_DATA", {"attrs": data})]}
    body = encoded(ifinfmsg, {"index": 7}, [("IFLA_IFNAME", "flannel.1"), ("IFLA_LINKINFO", info)])
    found = parse_vxlan(body)
    assert found is not None and (found.link.index, found.link.name) == (7, "flannel.1")
    assert (found.vni, found.port, found.local, found.device) == (1, 8472, V6, 2)
    assert found.learning and found.special


@given(
    names, macs, st.integers(0, 2**24 - 1), st.integers(1, 65535), locals_, st.integers(68, 65535)
)
@moderate
def test_what_is_built_is_read_back(
    name: str, mac: str, vni: int, port: int, local: object, mtu: int
) -> None:
    address = ip_address(str(local).partition("%")[0])
    request = add_vxlan(name, vni=vni, port=port, local=address, mac=mac, mtu=mtu)
    found = parse_vxlan(request.body)
    assert found is not None
    assert (found.link.name, found.link.mac, found.link.mtu) == (name, mac, mtu)
    assert (found.vni, found.port, found.local) == (vni, port, address)
    assert not found.learning and not found.special


def test_a_link_of_another_kind_is_none() -> None:
    info = {"attrs": [("IFLA_INFO_KIND", "veth")]}
    assert parse_vxlan(encoded(ifinfmsg, {"index": 7}, [("IFLA_LINKINFO", info)])) is None


def test_a_mac_that_is_none_is_refused() -> None:
    with pytest.raises(BadConfig, match="zz"):
        add_vxlan("v", vni=1, port=1, local=V4, mac="zz")


@given(st.binary(max_size=120))
@moderate
def test_random_bytes_are_undecodable_or_read(body: bytes) -> None:
    with suppress(Undecodable):
        parse_vxlan(body)

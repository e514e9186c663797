"""Vxlan devices and their offloads on the real kernel, beside `ip -json -details`."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from dari.errors import KernelRefused, NotFound
from dari.netlink.linkchange import change_link
from dari.netlink.offload import offload_checksums, offloads_checksums
from dari.netlink.sock import NetlinkSocket
from dari.netlink.vxlan import add_vxlan, change_vxlan, get_vxlan, list_vxlans
from tests.support.kernel import ip, run

MAC = "0a:58:00:00:00:01"
LOCALS = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}


def shown(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    [link] = ip("link", "show", "dev", name)
    return link, link["linkinfo"]["info_data"]


@pytest.mark.parametrize("version", [4, 6])
def test_a_device_is_what_ip_shows_and_sends_from_elsewhere_when_told(version: int) -> None:
    key = "local" if version == 4 else "local6"
    first, second = map(ip_address, LOCALS[version])
    with NetlinkSocket() as sock:
        sock.transact([add_vxlan("vx", vni=79, port=4789, local=first, mac=MAC, mtu=1430)])
        link, data = shown("vx")
        assert (link["address"], link["mtu"]) == (MAC, 1430)
        assert (data["id"], data["port"], data["learning"], data[key]) == (
            79,
            4789,
            False,
            str(first),
        )
        found = get_vxlan(sock, "vx")
        assert found is not None and (found.vni, found.port, found.local) == (79, 4789, first)
        assert not found.learning and not found.special
        sock.transact([change_vxlan(found.link.index, local=second)])
        assert shown("vx")[1][key] == str(second)
        assert get_vxlan(sock, "lo") is None


def test_what_ip_made_is_read() -> None:
    options = ("id", "1", "dstport", "8472", "local", "192.0.2.1", "dev", "lo", "l2miss", "ageing")
    run("ip", "link", "add", "flannel.1", "type", "vxlan", *options, "300")
    with NetlinkSocket() as sock:
        (found,) = list_vxlans(sock)
    assert (found.link.name, found.vni, found.port, found.device) == ("flannel.1", 1, 8472, 1)
    assert found.learning and found.special


def test_a_device_of_each_family_shares_number_and_port() -> None:
    with NetlinkSocket() as sock:
        for version, (local, _) in LOCALS.items():
            name = f"vx{version}"
            sock.transact([add_vxlan(name, vni=79, port=4789, local=ip_address(local))])
            sock.transact([change_link(name=name, up=True)])
        assert {each.link.name for each in list_vxlans(sock)} == {"vx4", "vx6"}


def test_the_family_of_a_device_stays() -> None:
    with NetlinkSocket() as sock:
        sock.transact([add_vxlan("vx", vni=79, port=4789, local=ip_address("192.0.2.1"))])
        found = get_vxlan(sock, "vx")
        assert found is not None
        with pytest.raises(KernelRefused):
            sock.transact([change_vxlan(found.link.index, local=ip_address("fd00::1"))])


def test_pain_12_checksums_are_left_to_the_hardware_or_not() -> None:
    with NetlinkSocket() as sock:
        sock.transact([add_vxlan("vx", vni=79, port=4789, local=ip_address("192.0.2.1"))])
        assert offloads_checksums(sock.fileno(), "vx")
        offload_checksums(sock.fileno(), "vx", False)
        assert not offloads_checksums(sock.fileno(), "vx")
        assert "tx-checksumming: off" in run("ethtool", "--show-offload", "vx")
        offload_checksums(sock.fileno(), "vx", True)
        assert "tx-checksumming: on" in run("ethtool", "--show-offload", "vx")
        with pytest.raises(NotFound, match="nowhere"):
            offloads_checksums(sock.fileno(), "nowhere")

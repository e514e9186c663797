"""Neighbours and forwarding entries, beside what `ip -json` and `bridge -json` say."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest

from dari.errors import AlreadyExists, NotFound
from dari.netlink import constants as c
from dari.netlink.link import get_link
from dari.netlink.linkchange import add_bridge, add_veth, change_link
from dari.netlink.namespace import Namespace
from dari.netlink.neighbour import (
    Neighbour,
    add_neighbour,
    append_fdb,
    delete_fdb,
    delete_neighbour,
    list_fdb,
    list_neighbours,
    replace_fdb,
    replace_neighbour,
)
from dari.netlink.sock import NetlinkSocket
from tests.support.isolation import add_namespace
from tests.support.kernel import ip, run

MAC, OTHER_MAC = "0a:58:0a:16:00:05", "0a:58:0a:16:00:06"
ADDRESSES = {4: ip_address("10.22.0.5"), 6: ip_address("fd00::5")}
VTEPS = {4: ip_address("192.0.2.1"), 6: ip_address("2001:db8::1")}


def bridge_index(sock: NetlinkSocket, name: str = "cni0") -> int:
    # Without an address that the kernel gives it, whose group would join in its own time.
    sock.transact([add_bridge(name), change_link(name=name, addr_gen_mode=1, up=True)])
    return get_link(sock, name=name).index


def vxlan_index(sock: NetlinkSocket, version: int) -> int:
    local = {4: "192.0.2.9", 6: "2001:db8::9"}[version]
    family = f"-{version}"
    options = ("id", "1", "dstport", "8472", "local", local, "nolearning")
    run("ip", family, "link", "add", "vx", "up", "type", "vxlan", *options)
    return get_link(sock, name="vx").index


def forwarding(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("bridge", "-json", "fdb", "show", *words) or "[]")
    return found


@pytest.mark.parametrize("version", [4, 6])
def test_a_permanent_neighbour(version: int) -> None:
    with NetlinkSocket() as sock:
        index = bridge_index(sock)
        entry = Neighbour(index=index, address=ADDRESSES[version], mac=MAC)
        sock.transact([add_neighbour(entry)])
        [row] = ip("neighbour", "show", "dev", "cni0", "nud", "permanent")
        assert (row["dst"], row["lladdr"], row["state"]) == (
            str(entry.address),
            MAC,
            ["PERMANENT"],
        )
        assert entry in list_neighbours(sock, index=index)
        with pytest.raises(AlreadyExists):
            sock.transact([add_neighbour(entry.replace(mac=OTHER_MAC))])
        sock.transact([replace_neighbour(entry.replace(mac=OTHER_MAC))])
        [row] = ip("neighbour", "show", "dev", "cni0", "nud", "permanent")
        assert row["lladdr"] == OTHER_MAC
        sock.transact([delete_neighbour(entry)])
        assert ip("neighbour", "show", "dev", "cni0", "nud", "permanent") == []
        with pytest.raises(NotFound):
            sock.transact([delete_neighbour(entry)])


def test_neighbours_are_listed_as_ip_lists_them() -> None:
    with NetlinkSocket() as sock:
        first, second = bridge_index(sock), bridge_index(sock, "cni1")
        entries = [
            Neighbour(index=index, address=address + number, mac=MAC)
            for index in (first, second)
            for address in ADDRESSES.values()
            for number in range(3)
        ]
        sock.transact([replace_neighbour(entry) for entry in entries])
        rows = ip("neighbour", "show", "nud", "permanent")
        permanent = [each for each in list_neighbours(sock) if each.state == c.NUD_PERMANENT]
        assert set(permanent) == set(entries)
        assert {row["dst"] for row in rows} == {str(each.address) for each in permanent}
        assert len(rows) == len(entries)
        assert {each.index for each in list_neighbours(sock, index=second)} == {second}


def test_a_static_entry_of_a_bridge() -> None:
    path = add_namespace("pod")
    with NetlinkSocket() as sock, Namespace.open(path) as pod:
        master = bridge_index(sock)
        sock.transact([add_veth("a", peer="eth0", peer_netns=pod.fd, master=master, up=True)])
        port = get_link(sock, name="a").index
        entry = Neighbour(index=port, mac=MAC, flags=c.NTF_MASTER, state=c.NUD_NOARP)
        sock.transact([replace_fdb(entry)])
        [row] = [row for row in forwarding("brport", "a") if row["mac"] == MAC]
        assert (row["master"], row["state"]) == ("cni0", "static")
        [found] = [each for each in list_fdb(sock, index=port) if each.mac == MAC]
        assert (found.master, found.index, found.state) == (master, port, c.NUD_NOARP)
        assert {each.mac for each in list_fdb(sock, master=master)} == {
            row["mac"] for row in forwarding("br", "cni0")
        }
        sock.transact([delete_fdb(entry)])
        assert MAC not in {each.mac for each in list_fdb(sock)}
        with pytest.raises(NotFound):
            sock.transact([delete_fdb(entry)])


@pytest.mark.parametrize("version", [4, 6])
def test_entries_of_a_vxlan_device(version: int) -> None:
    with NetlinkSocket() as sock:
        index = vxlan_index(sock, version)
        entry = Neighbour(index=index, mac=MAC, address=VTEPS[version])
        sock.transact([replace_fdb(entry)])
        [row] = forwarding("dev", "vx")
        assert (row["mac"], row["dst"], row["state"]) == (MAC, str(VTEPS[version]), "permanent")
        assert row["flags"] == ["self"]
        assert list_fdb(sock, index=index) == [entry.replace(flags=c.NTF_SELF)]
        moved = entry.replace(address=VTEPS[version] + 1)
        sock.transact([replace_fdb(moved)])
        assert [row["dst"] for row in forwarding("dev", "vx")] == [str(moved.address)]
        sock.transact([delete_fdb(moved)])
        assert forwarding("dev", "vx") == []


def test_flooding_by_vxlan_goes_to_all_appended() -> None:
    with NetlinkSocket() as sock:
        index = vxlan_index(sock, 4)
        flood = [
            Neighbour(index=index, mac="00:00:00:00:00:00", address=VTEPS[4] + number)
            for number in range(3)
        ]
        sock.transact([append_fdb(entry) for entry in flood])
        assert {row["dst"] for row in forwarding("dev", "vx")} == {
            str(entry.address) for entry in flood
        }
        sock.transact([delete_fdb(flood[1])])
        left = {each.address for each in list_fdb(sock, index=index)}
        assert left == {flood[0].address, flood[2].address}

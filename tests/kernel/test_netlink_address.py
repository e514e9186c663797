"""Addresses as we set and read them, beside what `ip -json` says; both families."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_interface
from pathlib import Path

import pytest

from dari.addr import solicited_node_of
from dari.errors import AlreadyExists, NotFound
from dari.netlink.address import add_address, delete_address, list_addresses, list_groups
from dari.netlink.link import get_link
from dari.netlink.linkchange import add_bridge, change_link
from dari.netlink.sock import NetlinkSocket
from dari.wiring.solicitation import await_solicitations
from tests.support.kernel import ip, run
from tests.support.waiting import wait_until

V4, V6 = ip_interface("10.22.0.5/16"), ip_interface("fd00::5/64")


def bridge_index(sock: NetlinkSocket, name: str = "cni0") -> int:
    sock.transact(
        [add_bridge(name), change_link(name=name, addr_gen_mode=1), change_link(name=name, up=True)]
    )
    return get_link(sock, name=name).index


def test_addresses_of_both_families_at_once() -> None:
    with NetlinkSocket() as sock:
        index = bridge_index(sock)
        sock.transact([add_address(index, V4), add_address(index, V6)])
        [row] = ip("address", "show", "dev", "cni0")
        v4, v6 = row["addr_info"]
        assert (v4["local"], v4["prefixlen"], v4["broadcast"]) == ("10.22.0.5", 16, "10.22.255.255")
        assert (v4["scope"], v4["label"]) == ("global", "cni0")
        assert (v6["local"], v6["prefixlen"], v6["nodad"]) == ("fd00::5", 64, True)
        assert "tentative" not in v6
        found = list_addresses(sock, index=index)
        assert [each.interface for each in found] == [V4, V6]
        assert found[0].label == "cni0"
        assert found[0].broadcast == ip_address("10.22.255.255")
        assert not any(each.tentative or each.duplicate or each.peer for each in found)


def test_duplicate_address_detection_only_if_it_is_wanted() -> None:
    with NetlinkSocket() as sock:
        index = bridge_index(sock)
        run("sysctl", "-qw", "net.ipv6.conf.cni0.dad_transmits=1000")  # seconds that it takes
        sock.transact([add_address(index, V6, dad=True)])
        [address] = ip("address", "show", "dev", "cni0")[0]["addr_info"]
        assert address["tentative"] and "nodad" not in address
        [found] = list_addresses(sock, index=index)
        assert found.tentative


def test_the_groups_of_a_link_are_those_that_proc_shows() -> None:
    with NetlinkSocket() as sock:
        index = bridge_index(sock)
        sock.transact([add_address(index, V6)])
        mine = solicited_node_of(V6.ip)
        assert mine == ip_address("ff02::1:ff00:5")
        wait_until(lambda: mine in list_groups(sock, index=index))
        shown = [
            line.split() for line in Path("/proc/thread-self/net/igmp6").read_text().split("\n")
        ]
        expected = [IPv6Address(bytes.fromhex(row[2])) for row in shown if row[1:2] == ["cni0"]]
        assert sorted(map(str, list_groups(sock, index=index))) == sorted(map(str, expected))
        assert await_solicitations(sock, index, [V4.ip, V6.ip])


def test_a_link_that_is_not_asked_for_an_address_is_given_up_and_nothing_fails() -> None:
    with NetlinkSocket() as sock:
        index = bridge_index(sock)
        assert await_solicitations(sock, index, [V4.ip])
        assert not await_solicitations(sock, index, [V6.ip])


def test_an_address_of_one_host_has_no_broadcast() -> None:
    with NetlinkSocket() as sock:
        index = bridge_index(sock)
        sock.transact([add_address(index, ip_interface(f"10.22.0.{n}/{31 + n}")) for n in (0, 1)])
        rows = ip("address", "show", "dev", "cni0")[0]["addr_info"]
        assert [row["prefixlen"] for row in rows] == [31, 32]
        assert not any("broadcast" in row for row in rows)


def test_addresses_are_listed_as_ip_lists_them() -> None:
    with NetlinkSocket() as sock:
        first, second = bridge_index(sock), bridge_index(sock, "cni1")
        sock.transact(
            [add_address(first, ip_interface(f"10.22.{n}.1/24")) for n in range(3)]
            + [add_address(first, ip_interface(f"fd00:{n}::1/64")) for n in range(3)]
            + [add_address(second, ip_interface("10.23.0.1/24"))]
        )
        seen = {
            (row["ifindex"], f"{each['local']}/{each['prefixlen']}")
            for row in ip("address", "show")
            for each in row["addr_info"]
        }
        found = {(each.index, str(each.interface)) for each in list_addresses(sock)}
        assert found == seen
        assert len(list_addresses(sock, index=first)) == 6
        assert [each.index for each in list_addresses(sock, index=second)] == [second]


def test_the_other_end_of_a_point_to_point_address() -> None:
    with NetlinkSocket() as sock:
        index = bridge_index(sock)
        run("ip", "address", "add", "10.0.0.1", "peer", "10.0.0.2/32", "dev", "cni0")
        [found] = list_addresses(sock, index=index)
        assert found.interface.ip == ip_address("10.0.0.1")
        assert found.peer == ip_address("10.0.0.2")


def test_what_is_there_or_not_is_told_apart() -> None:
    with NetlinkSocket() as sock:
        index = bridge_index(sock)
        for interface in (V4, V6):
            sock.transact([add_address(index, interface)])
            with pytest.raises(AlreadyExists, match=str(interface.ip)):
                sock.transact([add_address(index, interface)])
            sock.transact([delete_address(index, interface)])
            with pytest.raises(NotFound):
                sock.transact([delete_address(index, interface)])
            with pytest.raises(NotFound):
                sock.transact([add_address(4711, interface)])
        assert list_addresses(sock, index=index) == []


def test_an_address_without_dad_is_in_use_at_once() -> None:
    with NetlinkSocket() as sock:
        index = bridge_index(sock)
        sock.transact([add_address(index, V6)])
        wait_until(lambda: bool(ip("-6", "route", "show", "table", "local", "fd00::5")))
        assert not list_addresses(sock, index=index)[0].tentative

"""Links as we make and read them, beside what `ip -json` and `bridge -json` say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dari.errors import AlreadyExists, KernelRefused, NotFound
from dari.netlink.link import Link, get_link, list_links
from dari.netlink.linkchange import (
    add_bridge,
    add_veth,
    change_link,
    change_port,
    delete_group,
    delete_link,
)
from dari.netlink.namespace import Namespace
from dari.netlink.sock import NetlinkSocket
from tests.support.isolation import add_namespace
from tests.support.kernel import ip

MAC, POD_MAC = "0a:58:0a:16:00:01", "0a:58:0a:16:00:05"


def shown(name: str, netns: str = "") -> dict[str, Any]:
    return ip("link", "show", "dev", name, namespace=netns)[0]


def agrees(link: Link, row: dict[str, Any]) -> bool:
    """Whether what we read is what `ip` prints of the same link."""
    info = row.get("linkinfo", {})
    port = info.get("info_slave_data", {})
    return (
        (link.index, link.name, link.mac, link.mtu)
        == (row["ifindex"], row["ifname"], row["address"], row["mtu"])
        and link.kind == info.get("info_kind", "")
        and link.up == ("UP" in row["flags"])
        and link.alias == row.get("ifalias", "")
        and (link.netns_id == row.get("link_netnsid", -1))
        and link.txqlen == row.get("txqlen", 0)
        and link.promisc == ("PROMISC" in row["flags"])
        and link.allmulti == ("ALLMULTI" in row["flags"])
        and link.port_kind == info.get("info_slave_kind", "")
        and link.hairpin == port.get("hairpin", False)
        and link.isolated == port.get("isolated", False)
        and link.learning == port.get("learning", False)
        and link.flood == port.get("flood", False)
    )


def test_a_bridge() -> None:
    with NetlinkSocket() as sock:
        sock.transact([add_bridge("cni0", mac=MAC, mtu=1400, up=True)])
        row = shown("cni0")
        assert (row["address"], row["mtu"]) == (MAC, 1400)
        assert row["linkinfo"]["info_kind"] == "bridge"
        assert "UP" in row["flags"]
        assert agrees(get_link(sock, name="cni0"), row)
        with pytest.raises(AlreadyExists, match="add bridge cni0"):
            sock.transact([add_bridge("cni0")])


def test_a_given_mac_of_a_bridge_stays_when_ports_come() -> None:
    path = add_namespace("pod")
    with NetlinkSocket() as sock, Namespace.open(path) as pod:
        sock.transact([add_bridge("cni0", mac="fe:58:0a:16:00:01", up=True)])
        master = get_link(sock, name="cni0").index
        sock.transact(
            [
                add_veth(
                    "dari1", peer="eth0", peer_netns=pod.fd, mac="02:00:00:00:00:01", master=master
                )
            ]
        )
        assert shown("cni0")["address"] == "fe:58:0a:16:00:01"


def test_a_cable_from_a_bridge_into_a_pod() -> None:
    path = add_namespace("pod")
    with NetlinkSocket() as sock, Namespace.open(path) as pod, pod.socket() as inner:
        sock.transact([add_bridge("cni0", up=True)])
        master = get_link(sock, name="cni0").index
        cable = add_veth(
            "dari1",
            peer="eth0",
            peer_netns=pod.fd,
            mac=MAC,
            peer_mac=POD_MAC,
            mtu=1400,
            master=master,
            up=True,
            group=7,
        )
        sock.transact([cable])
        host_end, pod_end = shown("dari1"), shown("eth0", netns="pod")
        assert (host_end["address"], host_end["mtu"]) == (MAC, 1400)
        assert (host_end["master"], host_end["group"]) == ("cni0", "7")
        assert "UP" in host_end["flags"]
        assert (pod_end["address"], pod_end["mtu"]) == (POD_MAC, 1400)
        assert "UP" not in pod_end["flags"]
        ours, theirs = get_link(sock, name="dari1"), get_link(inner, name="eth0")
        assert agrees(ours, host_end)
        assert agrees(theirs, pod_end)
        assert (ours.master, ours.group) == (master, 7)
        assert (ours.peer_index, theirs.peer_index) == (theirs.index, ours.index)
        assert ours.netns_id >= 0


def test_every_change_of_a_link() -> None:
    path = add_namespace("pod")
    with NetlinkSocket() as sock, Namespace.open(path) as pod, pod.socket() as inner:
        sock.transact([add_bridge("old"), add_bridge("cni0")])
        index, master = get_link(sock, name="old").index, get_link(sock, name="cni0").index
        sock.transact(
            [
                change_link(index=index, new_name="br1"),
                change_link(name="br1", arp_notify=True, addr_gen_mode=1),
                change_link(
                    name="br1",
                    up=True,
                    mtu=1300,
                    mac=MAC,
                    alias="dari net pod eth0",
                    promisc=True,
                    allmulti=True,
                    group=9,
                    txqlen=50,
                ),
            ]
        )
        row, link = shown("br1"), get_link(sock, index=index)
        assert agrees(link, row)
        assert (row["mtu"], row["address"], row["ifalias"]) == (1300, MAC, "dari net pod eth0")
        assert {"UP", "PROMISC", "ALLMULTI"} <= set(row["flags"])
        assert (row["group"], row["txqlen"], row["inet6_addr_gen_mode"]) == ("9", 50, "none")
        assert (link.group, link.addr_gen_mode) == (9, 1)
        assert Path("/proc/sys/net/ipv4/conf/br1/arp_notify").read_text() == "1\n"
        assert ip("address", "show", "dev", "br1")[0]["addr_info"] == []
        sock.transact(
            [change_link(index=index, up=False, promisc=False, alias="", arp_notify=False)]
        )
        row = shown("br1")
        assert "ifalias" not in row
        assert not {"UP", "PROMISC"} & set(row["flags"])
        assert "ALLMULTI" in row["flags"]
        sock.transact([add_veth("a", peer="b", peer_netns=pod.fd, master=master)])
        assert shown("a")["master"] == "cni0"
        sock.transact([change_link(name="a", master=0)])
        assert "master" not in shown("a")
        sock.transact([change_link(name="a", netns=pod.fd)])
        assert get_link(inner, name="a").name == "a"
        with pytest.raises(NotFound):
            get_link(sock, name="a")


def test_every_option_of_a_port() -> None:
    path = add_namespace("pod")
    with NetlinkSocket() as sock, Namespace.open(path) as pod:
        sock.transact([add_bridge("cni0")])
        master = get_link(sock, name="cni0").index
        sock.transact([add_veth("a", peer="eth0", peer_netns=pod.fd, master=master)])
        index = get_link(sock, name="a").index
        names = ("hairpin", "isolated", "learning", "flood", "mcast_flood", "bcast_flood")
        for value in (True, False):
            change = change_port(
                index=index,
                hairpin=value,
                isolated=value,
                learning=value,
                flood=value,
                multicast_flood=value,
                broadcast_flood=value,
                neighbour_suppression=value,
            )
            sock.transact([change])
            row = shown("a")
            data = row["linkinfo"]["info_slave_data"]
            assert {data[name] for name in (*names, "neigh_suppress")} == {value}
            assert agrees(get_link(sock, index=index), row)
        sock.transact([change_port(index=index, hairpin=True)])
        data = shown("a")["linkinfo"]["info_slave_data"]
        assert (data["hairpin"], data["learning"]) == (True, False)


def test_a_group_goes_at_once_and_alone() -> None:
    path = add_namespace("pod")
    with NetlinkSocket() as sock, Namespace.open(path) as pod:
        sock.transact(
            [
                add_veth(f"v{number}", peer=f"p{number}", peer_netns=pod.fd, group=number % 2 + 7)
                for number in range(20)
            ]
        )
        sock.transact([delete_group(7)])
        left = {link.name for link in list_links(sock, kind="veth")}
        assert left == {f"v{number}" for number in range(1, 20, 2)}
        with pytest.raises(KernelRefused):
            sock.transact([delete_group(0)])
        assert len(list_links(sock, kind="veth")) == 10


def test_links_are_listed_as_ip_lists_them() -> None:
    path = add_namespace("pod")
    with NetlinkSocket() as sock, Namespace.open(path) as pod:
        sock.transact([add_bridge("cni0"), add_bridge("cni1")])
        first, second = (get_link(sock, name=name).index for name in ("cni0", "cni1"))
        sock.transact(
            [add_veth(f"a{n}", peer=f"p{n}", peer_netns=pod.fd, master=first) for n in range(3)]
            + [add_veth("b", peer="q", peer_netns=pod.fd, master=second)]
        )
        rows = {row["ifindex"]: row for row in ip("link", "show")}
        links = list_links(sock)
        assert {link.index for link in links} == set(rows)
        assert all(agrees(link, rows[link.index]) for link in links)
        assert {link.name for link in list_links(sock, kind="bridge")} == {"cni0", "cni1"}
        assert {link.name for link in list_links(sock, master=first)} == {"a0", "a1", "a2"}
        assert [link.name for link in list_links(sock, kind="veth", master=second)] == ["b"]
        assert list_links(sock, kind="nosuchkind") == []


def test_what_is_not_there_is_not_found() -> None:
    with NetlinkSocket() as sock:
        for attempt in (
            lambda: get_link(sock, name="nope"),
            lambda: get_link(sock, index=4711),
            lambda: sock.transact([delete_link(name="nope")]),
            lambda: sock.transact([delete_link(index=4711)]),
            lambda: sock.transact([change_link(name="nope", up=True)]),
            lambda: sock.transact([delete_group(4711)]),
        ):
            with pytest.raises(NotFound):
                attempt()


def test_a_refusal_carries_the_kernels_own_words() -> None:
    with NetlinkSocket() as sock, pytest.raises(KernelRefused) as caught:
        sock.transact([add_bridge("a-name-of-more-than-15")])
    assert caught.value.extack != ""
    assert caught.value.extack in str(caught.value)


def test_links_are_deleted_by_index_and_by_name() -> None:
    with NetlinkSocket() as sock:
        sock.transact([add_bridge("cni0"), add_bridge("cni1")])
        index = get_link(sock, name="cni0").index
        sock.transact([delete_link(index=index), delete_link(name="cni1")])
        assert list_links(sock, kind="bridge") == []

"""Routes as we set and read them, beside what `ip -json` says; both families."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from dari.errors import AlreadyExists, KernelRefused, NotFound
from dari.netlink import constants as c
from dari.netlink.address import add_address
from dari.netlink.link import get_link
from dari.netlink.linkchange import add_bridge, change_link
from dari.netlink.route import (
    KernelRoute,
    NextHop,
    add_route,
    delete_route,
    list_routes,
    replace_route,
)
from dari.netlink.sock import NetlinkSocket
from tests.support.kernel import ip, run
from tests.support.waiting import wait_until

DARI = 79
ADDRESSES = {4: "10.22.0.1/16", 6: "fd00::1/64"}
GATEWAYS = {4: ip_address("10.22.0.2"), 6: ip_address("fd00::2")}
REMOTE = {4: ip_network("10.23.0.0/16"), 6: ip_network("fd01::/64")}
DEFAULT = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}


def ready(sock: NetlinkSocket) -> int:
    """A bridge that is up, with an address of each family; its index."""
    sock.transact(
        [
            add_bridge("cni0"),
            change_link(name="cni0", addr_gen_mode=1),
            change_link(name="cni0", up=True),
        ]
    )
    index = get_link(sock, name="cni0").index
    sock.transact([add_address(index, ip_interface(text)) for text in ADDRESSES.values()])
    # The kernel enters an IPv6 address's own routes a moment after the ack.
    wait_until(lambda: bool(shown(6, "table", "local", "fd00::1")))
    return index


def shown(version: int, *words: str) -> list[dict[str, Any]]:
    return ip(f"-{version}", "-N", "route", "show", *words)


@pytest.mark.parametrize("version", [4, 6])
def test_a_route_with_everything(version: int) -> None:
    with NetlinkSocket() as sock:
        index = ready(sock)
        route = KernelRoute(
            dst=REMOTE[version],
            gateway=GATEWAYS[version],
            device=index,
            protocol=DARI,
            table=1000,
            metric=5,
            mtu=1400,
            advmss=1360,
            source=ip_interface(ADDRESSES[version]).ip,
            onlink=True,
        )
        sock.transact([add_route(route)])
        [row] = shown(version, "table", "1000")
        assert (row["dst"], row["gateway"], row["dev"]) == (
            str(REMOTE[version]),
            str(GATEWAYS[version]),
            "cni0",
        )
        assert (row["protocol"], row["metric"]) == ("79", 5)
        assert row["metrics"] == [{"mtu": 1400, "advmss": 1360}]
        assert row["prefsrc"] == ADDRESSES[version].split("/")[0]
        assert "onlink" in row["flags"]
        assert list_routes(sock, table=1000) == [route.replace(scope=0)]


@pytest.mark.parametrize("version", [4, 6])
def test_add_replace_delete(version: int) -> None:
    with NetlinkSocket() as sock:
        ready(sock)
        route = KernelRoute(dst=REMOTE[version], gateway=GATEWAYS[version], protocol=DARI)
        other = route.replace(gateway=GATEWAYS[version] + 1)
        sock.transact([add_route(route)])
        with pytest.raises(AlreadyExists):
            sock.transact([add_route(other)])
        sock.transact([replace_route(other)])
        [row] = shown(version, "proto", "79")
        assert row["gateway"] == str(other.gateway)
        sock.transact([replace_route(other)])
        assert len(shown(version, "proto", "79")) == 1
        with pytest.raises(NotFound):
            sock.transact([delete_route(route)])
        sock.transact([delete_route(other)])
        assert shown(version, "proto", "79") == []


@pytest.mark.parametrize("version", [4, 6])
def test_a_route_of_anothers_stays(version: int) -> None:
    with NetlinkSocket() as sock:
        ready(sock)
        foreign = KernelRoute(dst=REMOTE[version], gateway=GATEWAYS[version], protocol=4)
        sock.transact([add_route(foreign)])
        with pytest.raises(NotFound):
            sock.transact([delete_route(foreign.replace(protocol=DARI))])
        assert len(shown(version, "proto", "4")) == 1
        sock.transact([delete_route(foreign.replace(protocol=0))])
        assert shown(version, "proto", "4") == []


@pytest.mark.parametrize("version", [4, 6])
def test_default_routes(version: int) -> None:
    with NetlinkSocket() as sock:
        ready(sock)
        sock.transact([add_route(KernelRoute(dst=DEFAULT[version], gateway=GATEWAYS[version]))])
        [row] = shown(version, "default")
        assert (row["dst"], row["gateway"]) == ("default", str(GATEWAYS[version]))
        [found] = [each for each in list_routes(sock) if each.dst.prefixlen == 0]
        assert (found.dst, found.gateway) == (DEFAULT[version], GATEWAYS[version])


def test_routes_of_a_link_alone_have_its_scope() -> None:
    with NetlinkSocket() as sock:
        index = ready(sock)
        sock.transact([add_route(KernelRoute(dst=REMOTE[4], device=index, protocol=DARI))])
        [row] = ip("-4", "route", "show", "proto", "79")
        assert (row["dev"], row["scope"]) == ("cni0", "link")
        sock.transact([delete_route(KernelRoute(dst=REMOTE[4], device=index, protocol=DARI))])


def test_an_ipv4_route_by_an_ipv6_gateway() -> None:
    with NetlinkSocket() as sock:
        index = ready(sock)
        route = KernelRoute(dst=REMOTE[4], gateway=GATEWAYS[6], device=index, protocol=DARI)
        sock.transact([add_route(route)])
        [row] = shown(4, "proto", "79")
        assert row["via"] == {"family": "inet6", "host": str(GATEWAYS[6])}
        assert list_routes(sock, protocol=DARI) == [route.replace(scope=0)]


@pytest.mark.parametrize("version", [4, 6])
def test_routes_of_several_ways(version: int) -> None:
    with NetlinkSocket() as sock:
        index = ready(sock)
        hops = (
            NextHop(gateway=GATEWAYS[version], device=index, weight=1),
            NextHop(gateway=GATEWAYS[version] + 1, device=index, weight=3),
        )
        sock.transact([add_route(KernelRoute(dst=REMOTE[version], protocol=DARI, hops=hops))])
        rows = shown(version, "proto", "79")
        ways = rows[0].get("nexthops", rows)
        assert {way["gateway"] for way in ways} == {str(hop.gateway) for hop in hops}
        [found] = list_routes(sock, protocol=DARI)
        assert found.hops == hops
        assert found.gateway is None


@pytest.mark.parametrize("version", [4, 6])
def test_kinds_that_refuse(version: int) -> None:
    with NetlinkSocket() as sock:
        ready(sock)
        route = KernelRoute(dst=REMOTE[version], kind=c.RTN_UNREACHABLE, protocol=DARI)
        sock.transact([add_route(route)])
        rows = ip(f"-{version}", "route", "show", "proto", "79")
        assert [row["type"] for row in rows] == ["unreachable"]
        assert [found.kind for found in list_routes(sock, protocol=DARI)] == [c.RTN_UNREACHABLE]


@pytest.mark.parametrize("version", [4, 6])
def test_routes_are_listed_as_ip_lists_them(version: int) -> None:
    with NetlinkSocket() as sock:
        ready(sock)
        for table in (254, 1000):
            for number, protocol in enumerate((4, DARI)):
                route = KernelRoute(
                    dst=REMOTE[version],
                    gateway=GATEWAYS[version],
                    table=table,
                    protocol=protocol,
                    metric=number + 1,
                )
                sock.transact([add_route(route)])
        main = list_routes(sock, version=version)
        assert len(main) == len(shown(version))
        assert {str(each.dst) for each in main} == {row["dst"] for row in shown(version)}
        assert len(list_routes(sock, table=None, version=version)) == len(
            shown(version, "table", "all")
        )
        assert len(list_routes(sock, table=1000)) == 2
        [found] = list_routes(sock, protocol=DARI)
        assert (found.metric, found.table) == (2, 254)
        assert len(list_routes(sock, table=None, protocol=DARI)) == 2
        assert {each.dst.version for each in list_routes(sock, table=None)} == {4, 6}


def test_a_table_that_never_was_is_empty() -> None:
    with NetlinkSocket() as sock:
        ready(sock)
        assert list_routes(sock, table=4711) == []
        assert list_routes(sock, table=4711, version=4) == []
        assert list_routes(sock, table=200, version=6) == []


def test_a_gateway_that_cannot_be_reached_is_refused_with_the_reason() -> None:
    with NetlinkSocket() as sock, pytest.raises(KernelRefused) as caught:
        ready(sock)
        sock.transact([add_route(KernelRoute(dst=REMOTE[4], gateway=ip_address("192.0.2.1")))])
    assert "route to 10.23.0.0/16 via 192.0.2.1" in str(caught.value)
    assert caught.value.extack != ""


def test_cached_routes_are_no_routes() -> None:
    with NetlinkSocket() as sock:
        ready(sock)
        run("ip", "-6", "route", "get", "fd00::77")
        found = list_routes(sock, table=None, version=6)
        assert ip_network("fd00::77/128") not in {each.dst for each in found}


def test_five_thousand_routes() -> None:
    with NetlinkSocket() as sock:
        index = ready(sock)
        for version in (4, 6):
            prefixes = [
                ip_network(
                    (
                        f"10.{64 + n // 256}.{n % 256}.0" if version == 4 else f"fd02:{n:x}::",
                        24 if version == 4 else 64,
                    )
                )
                for n in range(5000)
            ]
            routes = [
                KernelRoute(dst=dst, gateway=GATEWAYS[version], device=index, protocol=DARI)
                for dst in prefixes
            ]
            sock.transact([replace_route(route) for route in routes])
            found = list_routes(sock, protocol=DARI, version=version)
            assert [each.dst for each in found] == prefixes
            assert {row["dst"] for row in shown(version, "proto", "79")} == set(map(str, prefixes))
            sock.transact([delete_route(route) for route in routes])
            assert list_routes(sock, protocol=DARI) == []

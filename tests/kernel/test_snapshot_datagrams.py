"""Datagrams to a real peer, beyond a real router: open, refused, forbidden or silent."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from dari.snapshot.datagrams import FORBIDDEN, OPEN, REFUSED, SILENT, Outcome, send
from tests.support.isolation import add_namespace
from tests.support.kernel import run
from tests.support.talk import serving
from tests.support.waiting import wait_until

_PEER = {4: "192.0.2.2", 6: "2001:db8:2::2"}
_ROUTER = {4: "198.51.100.1", 6: "2001:db8:1::1"}
_LISTENS, _CLOSED = 7000, 7001
_WIRES = (
    *(("", "near", "198.51.100.2/24"), ("", "near", "2001:db8:1::2/64")),
    *(("router", "eth0", "198.51.100.1/24"), ("router", "eth0", "2001:db8:1::1/64")),
    *(("router", "eth1", "192.0.2.1/24"), ("router", "eth1", "2001:db8:2::1/64")),
    *(("peer", "eth0", "192.0.2.2/24"), ("peer", "eth0", "2001:db8:2::2/64")),
)


def routed() -> None:
    """This node, a router and a peer behind it."""
    for name in ("router", "peer"):
        add_namespace(name)
    for place in ("", "router", "peer"):  # no address is to wait for being known as the only one
        run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", namespace=place)
    wire = ("type", "veth", "peer", "name", "eth0", "netns")
    run("ip", "link", "add", "near", *wire, "router")
    run("ip", "link", "add", "eth1", *wire, "peer", namespace="router")
    for place, link, address in _WIRES:
        nodad = ("nodad",) if ":" in address else ()
        run("ip", "address", "add", address, "dev", link, *nodad, namespace=place)
        run("ip", "link", "set", link, "up", namespace=place)
    settings = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    run("sysctl", "-qw", *settings, namespace="router")
    for place, gateways in (("", _ROUTER), ("peer", {4: "192.0.2.1", 6: "2001:db8:2::1"})):
        for version, gateway in gateways.items():
            run("ip", f"-{version}", "route", "add", "default", "via", gateway, namespace=place)


def rule(place: str, hook: str, statement: str) -> None:
    chain = f"{{ type filter hook {hook} priority 0; }}"
    run("nft", f"add table inet t; add chain inet t c {chain}", namespace=place)
    run("nft", f"add rule inet t c udp dport {_LISTENS} {statement}", namespace=place)


@pytest.mark.parametrize("version", [4, 6])
def test_a_port_that_answers_is_open_and_one_where_nobody_listens_is_refused_by_the_peer(
    version: int,
) -> None:
    routed()
    peer = ip_address(_PEER[version])
    with serving("peer", _LISTENS, kind="udp"):
        wait_until(lambda: send(peer, _LISTENS, b"?") == Outcome(state=OPEN))
        assert send(peer, _CLOSED, b"?") == Outcome(state=REFUSED, by=peer)


@pytest.mark.parametrize("version", [4, 6])
def test_a_filter_on_the_way_is_silent_or_says_who_forbids_it(version: int) -> None:
    routed()
    peer = ip_address(_PEER[version])
    with serving("peer", _LISTENS, kind="udp"):
        rule("router", "forward", "reject with icmpx admin-prohibited")
        by = ip_address(_ROUTER[version])
        assert send(peer, _LISTENS, b"?") == Outcome(state=FORBIDDEN, by=by)
        run("nft", "flush", "chain", "inet", "t", "c", namespace="router")
        rule("peer", "input", "drop")
        assert send(peer, _LISTENS, b"?") == Outcome(state=SILENT)


def test_without_a_route_nothing_is_sent_and_nothing_comes() -> None:
    assert send(ip_address("203.0.113.9"), 9, b"") == Outcome(state=SILENT)

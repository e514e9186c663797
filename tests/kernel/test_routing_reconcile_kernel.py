"""Routes on the real kernel; `ip -json` is the witness."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from dari.model import NodeName
from dari.netlink import constants as c
from dari.netlink.route import KernelRoute, list_routes, parse_route
from dari.netlink.sock import NetlinkSocket
from dari.routing.desired import Plan, plan_routes
from dari.routing.peer import Peer
from dari.routing.reconcile import Outcome, reconcile, remove_all


def ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)


def routes(*, proto: str = "79") -> dict[str, str]:
    found: dict[str, str] = {}
    for family in ("-4", "-6"):
        command = ["ip", family, "-json", "route", "show", "proto", proto]
        listing = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        found |= {each["dst"]: each.get("gateway", "") for each in listing}
    return found


def underlay() -> None:
    ip("link add eth0 type veth peer name far")
    ip("link set far up")
    ip("link set eth0 up")
    ip("address add 192.168.0.1/24 dev eth0")
    ip("address add fd00::1/64 dev eth0 nodad")


def peer(name: str, addresses: str, ranges: str) -> Peer:
    return Peer(
        name=NodeName(name),
        addresses=tuple(map(ip_address, addresses.split())),
        ranges=tuple(map(ip_network, ranges.split())),
    )


OWN = peer("node1", "192.168.0.1 fd00::1", "10.244.1.0/24")
TWO = peer("node2", "192.168.0.2 fd00::2", "10.244.2.0/24 fd00:244:2::/64")


def planned(*peers: Peer) -> Plan:
    with NetlinkSocket() as sock:
        return plan_routes(OWN, peers, list_routes(sock))


def made_true(*peers: Peer) -> Outcome:
    return sent(planned(*peers).routes)


def sent(want: Sequence[KernelRoute]) -> Outcome:
    with NetlinkSocket() as sock:
        return reconcile(sock, list_routes(sock), want)


def test_routes_of_both_families_appear_once_and_then_nothing_is_left_to_do() -> None:
    underlay()
    assert len(made_true(TWO).mended) == 2
    assert routes() == {"10.244.2.0/24": "192.168.0.2", "fd00:244:2::/64": "fd00::2"}
    assert made_true(TWO) == Outcome()


def test_pain_10_a_peers_new_address_is_followed() -> None:
    underlay()
    made_true(TWO)
    made_true(peer("node2", "192.168.0.22 fd00::22", "10.244.2.0/24 fd00:244:2::/64"))
    assert routes() == {"10.244.2.0/24": "192.168.0.22", "fd00:244:2::/64": "fd00::22"}


def test_a_range_whose_route_changes_has_one_at_every_moment() -> None:
    underlay()
    made_true(TWO)
    groups = (c.RTNLGRP_IPV4_ROUTE, c.RTNLGRP_IPV6_ROUTE)
    with NetlinkSocket(groups=groups) as listener:
        made_true(peer("node2", "192.168.0.22 fd00::22", "10.244.2.0/24 fd00:244:2::/64"))
        heard = [each for _ in range(8) for each in listener.receive(wait=False)]
    there, changes = Counter(TWO.ranges), Counter(TWO.ranges)
    for message in heard:
        network = parse_route(message.body).dst
        there[network] += 1 if message.kind == c.RTM_NEWROUTE else -1
        changes[network] += 1
        assert there[network] > 0
    assert changes == dict.fromkeys(TWO.ranges, 1 + 4)


def test_a_route_that_a_killed_agent_left_for_the_moment_goes() -> None:
    underlay()
    made_true(TWO)
    meanwhile = "metric 4294967294 proto 79"
    ip(f"route add 10.244.2.0/24 via 192.168.0.22 {meanwhile}")
    ip(f"-6 route add fd00:244:2::/64 via fd00::22 {meanwhile}")
    assert len(made_true(TWO).mended) == 2
    assert routes() == {"10.244.2.0/24": "192.168.0.2", "fd00:244:2::/64": "fd00::2"}
    assert made_true(TWO) == Outcome()


def test_pain_7_routes_to_nodes_that_went_are_removed() -> None:
    underlay()
    made_true(TWO, peer("node3", "192.168.0.3", "10.244.3.0/24"))
    outcome = made_true(TWO)
    assert outcome.mended == ("removed route 10.244.3.0/24 via 192.168.0.3",)
    assert "10.244.3.0/24" not in routes()


def test_another_programs_routes_are_never_touched() -> None:
    underlay()
    ip("route add 10.99.0.0/24 via 192.168.0.9")
    ip("route add 10.244.2.0/24 via 192.168.0.9 proto static")
    ip("-6 route add fd00:244:2::/64 via fd00::9 metric 1024 proto static")
    outcome = made_true(TWO, peer("node3", "192.168.0.3", "10.244.3.0/24"))
    assert routes() == {"10.244.3.0/24": "192.168.0.3"}
    assert len(outcome.failures) == 2
    assert all("left alone" in text for text in outcome.failures)
    made_true()
    assert routes(proto="static") == {"10.244.2.0/24": "192.168.0.9", "fd00:244:2::/64": "fd00::9"}
    assert routes(proto="boot") == {"10.99.0.0/24": "192.168.0.9"}


def test_one_bad_route_does_not_stop_the_others() -> None:
    underlay()
    want = [
        *planned(peer("node2", "192.168.0.2", "10.244.2.0/24")).routes,
        KernelRoute(dst=ip_network("10.244.7.0/24"), gateway=ip_address("1.2.3.4"), protocol=79),
        *planned(peer("node3", "192.168.0.3", "10.244.3.0/24")).routes,
        KernelRoute(dst=ip_network("10.244.8.0/24"), device=4242, protocol=79),
    ]
    outcome = sent(want)
    assert set(routes()) == {"10.244.2.0/24", "10.244.3.0/24"}
    assert len(outcome.failures) == 2
    assert "10.244.7.0/24" in outcome.failures[0]
    assert "10.244.8.0/24" in outcome.failures[1]
    assert len(outcome.mended) == 2


def test_thousands_of_routes_go_in_batches_and_are_all_removed_again() -> None:
    underlay()
    peers = [
        peer(f"other{number}", f"192.168.0.{number % 250 + 2}", f"10.{a}.{b}.0/24")
        for number, (a, b) in enumerate((a, b) for a in range(8) for b in range(250))
    ]
    assert made_true(*peers).mended == ("added 2000 routes, removed 0",)
    assert len(routes()) == 2000
    with NetlinkSocket() as sock:
        assert remove_all(sock) == 2000
    assert routes() == {}

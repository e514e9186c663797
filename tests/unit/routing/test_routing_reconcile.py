from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from dari.netlink.codec import Request
from dari.netlink.conversation import Conversation
from dari.netlink.route import KernelRoute
from dari.routing.reconcile import difference, reconcile


def route(dst: str, gateway: str = "192.168.0.2", protocol: int = 79) -> KernelRoute:
    return KernelRoute(
        dst=ip_network(dst), gateway=ip_address(gateway), device=2, protocol=protocol
    )


class Kernel(Conversation):
    """Takes every request and keeps what it was asked to do."""

    def __init__(self) -> None:
        super().__init__(self)
        self.asked: list[str] = []

    def send(self, datagram: bytes) -> None:
        raise AssertionError("only what is changed goes to this kernel")

    def receive(self) -> bytes:
        raise AssertionError("this kernel says nothing")

    def transact(self, requests: Sequence[Request]) -> None:
        self.asked += [request.doing for request in requests]


def test_equal_lists_ask_for_nothing() -> None:
    have = [route("10.1.0.0/24").replace(scope=0), route("10.2.0.0/24").replace(scope=0)]
    want = [route("10.2.0.0/24"), route("10.1.0.0/24")]
    assert difference(have, want).requests() == []


def test_pain_7_what_is_no_longer_true_goes_and_what_is_missing_comes() -> None:
    found = difference(
        [route("10.1.0.0/24"), route("10.2.0.0/24")], [route("10.2.0.0/24"), route("10.3.0.0/24")]
    )
    assert [request.doing for request in found.requests()] == [
        "add route to 10.3.0.0/24 via 192.168.0.2",
        "delete route to 10.1.0.0/24 via 192.168.0.2",
    ]


def test_a_route_that_changes_is_there_at_every_moment() -> None:
    before, after = route("10.1.0.0/24"), route("10.1.0.0/24", "192.168.0.9")
    found = difference([before], [after])
    assert [request.doing for request in found.requests()] == [
        "add route to 10.1.0.0/24 via 192.168.0.9",
        "delete route to 10.1.0.0/24 via 192.168.0.2",
        "add route to 10.1.0.0/24 via 192.168.0.9",
        "delete route to 10.1.0.0/24 via 192.168.0.9",
    ]


def test_a_second_route_to_the_same_place_is_surplus() -> None:
    have = [route("10.1.0.0/24"), route("10.1.0.0/24"), route("10.1.0.0/24").replace(metric=5)]
    found = difference(have, [route("10.1.0.0/24")])
    assert found.surplus == tuple(have[1:])
    assert found.missing == ()


def test_routes_of_other_protocols_are_passed_over() -> None:
    kernel = Kernel()
    outcome = reconcile(kernel, [route("10.1.0.0/24", protocol=3)], [])
    assert outcome.mended == outcome.failures == ()
    assert kernel.asked == []


def test_what_was_done_is_told_in_words() -> None:
    have = [route("10.1.0.0/24"), route("10.2.0.0/24")]
    want = [route("10.2.0.0/24", "192.168.0.9"), route("10.3.0.0/24")]
    assert reconcile(Kernel(), have, want).mended == (
        "changed route 10.2.0.0/24 via 192.168.0.2 to via 192.168.0.9",
        "added route 10.3.0.0/24 via 192.168.0.2",
        "removed route 10.1.0.0/24 via 192.168.0.2",
    )


def test_thousands_of_changes_are_told_as_a_number() -> None:
    want = [route(f"10.{a}.{b}.0/24") for a in range(4) for b in range(250)]
    outcome = reconcile(Kernel(), [route("10.77.0.0/24")], want)
    assert outcome.mended == ("added 1000 routes, removed 1",)

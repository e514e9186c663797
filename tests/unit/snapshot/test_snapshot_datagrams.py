"""What the kernel's error queue says of a datagram, and which tunnels are to be tried."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute
from dari.netlink.vxlan import Vxlan
from dari.snapshot.datagrams import FORBIDDEN, REFUSED, Outcome, outcome
from dari.snapshot.health import TunnelProbe
from dari.snapshot.model import Place
from dari.snapshot.tunnels import tunnels_of

_FAMILY = {4: 2, 6: 10}
_ICMP, _LOCAL = {4: 2, 6: 3}, 1


def error(version: int, kind: int, code: int, sender: str, origin: int = 0) -> bytes:
    """As linux/errqueue.h has it: struct sock_extended_err and a sockaddr."""
    head = pack("=IBBBxII", 111, origin or _ICMP[version], kind, code, 0, 0)
    flow = b"" if version == 4 else bytes(4)
    rest = bytes(8) if version == 4 else bytes(4)
    return head + pack("=HH", _FAMILY[version], 0) + flow + ip_address(sender).packed + rest


@pytest.mark.parametrize(
    ("said", "version", "expected"),
    [
        (error(4, 3, 3, "10.0.0.2"), 4, (REFUSED, "10.0.0.2")),
        (error(4, 3, 13, "10.0.0.254"), 4, (FORBIDDEN, "10.0.0.254")),
        (error(6, 1, 4, "fd00::2"), 6, (REFUSED, "fd00::2")),
        (error(6, 1, 1, "fd00::fe"), 6, (FORBIDDEN, "fd00::fe")),
    ],
)
def test_refusals_name_who_refuses(said: bytes, version: int, expected: tuple[str, str]) -> None:
    state, by = expected
    assert outcome(said, version) == Outcome(state=state, by=ip_address(by))


@pytest.mark.parametrize(
    "said", [error(4, 3, 1, "10.0.0.2"), error(4, 3, 3, "10.0.0.2", _LOCAL), b""]
)
def test_an_unreachable_host_and_an_error_of_this_machine_are_no_refusal(said: bytes) -> None:
    assert outcome(said, 4) is None


@given(st.binary(max_size=64), st.sampled_from([4, 6]))
def test_any_bytes_are_an_outcome_or_none(said: bytes, version: int) -> None:
    outcome(said, version)


def place(**parts: object) -> Place:
    """A node with a tunnel to one peer, 10.0.0.2, whose pods are in 10.244.2.0/24."""
    far, mac = ip_address("10.244.2.0"), "02:00:00:00:00:02"
    healthy = Place(
        links=(Link(index=4, name="dari.vxlan", kind="vxlan"),),
        vxlans=(Vxlan(link=Link(index=4, name="dari.vxlan"), vni=79, port=4789),),
        routes=(KernelRoute(dst=ip_network("10.244.2.0/24"), gateway=far, device=4),),
        neighbours=(Neighbour(index=4, address=far, mac=mac),),
        fdb=(Neighbour(index=4, address=ip_address("10.0.0.2"), mac=mac),),
    )
    return healthy.replace(**parts)


def test_a_tunnel_is_tried_at_its_far_end_and_told_by_where_its_packets_go() -> None:
    far = TunnelProbe(device="dari.vxlan", port=4789, at=ip_address("10.244.2.0"))
    assert tunnels_of(place()) == {ip_address("10.0.0.2"): [far]}


@pytest.mark.parametrize("missing", ["vxlans", "routes", "neighbours", "fdb"])
def test_where_a_part_of_it_is_missing_there_is_nothing_to_try(missing: str) -> None:
    assert tunnels_of(place(**{missing: ()})) == {}

"""Connections as the kernel tells them."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import Undecodable
from dari.netlink.codec import attribute, be16, nested, u8
from dari.netlink.conntrack import parse_connection


def tuple_of(kind: int, source: str, destination: str, ports: tuple[int, int]) -> bytes:
    first, second = (3, 4) if ":" in source else (1, 2)
    ends = attribute(first, ip_address(source).packed)
    ends += attribute(second, ip_address(destination).packed)
    return nested(kind, nested(1, ends), nested(2, u8(1, 17), be16(2, ports[0]), be16(3, ports[1])))


@pytest.mark.parametrize(
    ("client", "node", "pod"),
    [("192.0.2.2", "192.0.2.1", "10.22.0.2"), ("fd::2", "fd::1", "fd22::2")],
)
def test_a_connection_that_was_led_to_a_pod(client: str, node: str, pod: str) -> None:
    first = tuple_of(1, client, node, (4444, 5353))
    body = b"\x02\0\0\0" + first + tuple_of(2, pod, client, (53, 4444)) + attribute(12, b"abcd")
    found = parse_connection(body)
    assert (found.protocol, str(found.dst), found.dst_port) == (17, node, 5353)
    assert (str(found.answerer), found.answerer_port) == (pod, 53)
    assert found.key == first + attribute(12, b"abcd")


@given(st.binary(max_size=120))
def test_any_bytes_are_a_connection_or_undecodable(body: bytes) -> None:
    try:
        parse_connection(body)
    except Undecodable:
        return

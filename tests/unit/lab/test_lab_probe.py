"""The demo's own ping: packets that the kernel understands, answers that it tells apart."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.explain.echo import checksum, echo_reply, echo_request

U16 = st.integers(0, 0xFFFF)
FAMILIES = st.sampled_from([int(socket.AF_INET), int(socket.AF_INET6)])
IPV4_HEADER = bytes([0x45, *[0] * 19])
IPV4_HEADER_WITH_OPTIONS = bytes([0x46, *[0] * 23])


@given(U16, U16)
def test_an_ipv4_request_s_checksum_verifies(identifier: int, number: int) -> None:
    assert checksum(echo_request(socket.AF_INET, identifier, number)) == 0


@given(st.binary(max_size=40).map(lambda data: data * 2))
def test_the_checksum_makes_the_whole_sum_up(data: bytes) -> None:
    assert checksum(data + struct.pack("!H", checksum(data))) == 0


@pytest.mark.parametrize("header", [IPV4_HEADER, IPV4_HEADER_WITH_OPTIONS])
@given(identifier=U16, number=U16)
def test_an_ipv4_reply_is_read_behind_its_header(
    header: bytes, identifier: int, number: int
) -> None:
    reply = b"\0" + echo_request(socket.AF_INET, identifier, number)[1:]
    assert echo_reply(socket.AF_INET, header + reply) == (identifier, number)


@given(U16, U16)
def test_an_ipv6_reply_is_read(identifier: int, number: int) -> None:
    reply = bytes([129]) + echo_request(socket.AF_INET6, identifier, number)[1:]
    assert echo_reply(socket.AF_INET6, reply) == (identifier, number)


@given(FAMILIES, U16, U16)
def test_a_request_is_no_reply(family: int, identifier: int, number: int) -> None:
    header = IPV4_HEADER if family == socket.AF_INET else b""
    assert echo_reply(family, header + echo_request(family, identifier, number)) is None


@given(FAMILIES, st.binary(min_size=1, max_size=60))
def test_any_packet_at_all_is_taken(family: int, packet: bytes) -> None:
    echo_reply(family, packet)

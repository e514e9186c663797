from __future__ import annotations

from struct import Struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dari.errors import BadConfig, Undecodable
from dari.netlink import codec
from dari.netlink.constants import NLA_F_NESTED, NLM_F_ACK, NLM_F_REQUEST
from tests.unit.netlink.witness import moderate

kinds = st.integers(0, 0x3FFF)
payloads = st.binary(max_size=64)


@moderate
@given(st.dictionaries(kinds, payloads, max_size=8))
def test_attributes_survive_a_round_trip(given_attributes: dict[int, bytes]) -> None:
    packed = [codec.attribute(kind, payload) for kind, payload in given_attributes.items()]
    assert all(len(each) % 4 == 0 for each in packed)
    assert codec.parse_attributes(b"".join(packed)) == given_attributes
    assert codec.parse_attributes(memoryview(b"".join(packed))) == given_attributes


@moderate
@given(st.lists(st.tuples(kinds, payloads), max_size=8))
def test_lists_keep_order_and_repetitions(items: list[tuple[int, bytes]]) -> None:
    packed = b"".join(codec.attribute(kind, payload) for kind, payload in items)
    assert codec.parse_list(packed) == items


@moderate
@given(st.recursive(payloads, lambda inner: st.dictionaries(kinds, inner, max_size=4)))
def test_nested_attributes_survive_a_round_trip(tree: object) -> None:
    def write(kind: int, value: object) -> bytes:
        if isinstance(value, dict):
            return codec.nested(kind, *(write(*item) for item in value.items()))
        assert isinstance(value, bytes)
        return codec.attribute(kind, value)

    def read(found: codec.Attributes, kind: int, like: object) -> object:
        if isinstance(like, dict):
            inner = found.nested(kind)
            assert set(inner) == set(like)
            return {each: read(inner, each, like[each]) for each in like}
        return found[kind]

    packed = write(1, tree)
    assert read(codec.parse_attributes(packed), 1, tree) == tree


def test_nested_attributes_are_marked_and_the_mark_is_no_part_of_the_kind() -> None:
    packed = codec.nested(5, codec.u8(1, 7))
    assert int.from_bytes(packed[2:4], "little") in (5 | NLA_F_NESTED, 0x0580)
    assert codec.parse_attributes(packed).nested(5).u8(1) == 7


@moderate
@given(st.integers(0, 255), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.text())
def test_readers_give_back_what_was_written(byte: int, short: int, word: int, said: str) -> None:
    said = said.replace("\0", "")
    packed = (
        codec.u8(1, byte)
        + codec.u16(2, short)
        + codec.u32(3, word)
        + codec.be16(4, short)
        + codec.attribute(5, said.encode("utf-8", "surrogatepass") + b"\0")
        + codec.mac(6, "0a:58:0a:16:00:05")
    )
    found = codec.parse_attributes(packed)
    assert (found.u8(1), found.u16(2), found.u32(3), found.be16(4)) == (byte, short, word, short)
    assert found.text(5).encode("utf-8", "surrogateescape") == said.encode("utf-8", "surrogatepass")
    assert found.mac(6) == "0a:58:0a:16:00:05"


def test_absent_attributes_have_defaults() -> None:
    found = codec.parse_attributes(b"")
    assert (found.u8(1), found.u32(1, 9), found.s32(1, -1)) == (0, 9, -1)
    assert (found.text(1), found.mac(1), found.nested(1)) == ("", "", {})


@moderate
@given(st.binary(max_size=64))
def test_names_of_any_bytes_go_back_to_the_kernel_as_they_came(name: bytes) -> None:
    name = name.replace(b"\0", b"")
    found = codec.parse_attributes(codec.attribute(1, name + b"\0"))
    assert codec.parse_attributes(codec.text(2, found.text(1)))[2] == name + b"\0"


@pytest.mark.parametrize("reader", ["u8", "u16", "u32", "s32", "be16"])
def test_a_number_of_too_few_bytes_is_undecodable(reader: str) -> None:
    with pytest.raises(Undecodable):
        getattr(codec.parse_attributes(codec.attribute(1, b"")), reader)(1)


@pytest.mark.parametrize(
    "write",
    [
        lambda: codec.u8(1, 256),
        lambda: codec.u32(1, -1),
        lambda: codec.u32(1, 2**32),
        lambda: codec.attribute(1, bytes(65536)),
        lambda: codec.mac(1, "not a mac"),
    ],
)
def test_what_does_not_fit_is_a_wrong_configuration(write: object) -> None:
    assert callable(write)
    with pytest.raises(BadConfig):
        write()


@moderate
@given(st.binary(max_size=200))
@example(b"\x03\x00\x00\x00")
@example(b"\x08\x00\x00\x00")
@example(b"\x00")
def test_random_bytes_are_attributes_or_undecodable(noise: bytes) -> None:
    try:
        found = codec.parse_attributes(noise)
        assert sum(len(payload) for payload in found.values()) <= len(noise)
    except Undecodable:
        pass


@moderate
@given(st.binary(max_size=200))
@example(bytes(16))
@example(b"\x0f\0\0\0" + bytes(12))
@example(b"\xff\xff\xff\xff" + bytes(12))
def test_random_bytes_are_messages_or_undecodable(noise: bytes) -> None:
    try:
        found = codec.parse_messages(noise)
        assert len(found) <= len(noise) // codec.HEADER_SIZE
    except Undecodable:
        pass


requests = st.builds(
    lambda kind, flags, body: codec.Request(kind=kind, flags=flags, body=body, doing="try"),
    st.integers(0, 65535),
    st.integers(0, 65535),
    payloads,
)


@moderate
@given(st.lists(requests, max_size=5), st.integers(0, 2**32 - 1))
def test_messages_survive_a_round_trip(given_requests: list[codec.Request], number: int) -> None:
    datagram = b"".join(codec.encode(each, number, NLM_F_ACK) for each in given_requests)
    seen = codec.parse_messages(datagram)
    assert [(each.kind, each.body, each.sequence) for each in seen] == [
        (each.kind, each.body, number) for each in given_requests
    ]
    for message, request in zip(seen, given_requests, strict=True):
        assert message.flags == request.flags | NLM_F_ACK | NLM_F_REQUEST


def test_fixed_structures_that_are_cut_short_are_undecodable() -> None:
    layout = Struct("=I")
    assert codec.unpack(layout, b"\1\0\0\0more", "number") in ((1,), (1 << 24,))
    with pytest.raises(Undecodable, match="number of 3 bytes"):
        codec.unpack(layout, b"\1\0\0", "number")

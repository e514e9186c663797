from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.agent.protocol import (
    LARGEST,
    Answer,
    AnswerReader,
    Call,
    CallReader,
    encode_answer,
    encode_call,
)
from dari.errors import Undecodable

T = TypeVar("T")
KEYS = st.text(st.characters(blacklist_characters="\0=", codec="utf-8"), min_size=1, max_size=10)
VALUES = st.text(st.characters(blacklist_characters="\0", codec="utf-8"), max_size=20)
CALLS = st.builds(
    lambda environ, stdin: Call(environ=environ, stdin=stdin),
    st.dictionaries(KEYS, VALUES, max_size=5),
    st.binary(max_size=100),
)


def fed(feed: Callable[[bytes], T | None], pieces: Iterable[bytes]) -> T | None:
    """Feed piece by piece; only the last may complete it."""
    result: T | None = None
    for piece in pieces:
        assert result is None
        result = feed(piece)
    return result


def test_the_bytes_of_a_request_are_as_the_native_client_sends_them() -> None:
    call = Call(environ={"DARI_COMMAND": "status"}, stdin=b"{}")
    assert encode_call(call) == b"DARI\x01\x00\x00\x00\x17DARI_COMMAND=status\0\0{}"


def test_the_bytes_of_an_answer_are_as_the_native_client_reads_them() -> None:
    assert encode_answer(Answer(status=1, stdout=b"no\n")) == b"DARI\x01\x01\x00\x00\x00\x03no\n"


@given(CALLS, st.lists(st.integers(0, 300), max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_request_arrives_whole_however_it_is_cut(call: Call, cuts: list[int]) -> None:
    data = encode_call(call)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert fed(CallReader().feed, pieces) == call


@given(st.integers(0, 255), st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_an_answer_arrives_whole_byte_by_byte(status: int, stdout: bytes) -> None:
    answer = Answer(status=status, stdout=stdout)
    data = encode_answer(answer)
    pieces = [data[at : at + 1] for at in range(len(data))]
    assert fed(AnswerReader().feed, pieces) == answer


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"G", "not dari's protocol"),
        (b"GET / HTTP/1.1\r\n", "not dari's protocol"),
        (b"DARI\x02", "version 2 of the protocol"),
        (b"DARI\x01\xff\xff\xff\xff", "more than 2097152"),
        (b"DARI\x01\x00\x20\x00\x01", "2097153 bytes announced"),
        (b"DARI\x01\x00\x00\x00\x01\0x", "more bytes than announced"),
        (b"DARI\x01\x00\x00\x00\x00", "does not end"),
        (b"DARI\x01\x00\x00\x00\x04A=B\0", "does not end"),
        (b"DARI\x01\x00\x00\x00\x03AB\0", "lacks '='"),
        (b"DARI\x01\x00\x00\x00\x03=B\0", "lacks '='"),
    ],
)
def test_a_stranger_is_told_apart_at_once(data: bytes, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason):
        CallReader().feed(data)


def test_a_request_that_is_too_large_is_not_even_sent() -> None:
    with pytest.raises(Undecodable):
        encode_call(Call(environ={}, stdin=bytes(LARGEST)))


@given(st.binary(max_size=60), st.booleans())
@settings(max_examples=200, deadline=None)
def test_hostile_bytes_never_pass_for_more_than_they_are(tail: bytes, begun: bool) -> None:
    data = (b"DARI\x01" if begun else b"") + tail
    for reader in (CallReader(), AnswerReader()):
        try:
            reader.feed(data)
        except Undecodable as error:
            assert "\n" not in error.message

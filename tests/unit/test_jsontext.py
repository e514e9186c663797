"""JSON from strangers: what passes comes back whole, what does not is told in one way."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import Undecodable
from dari.jsontext import MAX_DEPTH, decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, width=32)
VALUES = st.recursive(
    SCALARS.filter(lambda value: value not in (float("inf"), float("-inf"))) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_what_was_encoded_comes_back(value: dict[str, object]) -> None:
    assert decode(encode(value), "it") == value


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        decoded = decode(data, "it")
    except Undecodable as error:
        assert error.message.startswith("it: ")
    else:
        assert decoded == json.loads(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "line 1, column 1"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a": {"b": 1, "b": 2}}', "key 'b' is there twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "1e999 is too large a number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"a": "\\ud800"}', "half a surrogate pair"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        (b'{"a": ["b\\u0000c"]}', "NUL character"),
        (b"\xef\xbb\xbf{}", "line 1"),
        (b"{}x", "Extra data"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_refusals_say_why(data: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why.replace("(", r"\(")):
        decode(data, "it")


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 100_000])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_endless_nesting_is_refused(levels: int, pair: tuple[bytes, bytes]) -> None:
    nested = pair[0] * levels + b"1" + pair[1] * levels
    with pytest.raises(Undecodable, match="nested deeper than"):
        decode(b'{"a":' + nested + b"}", "it")


def test_nesting_up_to_the_limit_passes() -> None:
    levels = MAX_DEPTH - 2  # the object around it, and the number inside
    assert decode(b'{"a":' + b"[" * levels + b"1" + b"]" * levels + b"}", "it")

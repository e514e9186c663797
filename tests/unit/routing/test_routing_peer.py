"""What a record says of its backend, written and read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import BadConfig
from dari.routing.peer import Speech, decode_speech, encode_speech

MAC = "0a:58:00:00:00:01"
SPEECHES = st.builds(
    Speech,
    type=st.sampled_from(["direct", "vxlan", "auto", "bgp", "flannel"]),
    vni=st.integers(0, 2**24 - 1),
    port=st.integers(0, 65535),
    mac=st.sampled_from(["", MAC]),
    mac6=st.sampled_from(["", MAC]),
    as_number=st.integers(0, 2**32 - 1),
)


@given(SPEECHES)
@settings(deadline=None)
def test_what_is_written_is_read(speech: Speech) -> None:
    assert decode_speech(encode_speech(speech)) == speech


def test_only_what_is_known_is_written() -> None:
    assert encode_speech(Speech()) == {"type": "direct"}
    assert decode_speech({}) == Speech()
    assert decode_speech({"type": "wireguard", "key": "x"}).type == "wireguard"


@pytest.mark.parametrize(
    "backend",
    [
        {"type": 7},
        {"vni": "79"},
        {"vni": 2**24},
        {"vni": True},
        {"port": 65536},
        {"as": -1},
        {"mac": "0a:58"},
        {"mac": "01:00:5e:00:00:01"},
        {"mac": "00:00:00:00:00:00"},
        {"mac6": ["x"]},
    ],
)
def test_what_is_wrong_is_named(backend: dict[str, object]) -> None:
    (key,) = backend
    with pytest.raises(BadConfig, match=key):
        decode_speech(backend)


@given(
    st.dictionaries(st.sampled_from(["type", "vni", "port", "mac", "as"]), st.text() | st.floats())
)
@settings(deadline=None)
def test_nonsense_is_refused_or_read(backend: dict[str, object]) -> None:
    with suppress(BadConfig):
        decode_speech(backend)

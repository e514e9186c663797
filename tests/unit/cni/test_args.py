"""CNI_ARGS: pairs, keys that nobody knows, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.cni.args import KNOWN, format_args, parse_args
from dari.errors import BadEnvironment

CONTAINERD = (
    "K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=1;IgnoreUnknown=1;"
    "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web"
)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("IP=10.22.0.9", {"IP": "10.22.0.9"}),
        ("IP=", {"IP": ""}),
        ("IP=1;IP=2", {"IP": "2"}),
        ("MAC=0a:58:0a:16:00:05;IP=::1", {"MAC": "0a:58:0a:16:00:05", "IP": "::1"}),
        ("IgnoreUnknown=true;X=1", {"IgnoreUnknown": "true", "X": "1"}),
        ("X=1;IgnoreUnknown=True", {"X": "1", "IgnoreUnknown": "True"}),
        ("IgnoreUnknown=0;IP=1", {"IgnoreUnknown": "0", "IP": "1"}),
    ],
)
def test_pairs(text: str, pairs: dict[str, str]) -> None:
    assert parse_args(text) == pairs


def test_what_containerd_sends_is_kept_for_delegates() -> None:
    assert parse_args(CONTAINERD)["K8S_POD_NAME"] == "web"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("IP", "'IP' is not KEY=VALUE"),
        ("=1", "'=1' is not KEY=VALUE"),
        ("IP=1=2", "'IP=1=2' is not KEY=VALUE"),
        ("IP=1;", "'' is not KEY=VALUE"),
        (";", "'' is not KEY=VALUE"),
        ("X=1", "X not known here"),
        ("X=1;Y=2;IgnoreUnknown=false", "X, Y not known here"),
        ("X=1;IgnoreUnknown=maybe", "IgnoreUnknown='maybe'"),
        ("ignoreunknown=1", "ignoreunknown not known here"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadEnvironment, match=f"^CNI_ARGS: {why}"):
        parse_args(text)


WORDS = st.text(st.characters(exclude_characters=";="), max_size=8)


@settings(deadline=None)
@given(st.dictionaries(WORDS.filter(bool), WORDS))
def test_what_is_written_reads_the_same(pairs: dict[str, str]) -> None:
    told = {**pairs, "IgnoreUnknown": "1"}
    assert parse_args(format_args(told.items())) == told


@settings(deadline=None)
@given(st.text(st.sampled_from("IPX=;1gnoreUk"), max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        pairs = parse_args(text)
    except BadEnvironment:
        return
    assert pairs.get("IgnoreUnknown", "0") == "1" or set(pairs) <= set(KNOWN)

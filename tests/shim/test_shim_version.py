"""The version in an error of the native entry's own: scanned for, never parsed.

A settings file that is refused makes it print an error at once.
"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dari.result import CURRENT
from tests.shim.bindir import BinDir

PLAUSIBLE = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+", re.ASCII)


def version_in_error(bin_dir: BinDir, config: bytes) -> object:
    return bin_dir.call({"CNI_COMMAND": "ADD"}, config).error["cniVersion"]


def expected(value: object) -> str:
    """What the scan should find in JSON that is whole."""
    version = value.get("cniVersion") if isinstance(value, dict) else None
    if isinstance(version, str) and len(version) < 12 and PLAUSIBLE.fullmatch(version):
        return version
    return CURRENT


@pytest.mark.parametrize(
    ("config", "version"),
    [
        (b"", CURRENT),
        (b'{"cniVersion":"0.3.1"}', "0.3.1"),
        (b' {\n"a" : [1, {"b": "}"}], "cniVersion"\t:\n"1.1.0" }', "1.1.0"),
        (b'{"ipam": {"cniVersion": "9.9.9"}}', CURRENT),
        (b'{"ipam": {"cniVersion": "9.9.9"}, "cniVersion": "0.4.0"}', "0.4.0"),
        (b'[{"cniVersion": "9.9.9"}]', CURRENT),
        (b'["cniVersion", "9.9.9"]', CURRENT),
        (b'{"name": "cniVersion", "x": "9.9.9"}', CURRENT),
        (b'{"name": "\\"cniVersion\\": \\"9.9.9\\""}', CURRENT),
        (b'{"cniVersion": "1.0"}', CURRENT),
        (b'{"cniVersion": "1..0"}', CURRENT),
        (b'{"cniVersion": ".1.0"}', CURRENT),
        (b'{"cniVersion": "1.0."}', CURRENT),
        (b'{"cniVersion": "0.0.0.0"}', CURRENT),
        (b'{"cniVersion": "0.4.0-dev"}', CURRENT),
        (b'{"cniVersion": "100.200.300"}', "100.200.300"),
        (b'{"cniVersion": "1000.200.300"}', CURRENT),
        (b'{"cniVersion": 0.4}', CURRENT),
        (b'{"cniVersion": null, "a": "0.4.0"}', CURRENT),
        (b'{"cniVersion": "0.4.0', CURRENT),
        (b'{"cniVersion": "0.4.0" garbage', "0.4.0"),
        (b'{"cniVersion": "0.4.0"} {"cniVersion": "9.9.9"}', "0.4.0"),
        (b']]]{"cniVersion": "9.9.9"}', CURRENT),
        (b'"\\', CURRENT),
        (b"\0\xff" * 100, CURRENT),
        (b"[" * 100_000, CURRENT),
        (b'{"' + b"\\" * 99_999, CURRENT),
    ],
)
def test_the_version_is_found_where_it_counts(bin_dir: BinDir, config: bytes, version: str) -> None:
    bin_dir.write_settings("refused")
    assert version_in_error(bin_dir, config) == version


VERSIONS = st.one_of(
    st.from_regex(PLAUSIBLE, fullmatch=True), st.text("0123456789.", max_size=13), st.none()
)
KEYS = st.one_of(st.just("cniVersion"), st.text(max_size=6), st.just('"cniVersion'))
VALUES = st.recursive(
    st.one_of(VERSIONS, st.text(max_size=8), st.integers(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
@example(value={"cniVersion": "0.4.0"}, ascii_only=True, indent=None)
def test_it_is_what_a_parser_finds(
    bin_dir: BinDir, value: object, ascii_only: bool, indent: int | None
) -> None:
    bin_dir.write_settings("refused")
    config = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    encoded = config.encode(errors="surrogatepass")
    assert version_in_error(bin_dir, encoded) == expected(value)

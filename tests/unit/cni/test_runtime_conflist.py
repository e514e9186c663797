"""Lists of plugins: what makes one, and what is told of one that is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.cni.runtime.conflist import read_list, read_single
from dari.errors import BadConfig, DariError, IncompatibleVersion
from dari.jsontext import decode
from dari.result import SUPPORTED

PLUGINS = [{"type": "bridge"}, {"type": "portmap", "capabilities": {"portMappings": True}}]
LIST: dict[str, object] = {"cniVersion": "1.0.0", "name": "mynet", "plugins": PLUGINS}


def test_a_list() -> None:
    network = read_list(LIST)
    assert (network.name, network.cni_version, list(network.plugins)) == (
        "mynet",
        "1.0.0",
        PLUGINS,
    )
    assert not network.disable_check and not network.disable_gc


def test_its_content_says_all_of_it() -> None:
    """libcni caches the list's own file, and forgets the plugins of the network's folder."""
    network = read_list(LIST, [{"type": "tuning"}])
    again = read_list(decode(network.content, "the cached list"))
    assert [plugin["type"] for plugin in again.plugins] == ["bridge", "portmap", "tuning"]


def test_a_single_plugin_is_a_list_of_one() -> None:
    network = read_single({"cniVersion": "0.4.0", "name": "mynet", "type": "bridge", "x": 1})
    assert (network.name, network.cni_version) == ("mynet", "0.4.0")
    assert [plugin["x"] for plugin in network.plugins] == [1]
    assert json.loads(network.content)["plugins"][0]["type"] == "bridge"


@pytest.mark.parametrize("value", [True, "true", "True", "TRUE"])
def test_switches_may_be_strings(value: object) -> None:
    network = read_list({**LIST, "disableCheck": value, "disableGC": value})
    assert network.disable_check and network.disable_gc


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ({}, "0.1.0"),
        ({"cniVersion": "0.4.0"}, "0.4.0"),
        ({"cniVersion": "0.4.0", "cniVersions": []}, "0.4.0"),
        ({"cniVersions": ["0.3.1", "1.1.0", "1.0.0"]}, "1.1.0"),
        ({"cniVersion": "1.1.0", "cniVersions": ["0.4.0"]}, "1.1.0"),
        ({"cniVersion": "0.4.0", "cniVersions": ["1.0.0", "9.0.0"]}, "1.0.0"),
        ({"cniVersion": "9.0.0", "cniVersions": ["0.4.0"]}, "0.4.0"),
    ],
)
def test_the_highest_version_that_is_known(said: dict[str, object], version: str) -> None:
    assert read_list({"name": "mynet", "plugins": PLUGINS, **said}).cni_version == version


@pytest.mark.parametrize(
    "said", [{"cniVersion": "9.0.0"}, {"cniVersion": "9.0.0", "cniVersions": ["8.0.0"]}]
)
def test_no_version_that_is_known(said: dict[str, object]) -> None:
    with pytest.raises(IncompatibleVersion, match=r"9\.0\.0"):
        read_list({**LIST, **said})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": None}, "name: missing"),
        ({"name": 5}, "name: "),
        ({"name": "../x"}, "name: "),
        ({"plugins": None}, "plugins: "),
        ({"plugins": []}, "plugins: the list is empty"),
        ({"plugins": {}}, "plugins: "),
        ({"plugins": [{"type": "a"}, 5]}, r"plugins\[1\]: 5"),
        ({"plugins": [{}]}, r"plugins\[0\].type: missing"),
        ({"disableCheck": "yes"}, "disableCheck: "),
        ({"disableGC": 1}, "disableGC: "),
        ({"cniVersion": 1}, "cniVersion: "),
        ({"cniVersions": "1.0.0"}, "cniVersions: "),
        ({"cniVersions": [1]}, "cniVersions: "),
    ],
)
def test_what_is_no_list(change: dict[str, object], why: str) -> None:
    with pytest.raises(BadConfig, match=f"^{why}"):
        read_list({**LIST, **change})


@pytest.mark.parametrize("change", [{"type": None}, {"type": 5}, {"name": ""}])
def test_what_is_no_single_plugin(change: dict[str, object]) -> None:
    with pytest.raises(BadConfig):
        read_single({"name": "mynet", "type": "bridge", **change})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([*SUPPORTED, "bridge", "x y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "name", "capabilities"]), inner, max_size=3)
    ),
    max_leaves=10,
)
KEYS = st.sampled_from(["name", "cniVersion", "cniVersions", "plugins", "disableGC", "type"])


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES))
def test_anything_is_a_network_or_an_error_of_ours(raw: dict[str, object]) -> None:
    for read in (read_list, read_single):
        try:
            assert read({**LIST, **raw}).plugins
        except DariError as error:
            assert error.code in (1, 7)

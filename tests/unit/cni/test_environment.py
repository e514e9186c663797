"""The CNI_* variables: which verb needs which, and what each may hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.cni.environment import REQUIRED, is_plain_name, read_environment
from dari.errors import BadEnvironment
from tests.unit.cni.node import environ

VARIABLES = ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH")


@pytest.mark.parametrize("command", REQUIRED)
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_verb_misses_what_it_needs_and_nothing_else(command: str, variable: str) -> None:
    variables = environ(command, **{variable: ""})
    if variable in REQUIRED[command]:
        with pytest.raises(BadEnvironment, match=rf"^{variable}: missing, and {command} needs"):
            read_environment(variables)
    else:
        assert read_environment(variables).command == command


def test_everything_missing_is_told_at_once() -> None:
    with pytest.raises(BadEnvironment, match=r"^CNI_CONTAINERID, CNI_IFNAME, CNI_NETNS: missing"):
        read_environment({"CNI_COMMAND": "ADD"})


@pytest.mark.parametrize("command", ["", "add", "UPDATE", "ADD "])
def test_no_operation(command: str) -> None:
    with pytest.raises(BadEnvironment, match=r"^CNI_COMMAND: "):
        read_environment({**environ("ADD"), "CNI_COMMAND": command})


@pytest.mark.parametrize("variable", ["CNI_NETNS", "CNI_PATH"])
def test_an_add_whose_record_could_not_be_read_again_is_refused(variable: str) -> None:
    given = environ("ADD", **{variable: "/run/\udcff"})
    with pytest.raises(BadEnvironment, match=rf"^{variable}: .* is not UTF-8"):
        read_environment(given)
    assert read_environment({**given, "CNI_COMMAND": "DEL"}).command == "DEL"


def test_what_an_add_gets() -> None:
    read = read_environment(
        environ("ADD", CNI_PATH=":/opt/cni/bin::/usr/lib/cni", CNI_ARGS="IP=10.22.0.9")
    )
    assert (read.container_id, read.ifname, read.netns) == (
        "web1",
        "eth0",
        "/run/netns/not-there",
    )
    assert read.path == ("/opt/cni/bin", "/usr/lib/cni")
    assert read.args == {"IP": "10.22.0.9"}
    assert not read.own_namespace_allowed


@pytest.mark.parametrize("command", ["GC", "STATUS", "VERSION"])
def test_verbs_without_an_attachment_do_not_look_at_one(command: str) -> None:
    read = read_environment(environ(command, CNI_CONTAINERID="-", CNI_IFNAME="/", CNI_ARGS="x"))
    assert (read.container_id, read.ifname, read.netns, read.args) == ("", "", "", {})


@pytest.mark.parametrize(
    ("given", "allowed"),
    [("1", True), ("TRUE", True), ("true", True), ("0", False), ("yes", False)],
)
def test_the_namespace_override(given: str, allowed: bool) -> None:
    variables = environ("ADD", CNI_NETNS_OVERRIDE=given)
    assert read_environment(variables).own_namespace_allowed is allowed


@pytest.mark.parametrize("name", ["a", "0", "web-1_x.y", "A" * 300])
def test_container_ids(name: str) -> None:
    assert read_environment(environ("ADD", CNI_CONTAINERID=name)).container_id == name


@pytest.mark.parametrize(
    "name", ["-a", ".a", "_a", "a/b", "a b", "a\n", "é", "a\u0660", "../../etc", "a\udcff"]
)
def test_container_ids_that_are_none(name: str) -> None:
    with pytest.raises(BadEnvironment, match=r"^CNI_CONTAINERID: "):
        read_environment(environ("DEL", CNI_CONTAINERID=name))


@pytest.mark.parametrize("name", ["e", "eth0", "a" * 15, "net.0@x", "é" * 7, "..."])
def test_interface_names(name: str) -> None:
    assert read_environment(environ("ADD", CNI_IFNAME=name)).ifname == name


@pytest.mark.parametrize(
    "name",
    [
        *(".", "..", "a/b", "a:1", "a b", "a\t", "a\n", "a\u00a0", "a\u2003"),
        *("a" * 16, "é" * 8, "eth%d", "a\udcff", "voilà"),
    ],
)
def test_interface_names_that_are_none(name: str) -> None:
    with pytest.raises(BadEnvironment, match=r"^CNI_IFNAME: "):
        read_environment(environ("CHECK", CNI_IFNAME=name))


@settings(deadline=None)
@given(st.text(max_size=12))
def test_the_rule_of_plain_names_is_the_pattern_of_the_specification(text: str) -> None:
    import re

    assert is_plain_name(text) == bool(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*", text))


NAMES = st.sampled_from(
    ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"]
)
VALUES = st.sampled_from([*REQUIRED, "eth0", "web1", "", "IP=1;IgnoreUnknown=1"]) | st.text(
    max_size=20
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, VALUES))
def test_any_environment_is_read_or_refused(variables: dict[str, str]) -> None:
    try:
        read = read_environment(variables)
    except BadEnvironment as error:
        assert error.message.startswith("CNI_")
    else:
        assert all(variables.get(name) for name in REQUIRED[read.command])

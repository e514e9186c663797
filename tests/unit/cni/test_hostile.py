"""Hostile input of every kind: always one of the protocol's answers, and nothing done."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from dari import errors
from dari.cni.environment import REQUIRED
from dari.errors import DariError
from dari.result import SUPPORTED
from tests.unit.cni.node import ATTACHMENT, FakeHost, ask, config

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]
CODES = {kind.code for kind in KINDS if issubclass(kind, DariError)} - {999}

NO_NUL = st.text(st.characters(exclude_characters="\0"), max_size=30)
VARIABLES = st.fixed_dictionaries(
    {},
    optional={
        "CNI_COMMAND": st.sampled_from(list(REQUIRED)) | NO_NUL,
        **{name: st.just(value) | NO_NUL for name, value in ATTACHMENT.items()},
        "CNI_ARGS": st.sampled_from(["IP=10.22.0.9", "X=1;IgnoreUnknown=1", "X=1"]) | NO_NUL,
        "CNI_NETNS_OVERRIDE": NO_NUL,
    },
)
WELL_FORMED = st.sampled_from(list(REQUIRED)).map(
    lambda command: {"CNI_COMMAND": command, **ATTACHMENT}
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "fake", "mynet", "10.22.0.5/16", "::/0", *SUPPORTED])
    | st.text(max_size=10)
)
SECTIONS = ["ipam", "dns", "args", "runtimeConfig", "prevResult", "ips", "interfaces", "ip4"]
INNER = ["ip", "address", "routes", "dst", "containerID", "ifname", "search", "mtu"]
KEYS = st.sampled_from([*config(), *SECTIONS, *INNER]) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@st.composite
def nearly_right(draw: st.DrawFn) -> bytes:
    """A valid configuration with some keys changed for anything."""
    changes = draw(st.dictionaries(KEYS, VALUES, max_size=3))
    return json.dumps({**config(draw(st.sampled_from(SUPPORTED))), **changes}).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid configuration with some bytes changed for any."""
    content = bytearray(json.dumps(config()).encode())
    for _ in range(draw(st.integers(1, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


STDIN = st.binary(max_size=60) | nearly_right() | damaged()


def check(variables: dict[str, str], stdin: bytes, name: str) -> None:
    """An answer is well-formed, and an error means that the plugin was not called."""
    host = FakeHost()
    answer = ask(variables, stdin, host, name=name)
    assert answer.log == ""
    if answer.status:
        assert answer.code in CODES
        assert answer.said["cniVersion"] in SUPPORTED
        assert host.calls == []
    else:
        verb = variables["CNI_COMMAND"]
        assert (answer.said is None) == (verb not in ("ADD", "VERSION"))
        assert len(host.calls) == (verb != "VERSION")


NAMES = st.sampled_from(["fake", "dari", "", "renamed"])


@settings(deadline=None, max_examples=300)
@given(VARIABLES, STDIN, NAMES)
def test_any_environment_and_any_stdin(variables: dict[str, str], stdin: bytes, name: str) -> None:
    check(variables, stdin, name)


@settings(deadline=None, max_examples=400)
@given(WELL_FORMED, nearly_right(), NAMES)
def test_a_right_environment_and_a_nearly_right_configuration(
    variables: dict[str, str], stdin: bytes, name: str
) -> None:
    check(variables, stdin, name)

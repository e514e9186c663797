"""Hostile environments: every variable missing, wrong, long, or not text at all."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.node import STDIN, Node
from tests.support.executable import call

EXAMPLES = 25
ATTACHMENT = ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS")
NASTY = (
    "",
    " ",
    "..",
    "../../etc/passwd",
    "/dev/null",
    "/dev/zero",
    "/proc/self/ns/net",
    "/proc/self/ns/mnt",
    "/proc/1",
    "a" * 5000,
    "eth0/..",
    "a:b",
    "%d",
    "%s%s%n",
    "\n",
    "\x01",
    "-rf",
    "$(reboot)",
    "다리",
    "lo",
    "all",
    "IP=",
    "IP=not-an-address",
    "IP=10.99.0.1",
    "IP=10.22.0.0",
    "IP=fe80::1",
    "MAC=ff:ff:ff:ff:ff:ff",
    "MAC=zz",
    "A=B;;C",
    "=;=",
    "IgnoreUnknown=perhaps",
    "ADD",
    "add",
)
VALUES = (
    st.sampled_from(NASTY).map(os.fsencode)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).map(str.encode)
    | st.binary().map(lambda octets: octets.replace(b"\0", b""))
)
CODES = {
    "CNI_COMMAND": {4},
    "CNI_CONTAINERID": {4},
    "CNI_IFNAME": {4},
    "CNI_NETNS": {4, 8},
    "CNI_ARGS": {4, 7, 101},
    "CNI_PATH": {4},
}


@pytest.mark.parametrize("name", CODES)
def test_a_hostile_variable_is_refused_or_does_no_harm(name: str) -> None:
    node = Node()

    @settings(max_examples=EXAMPLES)
    @given(VALUES)
    def try_it(value: bytes) -> None:
        environ = {os.fsencode(key): os.fsencode(text) for key, text in node.environ("ADD").items()}
        environ[name.encode()] = value
        code = node.call(environ, STDIN)
        assert code in CODES[name] | {0}
        if code == 0:
            environ[b"CNI_COMMAND"] = b"DEL"
            deleted = call("bridge", environ, STDIN)
            assert deleted.status == 0, deleted
            node.assert_unchanged()

    try_it()


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK"])
def test_each_variable_of_an_attachment_is_missed(verb: str) -> None:
    node = Node()
    for name in ATTACHMENT:
        environ = node.environ(verb)
        del environ[name]
        expected = 0 if (verb, name) == ("DEL", "CNI_NETNS") else 4
        assert node.call(environ, STDIN) == expected


def test_an_empty_environment_is_refused() -> None:
    node = Node()
    for name in ("bridge", "host-local", "loopback", "dari"):
        assert node.call({b"PATH": b"/usr/bin:/bin"}, STDIN, name) == 4

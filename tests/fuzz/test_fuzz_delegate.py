"""A foreign IPAM executable that says anything at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fuzz.node import CONF, Node
from tests.support.executable import BIN_DIR, call

IPAM = "hostile"
STDIN = json.dumps({**CONF, "ipam": {"type": IPAM}}).encode()

SCRIPTS = {
    "nothing": "exit 0",
    "no json": "echo hello",
    "no result": "echo '{\"ips\": 7}'",
    "a result without version": 'echo \'{"ips": [{"address": "10.22.0.9/16"}]}\'',
    "a wrong address": 'echo \'{"cniVersion": "1.0.0", "ips": [{"address": "10.22.0.999/16"}]}\'',
    "a wrong version": 'echo \'{"cniVersion": "9.9.9", "ips": []}\'',
    "too much": "head -c 9000000 /dev/zero",
    "an error": 'echo \'{"cniVersion": "1.0.0", "code": 11, "msg": "later"}\'; exit 1',
    "an error that is none": "echo oops; exit 1",
    "an error with a wrong code": 'echo \'{"code": "x", "msg": {}}\'; exit 3',
    "a signal": "kill -9 $$",
}
WITHOUT_CODE = ("an error that is none", "an error with a wrong code", "a signal")


@pytest.mark.parametrize("kind", SCRIPTS)
def test_whatever_a_delegate_says_there_is_one_answer(kind: str) -> None:
    node = Node()
    script = Path(BIN_DIR, IPAM)
    script.write_text(f"#!/bin/sh\n{SCRIPTS[kind]}\n")
    script.chmod(0o755)
    code = node.call(node.environ("ADD"), STDIN, internal=kind in WITHOUT_CODE)
    if code == 0:
        script.write_text("#!/bin/sh\nexit 0\n")
        assert call("bridge", node.environ("DEL"), STDIN).status == 0
        node.assert_unchanged()
    if kind == "an error":
        assert code == 11


@pytest.mark.parametrize("name", ["nowhere", "", "../../../bin/sh", "a/b", "sh\n", "."])
def test_a_delegate_that_is_not_there_is_named(name: str) -> None:
    node = Node()
    stdin = json.dumps({**CONF, "ipam": {"type": name}}).encode()
    assert node.call(node.environ("ADD"), stdin) in {5, 7, 11, 50}

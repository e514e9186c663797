"""It must not matter what a runtime started: the same bytes and the same exit status.

Each call is made three ways: Python alone, the native entry that becomes Python
where no agent listens, and the native entry with an agent that answers by the
same code. None of these calls gets as far as the kernel.
"""

from __future__ import annotations

import io
import json
import os
import subprocess

import pytest

import dari.native.launch
from dari.cni.dispatch import respond
from dari.cni.entry import node
from dari.native.settings import this_python
from tests.shim.bindir import CONFIG, BinDir, Ended, environment
from tests.support.fake_agent import Conversation, FakeAgent, encode_answer

CALLS: dict[str, tuple[dict[str, str], bytes]] = {
    "version": (environment(CNI_COMMAND="VERSION"), b'{"cniVersion": "0.4.0"}'),
    "version of nothing": (environment(CNI_COMMAND="VERSION"), b""),
    "no command": ({"PATH": "/usr/bin"}, CONFIG),
    "empty command": (environment(CNI_COMMAND=""), CONFIG),
    "unknown command": (environment(CNI_COMMAND="브리지"), CONFIG),
    "no container": (environment(CNI_CONTAINERID=""), CONFIG),
    "bad container": (environment(CNI_CONTAINERID="../x"), CONFIG),
    "bad interface": (environment(CNI_IFNAME="a b"), CONFIG),
    "bytes that are no text": (environment(CNI_IFNAME="a\udcff"), CONFIG),
    "bad arguments": (environment(CNI_ARGS="x"), CONFIG),
    "no configuration": (environment(), b""),
    "no JSON": (environment(), b"{"),
    "no UTF-8": (environment(), b'{"name": "\xff"}'),
    "NUL": (environment(), b"\0" * 300),
    "unknown version": (environment(), b'{"cniVersion": "7.0.0", "name": "n", "type": "bridge"}'),
    "too old for the verb": (environment(CNI_COMMAND="STATUS"), CONFIG),
    "no name": (environment(), b'{"cniVersion": "0.4.0", "type": "bridge"}'),
    "own namespace": (environment(), CONFIG),
    "largest": (environment(), b" " * (1 << 20)),
    "too large": (environment(), b" " * ((1 << 20) + 1)),
}
PYTHON, PACKAGE = this_python()


def agent(conversation: Conversation) -> None:
    """Answers as dari's agent does, by the code of the executable."""
    heard = conversation.hear()
    variables = {os.fsdecode(key): os.fsdecode(value) for key, value in heard.variables}
    name = variables.pop("DARI_PLUGIN")
    status, output = respond(name, variables, heard.config, io.StringIO(), node)
    conversation.send(encode_answer(output, status))


def call_python(environ: dict[str, str], config: bytes) -> Ended:
    command = [PYTHON, "-I", "-S", dari.native.launch.__file__, "bridge", "/nowhere/.dari.conf"]
    done = subprocess.run(command, input=config, env=environ, capture_output=True)
    return Ended(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


@pytest.mark.parametrize("kind", CALLS)
def test_three_ways_give_the_same_bytes(bin_dir: BinDir, kind: str) -> None:
    environ, config = CALLS[kind]
    wanted = call_python(environ, config)
    assert wanted.stderr == b""
    assert json.loads(wanted.stdout)
    bin_dir.configure(python=PYTHON, package=PACKAGE)
    assert bin_dir.call(environ, config) == wanted
    with FakeAgent(bin_dir.socket, agent):
        assert bin_dir.call(environ, config) == wanted

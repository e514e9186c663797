"""How the native entry gives up: in time, with error 11, and saying what it waited for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dari.result import CURRENT
from tests.shim.bindir import CONFIG, BinDir, ended, environment, given_up
from tests.support.fake_agent import Behaviour, FakeAgent, deaf, leaving, listen, sending, silent

WAITED = r"waited \d+\.\d s"


def test_no_agent_and_no_python(bin_dir: BinDir) -> None:
    error = given_up(bin_dir, bin_dir.call).error
    assert (error["code"], error["cniVersion"]) == (11, "0.4.0")
    expected = f"no agent listens at {re.escape(bin_dir.socket)}: {WAITED} to connect"
    assert re.fullmatch(expected, str(error["msg"]))
    assert "No Python is installed on this host as fallback" in str(error["details"])
    assert str(bin_dir.settings_file) in str(error["details"])


def test_the_longest_path_does_not_break_the_error(program: Path, tmp_path: Path) -> None:
    """Each of its bytes is told by six characters."""
    folder = tmp_path
    while len(os.fsencode(folder)) < 3800:
        folder /= "다리" * 40
    folder.mkdir(parents=True)
    shutil.copy(program, folder / "dari")
    bin_dir = BinDir(folder, str(tmp_path / "agent.sock"))
    error = given_up(bin_dir, bin_dir.call).error
    assert str(error["details"]).endswith("see why it stopped.")


def test_an_agent_that_accepts_nobody(bin_dir: BinDir) -> None:
    """Its queue is full: one waits in it, and connect waits for room."""
    bin_dir.configure(timeout=2.0)
    with (
        listen(bin_dir.socket, 0),
        bin_dir.start(environment(), stdin=subprocess.DEVNULL) as first,
        bin_dir.start(environment(), stdin=subprocess.DEVNULL) as second,
    ):
        errors = [str(ended(process).error["msg"]) for process in (first, second)]
    waiting = rf".* takes no connection: {WAITED} to connect"
    assert sum(bool(re.fullmatch(waiting, text)) for text in errors) == 1


@pytest.mark.parametrize("behaviour", [silent, deaf, sending([b"DARI\1\0\0\0"], then_leave=False)])
@pytest.mark.parametrize("command", ["ADD", "DEL", "x" * 40, ""])
def test_an_agent_that_does_not_answer(bin_dir: BinDir, behaviour: Behaviour, command: str) -> None:
    with FakeAgent(bin_dir.socket, behaviour):
        error = given_up(bin_dir, lambda: bin_dir.call(environment(CNI_COMMAND=command))).error
    what = command[:32] or "the request"
    assert error["code"] == 11
    expected = f"{re.escape(bin_dir.socket)} does not answer {what}: {WAITED}"
    assert re.search(expected, str(error["msg"]))


def test_an_agent_that_does_not_read_all(bin_dir: BinDir) -> None:
    """More than the socket holds."""
    with FakeAgent(bin_dir.socket, deaf):
        error = given_up(bin_dir, lambda: bin_dir.call(config=bytes(1 << 20))).error
    assert "does not answer ADD" in str(error["msg"])


def test_an_agent_that_always_goes_away(bin_dir: BinDir) -> None:
    said = f"goes away before it answers ADD: {WAITED}"
    with FakeAgent(bin_dir.socket, leaving(after=9)) as agent:
        done = given_up(bin_dir, bin_dir.call, says=said)  # it may end in a conversation
    assert done.error["code"] == 11
    assert re.search(said, str(done.error["msg"]))
    assert 2 <= agent.connections <= 200  # of all tries; none comes at once after the last


def test_a_stdin_that_never_ends(bin_dir: BinDir) -> None:
    bin_dir.configure(timeout=0.4)
    reader, writer = os.pipe()
    os.write(writer, CONFIG)
    with FakeAgent(bin_dir.socket) as agent, bin_dir.start(environment(), stdin=reader) as process:
        error = ended(process).error
    os.close(reader)
    os.close(writer)
    assert agent.connections == 0
    assert (error["code"], error["cniVersion"]) == (5, CURRENT)
    assert re.search(f"read configuration on stdin: {WAITED}", str(error["msg"]))

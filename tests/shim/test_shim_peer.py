"""Whom the native entry believes to be the agent."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dari.native.settings import Settings
from tests.shim.bindir import CONFIG, SANITIZERS, BinDir, ended, environment
from tests.support.fake_agent import FakeAgent
from tests.support.waiting import wait_until

NOBODY = 65534


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """SO_PEERCRED tells the effective user of who called listen."""
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


def test_another_users_process_is_told_nothing(bin_dir: BinDir) -> None:
    told: list[bytes] = []
    with FakeAgent(bin_dir.socket, lambda asker: told.append(asker.receive(1))) as agent:
        with acting_as(NOBODY):
            agent.listener.listen(128)
        error = bin_dir.call().error
        wait_until(lambda: told == [b""], "the connection to be closed without a word")
    assert error["code"] == 5
    assert f"is user {NOBODY}, process {os.getpid()}, and not root's agent" in str(error["msg"])


@pytest.fixture
def open_folder(program: Path) -> Iterator[Path]:
    """A folder that another user may enter, with the program in it."""
    folder = Path(tempfile.mkdtemp(prefix="dari-peer-"))
    folder.chmod(0o755)
    shutil.copy(program, folder / "dari")
    yield folder
    shutil.rmtree(folder)


def call_as_nobody(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bridge"],
        executable=folder / "dari",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(), **SANITIZERS},
        user=NOBODY,
    )


def test_an_ordinary_user_has_an_agent_and_settings_of_its_own(open_folder: Path) -> None:
    path = str(open_folder / "agent.sock")
    settings = open_folder / ".dari.conf"
    settings.write_text(Settings(socket=path, timeout=20).text())
    os.chown(settings, NOBODY, NOBODY)
    with FakeAgent(path) as agent:
        os.chmod(path, 0o666)
        with acting_as(NOBODY):
            agent.listener.listen(128)
        with call_as_nobody(open_folder) as process:
            assert ended(process, CONFIG).stdout == b"{}\n"
    assert agent.heard[0].uid == NOBODY


def test_a_socket_that_one_may_not_use_is_named(open_folder: Path) -> None:
    path = str(open_folder / "agent.sock")
    (open_folder / ".dari.conf").write_text(Settings(socket=path, timeout=20).text())
    with FakeAgent(path), call_as_nobody(open_folder) as process:
        os.chmod(path, 0o600)
        error = ended(process, CONFIG).error
    assert error["code"] == 5
    assert "Permission denied" in str(error["msg"])
    assert path in str(error["msg"])


def test_what_is_no_stream_socket_is_named(bin_dir: BinDir) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(bin_dir.socket)
        error = bin_dir.call().error
    assert error["code"] == 5
    assert bin_dir.socket in str(error["msg"])

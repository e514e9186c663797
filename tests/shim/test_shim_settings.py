"""The file beside the native entry: what it takes from it, and when it refuses it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest

from dari.native.settings import Settings, this_python
from tests.shim.bindir import BinDir, Ended
from tests.support.fake_agent import FakeAgent


def call(bin_dir: BinDir) -> Ended:
    with FakeAgent(bin_dir.socket):
        return bin_dir.call()


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n\nsocket={socket}",
        "socket={socket}\ntimeout=3600\n",
        "timeout=0.001\nsocket={socket}\ntimeout=20.125\n",
        "socket={socket}\nkey-of-a-later-release=a=b\n",
        "socket={socket}\npython=/a\npackage=/b\n",
    ],
)
def test_what_is_taken(bin_dir: BinDir, text: str) -> None:
    bin_dir.write_settings(text.format(socket=bin_dir.socket))
    assert call(bin_dir).stdout == b"{}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("socket", "neither a comment nor key=value"),
        ("socket=", "socket is no absolute path"),
        ("socket=agent.sock", "socket is no absolute path"),
        ("socket=/" + "s" * 107, "socket is no absolute path"),
        ("python=python3\npackage=/b", "python is no absolute path"),
        ("python=/" + "p" * 4096, "python is no absolute path"),
        ("python=/a\npackage=b", "package is no absolute path"),
        ("python=/a", "python and package"),
        ("package=/a", "python and package"),
        ("timeout=", "timeout is no number"),
        ("timeout=0", "timeout is no number"),
        ("timeout=0.0009", "timeout is no number"),
        ("timeout=.5", "timeout is no number"),
        ("timeout=-1", "timeout is no number"),
        ("timeout=1s", "timeout is no number"),
        ("timeout=3600.001", "timeout is no number"),
        ("timeout=99999999999999999999", "timeout is no number"),
        ("timeout=1.2345", "timeout is no number"),
        ("socket=/a\0b", "NUL byte"),
        ("#" * 16_385, "larger than 16 KiB"),
    ],
)
def test_what_is_refused(bin_dir: BinDir, text: str, reason: str) -> None:
    bin_dir.write_settings(text)
    error = call(bin_dir).error
    assert (error["code"], error["cniVersion"]) == (5, "0.4.0")
    assert reason in str(error["msg"])
    assert str(bin_dir.settings_file) in str(error["msg"])
    assert "dari install" in str(error["details"])


@pytest.mark.parametrize("mode", [0o646, 0o664, 0o666])
def test_a_file_that_others_may_write_is_refused(bin_dir: BinDir, mode: int) -> None:
    bin_dir.settings_file.chmod(mode)
    assert "others may write it" in str(call(bin_dir).error["msg"])


def test_a_file_of_another_user_is_refused(bin_dir: BinDir) -> None:
    os.chown(bin_dir.settings_file, 65534, 65534)
    assert "belongs to another user" in str(call(bin_dir).error["msg"])


def folder(path: str) -> None:
    os.mkdir(path)


def link(path: str) -> None:
    shutil.move(path + ".real", path + ".target")
    os.symlink(path + ".target", path)


@pytest.mark.parametrize("make", [folder, os.mkfifo, link])
def test_what_is_no_file_of_its_own_is_refused(
    bin_dir: BinDir, make: Callable[[str], None]
) -> None:
    path = str(bin_dir.settings_file)
    os.rename(path, path + ".real")
    make(path)
    assert call(bin_dir).error["code"] == 5


def test_settings_are_written_as_they_are_read(bin_dir: BinDir) -> None:
    python, package = this_python()
    text = Settings(socket=bin_dir.socket, python=python, package=package, timeout=2.5).text()
    assert f"socket={bin_dir.socket}\ntimeout=2.500\npython={python}\n" in text
    bin_dir.write_settings(text)
    assert call(bin_dir).status == 0


@pytest.mark.parametrize("value", ["/a\nb", "/a\0b"])
def test_what_cannot_be_a_line_is_not_written(value: str) -> None:
    with pytest.raises(ValueError, match="no line"):
        Settings(socket=value).text()

"""What the native entry becomes where no agent listens."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import dari.native.launch
from dari.native.settings import this_python
from tests.shim.bindir import CONFIG, BinDir, ended, environment, given_up
from tests.support.fake_agent import FakeAgent, answering, dying, leaving

MIB = 1 << 20
PYTHON, _PACKAGE = this_python()

# Stands for the Python implementation: tells how it was started.
STUB = """
import os, sys
def main(*inside):
    opened = {fd: os.readlink(f"/proc/self/fd/{fd}").partition(":")[0] for fd in inside}
    config = sys.stdin.buffer.read()
    told = {"arguments": sys.argv, "environ": dict(os.environ), "isolated": sys.flags.isolated,
            "no_site": sys.flags.no_site, "config": config.hex()}
    told["inside"] = opened
    listed = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
    told["descriptors"] = [fd for fd in listed if os.path.lexists(f"/proc/self/fd/{fd}")]
    sys.stdout.write(repr(told))
    return 7
"""


@pytest.fixture
def package(tmp_path: Path) -> str:
    """A folder with a package `dari` whose cni.entry is the stub and whose launch is ours."""
    folder = tmp_path / "site 패키지"
    for name in ("native", "cni"):
        (folder / "dari" / name).mkdir(parents=True)
        (folder / "dari" / name / "__init__.py").touch()
    (folder / "dari" / "__init__.py").touch()
    (folder / "dari" / "cni" / "entry.py").write_text(STUB)
    shutil.copy(dari.native.launch.__file__, folder / "dari" / "native" / "launch.py")
    return str(folder)


def start_told(bin_dir: BinDir, config: bytes = CONFIG, **more: str) -> dict[str, object]:
    done = bin_dir.call(environment(**more), config)
    assert (done.status, done.stderr) == (7, b"")
    told = ast.literal_eval(done.stdout.decode())
    assert isinstance(told, dict)
    return told


def refuse(path: str) -> None:
    """Leave a socket's file behind, as a killed agent does: ECONNREFUSED."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(path)


@pytest.mark.parametrize("killed", [False, True])
def test_python_answers_where_nobody_listens(bin_dir: BinDir, package: str, killed: bool) -> None:
    bin_dir.configure(python=PYTHON, package=package)
    if killed:
        refuse(bin_dir.socket)
    told = start_told(bin_dir, DARI_RETRY="1")
    assert told["arguments"] == ["bridge"]
    assert (told["isolated"], told["no_site"]) == (1, 1)
    assert bytes.fromhex(str(told["config"])) == CONFIG
    inside = told["inside"]
    assert isinstance(inside, dict)
    may_enter = os.geteuid() == 0
    assert list(inside.values()) == (["net", "socket"] if may_enter else [])
    assert told["descriptors"] == [0, 1, 2, *sorted(inside)]
    environ = told["environ"]
    assert isinstance(environ, dict)
    assert environ.items() >= environment().items()
    assert "DARI_RETRY" not in environ


@pytest.mark.parametrize("size", [0, 65_536, 65_537, MIB])
def test_stdin_is_handed_on_whole(bin_dir: BinDir, package: str, size: int) -> None:
    config = os.urandom(size)
    bin_dir.configure(python=PYTHON, package=package)
    assert bytes.fromhex(str(start_told(bin_dir, config)["config"])) == config


def test_after_a_broken_conversation_python_is_told_of_it(bin_dir: BinDir, package: str) -> None:
    """The agent was killed in the middle, and stays away."""
    bin_dir.configure(python=PYTHON, package=package)
    with FakeAgent(bin_dir.socket, dying) as agent:
        environ = start_told(bin_dir, CNI_COMMAND="DEL")["environ"]
    assert agent.connections == 1
    assert isinstance(environ, dict)
    assert environ["DARI_RETRY"] == "1"


def test_an_agent_is_preferred(bin_dir: BinDir, package: str) -> None:
    bin_dir.configure(python=PYTHON, package=package)
    with FakeAgent(bin_dir.socket):
        assert bin_dir.call().stdout == b"{}\n"


def test_a_restarted_agent_is_preferred(bin_dir: BinDir, package: str) -> None:
    bin_dir.configure(python=PYTHON, package=package)
    with FakeAgent(bin_dir.socket, leaving(), answering()) as agent:
        assert bin_dir.call().stdout == b"{}\n"
    assert agent.heard[-1]["DARI_RETRY"] == "1"


@pytest.mark.parametrize("what", ["python", "package", "start"])
def test_a_python_that_is_gone_is_waited_out(bin_dir: BinDir, package: str, what: str) -> None:
    text = bin_dir.folder / "text"
    text.write_text("no program")
    text.chmod(0o755)
    python = {"python": "/nowhere/python3", "start": str(text)}.get(what, PYTHON)
    folder = "/nowhere" if what == "package" else package
    error = given_up(bin_dir, bin_dir.call, python=python, package=folder).error
    assert error["code"] == 11
    assert "Python that was installed as fallback" in str(error["details"])


def test_an_agent_that_comes_in_time_is_found(bin_dir: BinDir) -> None:
    """Without Python, an agent that restarts is waited for."""
    refuse(bin_dir.socket)
    with bin_dir.start(environment()) as process:
        assert process.stdin is not None
        process.stdin.write(CONFIG)
        process.stdin.flush()
        with FakeAgent(bin_dir.socket) as agent:
            assert ended(process).stdout == b"{}\n"
    assert "DARI_RETRY" not in agent.heard[0]


def test_the_running_python_is_named_without_its_environment() -> None:
    python, package = this_python()
    script = "import sys; print(sys.version); print(sys.prefix == sys.base_prefix)"
    done = subprocess.run([python, "-I", "-S", "-c", script], capture_output=True, text=True)
    assert done.stdout == f"{sys.version}\nTrue\n"
    assert os.path.samefile(f"{package}/dari/native/launch.py", dari.native.launch.__file__)

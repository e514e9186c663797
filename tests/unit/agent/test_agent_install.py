from __future__ import annotations

import os
import stat
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from dari.agent import conflist
from dari.agent.install import (
    Executable,
    executable,
    install_executables,
    is_ours,
    read_conflist,
    remove_conflist,
    remove_executables,
    script,
    write_conflist,
)
from dari.errors import BadConfig
from dari.paths import Paths

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__)))) + "/src"
SCRIPT = Executable(content=script(sys.executable, SOURCE))
TEXT = conflist.render(
    [ip_network("10.244.1.0/24")], bridge="cni0", mtu=0, leases="/run/dari/leases", masquerade=True
)


def put(folder: Path, *names: str) -> list[str]:
    return [os.path.basename(each.path) for each in install_executables(str(folder), names, SCRIPT)]


def test_the_executable_answers_under_each_name(tmp_path: Path) -> None:
    folder = tmp_path / "opt" / "bin"
    assert put(folder, "bridge", "loopback", "bridge") == ["dari", "bridge", "loopback"]
    assert sorted(os.listdir(folder)) == ["bridge", "dari", "loopback"]
    assert stat.S_IMODE(os.stat(folder / "bridge").st_mode) == 0o755
    done = subprocess.run(
        [str(folder / "bridge")],
        env={"CNI_COMMAND": "VERSION"},
        input=b'{"cniVersion": "1.0.0"}',
        capture_output=True,
        check=True,
    )
    assert b'"supportedVersions"' in done.stdout


def test_the_native_entry_comes_with_its_settings_and_goes_with_them(tmp_path: Path) -> None:
    program = executable(Paths(run=str(tmp_path / "run")))
    assert program.content.startswith(b"\x7fELF")
    install_executables(str(tmp_path / "bin"), ["bridge"], program)
    settings = (tmp_path / "bin" / ".dari.conf").read_text()
    assert f"socket={tmp_path}/run/agent.sock" in settings
    assert is_ours(str(tmp_path / "bin" / "bridge"))
    remove_executables(str(tmp_path / "bin"))
    assert os.listdir(tmp_path / "bin") == []


def test_installing_again_replaces_the_file_even_while_it_runs(tmp_path: Path) -> None:
    put(tmp_path)
    before = os.stat(tmp_path / "dari").st_ino
    with open(tmp_path / "dari", "rb"):
        put(tmp_path)
        assert os.stat(tmp_path / "dari").st_ino != before
    assert os.listdir(tmp_path) == ["dari"]


def test_anothers_executable_is_kept_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "bridge").write_bytes(b"\x7fELF another's")
    os.symlink("/usr/lib/cni/loopback", tmp_path / "loopback")
    first = install_executables(str(tmp_path), ["bridge", "loopback"], SCRIPT)
    assert [bool(each.saved) for each in first] == [False, True, True]
    put(tmp_path, "bridge", "loopback")
    done = remove_executables(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["bridge", "loopback"]
    assert (tmp_path / "bridge").read_bytes() == b"\x7fELF another's"
    assert os.readlink(tmp_path / "loopback") == "/usr/lib/cni/loopback"
    assert any("put back" in text for text in done)


def test_what_another_program_put_there_since_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path, "bridge")
    (tmp_path / "bridge").unlink()
    (tmp_path / "bridge").write_bytes(b"another's")
    (tmp_path / "ptp").write_bytes(b"another's")
    remove_executables(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["bridge", "ptp"]


def test_a_name_that_dari_has_no_plugin_for_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no plugin 'flannel'"):
        put(tmp_path / "bin", "bridge", "flannel")
    assert not (tmp_path / "bin").exists()


@pytest.mark.parametrize(
    "interpreter", ["python3", "", "/opt/my python/bin/python3", "/" + "x" * 260]
)
def test_a_python_that_no_script_can_name_is_refused(interpreter: str) -> None:
    with pytest.raises(BadConfig):
        script(interpreter, "/usr/lib")


def test_removing_twice_or_from_nowhere_does_nothing(tmp_path: Path) -> None:
    assert remove_executables(str(tmp_path / "nowhere")) == ()
    put(tmp_path)
    assert len(remove_executables(str(tmp_path))) == 1
    assert remove_executables(str(tmp_path)) == ()


def test_pipes_and_folders_are_never_taken_for_ours(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bridge")
    (tmp_path / "dari").mkdir()
    assert not is_ours(str(tmp_path / "bridge"))
    assert not is_ours(str(tmp_path / "dari"))
    assert remove_executables(str(tmp_path)) == ()


def test_the_conflist_is_written_whole_and_removed_if_it_is_ours(tmp_path: Path) -> None:
    path = write_conflist(str(tmp_path / "net.d"), TEXT)
    assert os.listdir(tmp_path / "net.d") == ["10-dari.conflist"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    assert read_conflist(str(tmp_path / "net.d")) == (ip_network("10.244.1.0/24"),)
    assert remove_conflist(str(tmp_path / "net.d")) == (f"removed {path}",)
    assert remove_conflist(str(tmp_path / "net.d")) == ()


@pytest.mark.parametrize("text", ["{", "[]", '{"plugins": [{"type": "bridge"}]}', '{"plugins": 7}'])
def test_anothers_conflist_under_our_name_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / conflist.FILE).write_text(text)
    assert "none of dari's" in remove_conflist(str(tmp_path))[0]
    assert (tmp_path / conflist.FILE).read_text() == text

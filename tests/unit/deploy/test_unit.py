"""The systemd unit: what systemd takes, with what the agent needs."""

from __future__ import annotations

import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from dari.agent import unit
from dari.errors import BadConfig
from dari.paths import Paths
from tests.support.manifests import DEPLOY


def sections(text: str) -> RawConfigParser:
    parser = RawConfigParser(strict=False, comment_prefixes=("#",), delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def test_the_unit_in_the_checkout_is_what_install_writes_for_a_dari_in_opt() -> None:
    text = (DEPLOY / "systemd" / unit.NAME).read_text()
    assert text == unit.render("/opt/dari/bin/python")
    assert sections(text)["Service"]["ExecStart"] == "/opt/dari/bin/python -P -m dari agent"


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    path = unit.write_unit(str(tmp_path))
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_run_folder_outlives_a_restart() -> None:
    service = sections(unit.render(sys.executable))["Service"]
    assert f"/run/{service['RuntimeDirectory']}" == Paths().run
    assert service["RuntimeDirectoryPreserve"] == "yes"
    assert service["KillMode"] == "mixed"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/opt/my tools/python", '"/opt/my tools/python"'),
        ("/opt/50%/python", '"/opt/50%%/python"'),
        ("/opt/dari/bin/python", "/opt/dari/bin/python"),
    ],
)
def test_any_path_of_python_can_be_named(path: str, written: str) -> None:
    assert f"\nExecStart={written} -P -m dari agent\n" in unit.render(path)


@pytest.mark.parametrize("path", ["python", "/opt/a\nExecStartPre=/bin/rm"])
def test_a_path_that_would_be_another_line_is_refused(path: str) -> None:
    with pytest.raises(BadConfig):
        unit.render(path)


def test_anothers_unit_of_that_name_is_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    (tmp_path / unit.NAME).write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(BadConfig, match="none of dari's"):
        unit.write_unit(str(tmp_path))
    assert unit.remove_unit(str(tmp_path)) == ()
    (tmp_path / unit.NAME).unlink()
    unit.write_unit(str(tmp_path))
    unit.write_unit(str(tmp_path))
    assert unit.remove_unit(str(tmp_path)) == (f"removed {tmp_path}/{unit.NAME}",)
    assert list(tmp_path.iterdir()) == []

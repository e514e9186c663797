"""While packages are installed no service starts, and afterwards nothing tells of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.debian import POLICY_TEXT, services_stay_stopped


def test_a_policy_says_no_while_it_is_needed_and_is_gone_afterwards(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with services_stay_stopped(str(policy)):
        assert subprocess.run([policy, "containerd", "start"]).returncode == 101
    assert not policy.exists()


def test_it_goes_when_the_installation_fails(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with pytest.raises(RuntimeError), services_stay_stopped(str(policy)):
        raise RuntimeError("apt-get failed")
    assert not policy.exists()


def test_an_administrators_own_policy_stands(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    with services_stay_stopped(str(policy)):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.exists()


def test_what_a_killed_set_up_left_behind_goes(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text(POLICY_TEXT)
    with services_stay_stopped(str(policy)):
        pass
    assert not policy.exists()

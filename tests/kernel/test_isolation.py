"""The harness itself: a kernel test sees nothing of the machine's network."""

import os
import subprocess

from tests.support.isolation import add_namespace


def test_a_kernel_test_starts_with_loopback_and_empty_folders() -> None:
    names = set(os.listdir("/sys/class/net"))
    assert "lo" in names
    assert not names & {"eth0", "cni0"}
    assert os.listdir("/var/lib/cni") == []
    path = add_namespace("pod")
    assert os.path.exists(path)
    seen = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True)
    assert seen.stdout.split() == ["pod"]

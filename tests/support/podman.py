"""Podman with its CNI backend, all of whose files are the test node's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.support.containment import Containment
from tests.support.image import IMAGE
from tests.support.waiting import until_told

HOME = Path("/run/podman-test")
CONTAINERS_CONF = """
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
default_network = "{network}"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
num_locks = 32
tmp_dir = "{home}/tmp"
static_dir = "{home}/static"
volume_path = "{home}/volumes"
"""
STORAGE_CONF = """
[storage]
driver = "vfs"
graphroot = "{home}/root"
runroot = "{home}/runroot"
"""


class Podman:
    """Podman's command, with the test image loaded.

    Args:
        containment: where its processes live.
        image: the docker-archive to load.
        network: the name, in the configuration folder, of the network containers join.
    """

    def __init__(self, containment: Containment, image: Path, network: str) -> None:
        self._containment = containment
        HOME.mkdir()
        containers, storage = HOME / "containers.conf", HOME / "storage.conf"
        containers.write_text(CONTAINERS_CONF.format(home=HOME, network=network))
        storage.write_text(STORAGE_CONF.format(home=HOME))
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(HOME),
            "TMPDIR": str(HOME),
            "CONTAINERS_CONF": str(containers),
            "CONTAINERS_STORAGE_CONF": str(storage),
        }
        self.command("load", "--quiet", "--input", str(image))

    def run(self, name: str, *command: str, ports: Sequence[str] = ()) -> None:
        """Start a container, detached, with host ports such as ``8080:80``."""
        parent = f"/{self._containment.cgroup}"
        given = [word for each in ports for word in ("--publish", each)]
        named = ("--name", name, "--cgroup-parent", parent)
        self.command("run", "-d", *named, *given, IMAGE, *command)

    def execute(self, name: str, *command: str) -> str:
        """Run a command in a running container, until it works and prints something: that.

        The server that it asks may not listen yet.
        """
        return until_told(lambda: self.command("exec", name, *command), " ".join(command))

    def remove(self, *names: str) -> None:
        """Kill containers and forget them; Podman calls DEL for each."""
        self.command("rm", "--force", "--time", "0", *names)

    def address(self, name: str) -> str:
        """The IPv4 address that Podman noted from ADD's result."""
        return self.command("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name).strip()

    def command(self, *arguments: str) -> str:
        """Run `podman` with these arguments; what it printed."""
        return self._containment.run(["podman", *arguments], environ=self._environ).stdout

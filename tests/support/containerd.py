"""containerd of one's own, and containers run through it by `ctr run --cni`.

containerd reads /etc/cni/net.d and /opt/cni/bin, which are the test node's own.
A detached `ctr run` calls ADD and nobody ever calls DEL: `ctr` does that only
for a container it waits for.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.containment import Containment
from tests.support.image import IMAGE
from tests.support.waiting import until_told, wait_until

HOME = Path("/run/containerd-test")
SOCKET = HOME / "containerd.sock"
CONFIG = f"""
version = 2
root = "{HOME}/root"
state = "{HOME}/state"
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
address = "{SOCKET}"
[ttrpc]
address = "{SOCKET}.ttrpc"
"""
NATIVE = ("--snapshotter", "native")


class Containerd:
    """A running containerd that holds the test image.

    Args:
        containment: where its processes live.
        image: the docker-archive to import.
    """

    def __init__(self, containment: Containment, image: Path) -> None:
        self._containment = containment
        self._environ = {"PATH": os.environ["PATH"], "CONTAINERD_ADDRESS": str(SOCKET)}
        HOME.mkdir()
        config = HOME / "config.toml"
        config.write_text(CONFIG)
        with open(HOME / "log", "wb") as log:
            command = ["containerd", "--config", str(config)]
            containment.start(command, environ=self._environ, log=log)
        wait_until(SOCKET.exists)
        self._ctr("images", "import", *NATIVE, str(image))

    def run(self, name: str, *command: str) -> None:
        """Start a container, detached, in the network that the configuration folder names."""
        cgroup = f"/{self._containment.cgroup}/{name}"
        self._ctr("run", "-d", "--cni", "--cgroup", cgroup, *NATIVE, IMAGE, name, *command)

    def run_to_end(self, name: str, *command: str) -> str:
        """Run a container until its command ends; what it printed."""
        cgroup = f"/{self._containment.cgroup}/{name}"
        return self._ctr("run", "--rm", "--cni", "--cgroup", cgroup, *NATIVE, IMAGE, name, *command)

    def execute(self, name: str, *command: str) -> str:
        """Run a command in a running container; what it printed.

        It is run again until it works and prints something: the server that it asks may not
        listen yet, and ctr may close the pipe before it has read what a short process wrote.
        """
        words = ("task", "exec", "--exec-id", f"in-{name}", name, *command)
        return until_told(lambda: self._ctr(*words), " ".join(command))

    def remove(self, name: str) -> None:
        """Kill a container and forget it. No DEL comes of this."""
        self._ctr("task", "rm", "--force", name)
        self._ctr("container", "rm", name)

    def netns(self, name: str) -> str:
        """The path under which ctr gave the container's namespace to CNI."""
        listed = self._ctr("task", "ls").splitlines()[1:]
        pids = {row.split()[0]: row.split()[1] for row in listed}
        return f"/proc/{pids[name]}/ns/net"

    def _ctr(self, *arguments: str) -> str:
        return self._containment.run(["ctr", *arguments], environ=self._environ).stdout

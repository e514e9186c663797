"""The executable as `dari install` puts it, called as a container runtime calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from dari.record import Record
from tests.support.waiting import PATIENCE

BIN_DIR = "/opt/cni/bin"
ELSEWHERE = "/run/elsewhere/net.d"
SECONDS = PATIENCE
WIRING = ("bridge", "host-local", "loopback")
CHAINED = ("portmap", "firewall", "tuning", "bandwidth")

Environ = Mapping[str, str] | Mapping[bytes, bytes]


class Answer(Record):
    """How a call ended.

    Attributes:
        status: the exit status; negative for a signal.
        stdout: what the runtime reads.
        stderr: what goes to a log.
    """

    status: int
    stdout: bytes
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """The result of an ADD that worked."""
        assert self.status == 0, f"{self.stdout!r} {self.stderr}"
        decoded = json.loads(self.stdout)
        assert isinstance(decoded, dict)
        return decoded

    @property
    def addresses(self) -> list[str]:
        """The addresses of a result of version 0.3.0 or later, without prefix lengths."""
        return [each["address"].partition("/")[0] for each in self.result["ips"]]


def install(
    conf_dir: str = ELSEWHERE, pod_ranges: Sequence[str] = (), names: Sequence[str] = WIRING
) -> None:
    """Install into BIN_DIR under several names.

    Args:
        conf_dir: where the conflist goes; no runtime looks into ELSEWHERE.
        pod_ranges: what it gives addresses from; without any there is no conflist.
        names: the plugins that it stands in for.
    """
    command = ["install", "--bin-dir", BIN_DIR, "--as", ",".join(names)]
    ranges = [word for each in pod_ranges for word in ("--pod-range", each)]
    subprocess.run(
        [sys.executable, "-m", "dari", *command, "--conf-dir", conf_dir, *ranges],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def environment(
    verb: str, container: str, netns: str, *, ifname: str = "eth0", args: str = ""
) -> dict[str, str]:
    """The variables that a runtime sets."""
    return {
        "PATH": os.environ["PATH"],
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": netns,
        "CNI_IFNAME": ifname,
        "CNI_ARGS": args,
        "CNI_PATH": BIN_DIR,
    }


def start(name: str, environ: Environ) -> subprocess.Popen[bytes]:
    """Start the executable; the caller gives it its configuration and waits.

    It starts in /run, the node's own, since a hostile configuration may name a
    folder relative to that.
    """
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [f"{BIN_DIR}/{name}"], env=environ, cwd="/run", stdin=pipe, stdout=pipe, stderr=pipe
    )


def call(name: str, environ: Environ, stdin: bytes) -> Answer:
    """Run the executable to its end; a hang fails after SECONDS."""
    with start(name, environ) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Answer(status=process.returncode, stdout=stdout, stderr=stderr.decode())

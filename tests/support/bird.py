"""A BIRD on a node of a test's cluster, with the owner's part of its configuration."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dari.agent.backends import BIRD_SOCKET
from tests.support.nodes import Node
from tests.support.waiting import wait_until

OWN_CONF = "/run/bird/bird.conf"
DARIS_PART = "/run/bird/dari.conf"
# What docs/backends.md tells a node's owner to have; IPv6 alone would need a router id.
OWNERS_PART = """\
router id 192.0.2.1;
protocol device { scan time 5; }
protocol kernel { scan time 2; ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel { scan time 2; ipv6 { import none; export where source = RTS_BGP; }; }
include "dari*.conf";
"""


@contextmanager
def bird(node: Node, conf: str = OWNERS_PART) -> Iterator[None]:
    """BIRD runs on the node."""
    daemon = start_bird(node, conf)
    try:
        yield
    finally:
        stop_bird(node, daemon)


def start_bird(node: Node, conf: str = OWNERS_PART) -> subprocess.Popen[bytes]:
    def start() -> subprocess.Popen[bytes]:
        Path("/run/bird").mkdir(exist_ok=True)
        Path(OWN_CONF).write_text(conf)
        with open(node.log.with_suffix(".bird"), "ab") as log:
            command = ["bird", "-f", "-c", OWN_CONF, "-s", BIRD_SOCKET, "-P", "/run/bird/pid"]
            return subprocess.Popen(command, stdout=log, stderr=log)

    daemon = node.do(start)
    wait_until(lambda: node.exists(BIRD_SOCKET) or daemon.poll() is not None, "BIRD listens")
    assert daemon.poll() is None, node.log.with_suffix(".bird").read_text()
    return daemon


def stop_bird(node: Node, daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    daemon.wait()
    node.do(lambda: Path(BIRD_SOCKET).unlink(missing_ok=True))

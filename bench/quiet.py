"""Waits until the kernel has cleaned up behind the nodes that were closed.

It does so in the background, one batch of namespaces after the other, and holds the
lock meanwhile that every change of a network needs. A namespace that is removed now
comes last in that queue: once its cable is gone from here, so is all before it.

May import: harness.
"""

from __future__ import annotations

import os
import subprocess
import time

from bench.harness import Node

_SOON = 0.3  # seconds that the last one takes if nothing is before it
_PATIENCE = 120.0  # seconds; whoever measures goes on then
_POLL = 0.01  # seconds
_CABLE = "/sys/class/net/watched"


def settle() -> None:
    """Return when no namespace waits to be cleaned up, or after two minutes."""
    node = Node()
    try:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and node.do(_remove_one, deadline) > _SOON:
            continue
    finally:
        node.close()


def _remove_one(deadline: float) -> float:
    for words in (
        ("netns", "add", "last"),
        ("link", "add", "watched", "type", "veth", "peer", "name", "far", "netns", "last"),
        ("netns", "delete", "last"),
    ):
        subprocess.run(["ip", *words], check=True)
    start = time.monotonic()
    while os.path.exists(_CABLE) and time.monotonic() < deadline:
        time.sleep(_POLL)
    return time.monotonic() - start

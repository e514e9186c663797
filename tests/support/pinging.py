"""Pings that go on while something is done, none of which may be lost."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.support.nodes import Node
from tests.support.waiting import PATIENCE


class Pinging:
    """A ping every 10 ms, and in the end how many came back.

    Args:
        node: where it is started.
        words: what `ping` is told: the target, and options.
        namespace: a named one of the node's, to start it in.
    """

    def __init__(self, node: Node, *words: str, namespace: str = "") -> None:
        inside = ["ip", "netns", "exec", namespace] if namespace else []
        command = [*inside, "ping", "-n", "-q", "-i", "0.01", *words]
        self._process = node.do(
            lambda: subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("PING")

    def stop(self) -> tuple[int, int]:
        """Sent and come back."""
        self._process.send_signal(signal.SIGINT)
        told, _ = self._process.communicate(timeout=PATIENCE)
        found = re.search(r"(\d+) packets transmitted, (\d+) received", told)
        assert found, told
        return int(found[1]), int(found[2])


def assert_none_lost(pinging: Sequence[Pinging]) -> None:
    """Stop them; each packet was answered."""
    for sent, received in [each.stop() for each in pinging]:
        print(f"{sent} pings, {sent - received} lost")
        # The last one may still be on its way when ping is told to stop.
        assert sent - received <= 1


@contextmanager
def none_lost(*pinging: Pinging) -> Iterator[None]:
    """They go on as long as the context does, and no packet is lost."""
    try:
        yield
    finally:
        assert_none_lost(pinging)

"""A node without a kernel, for tests of the edge: calls, and what they came to."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dari.cni.dispatch import respond
from dari.model import Request, Result
from dari.paths import Paths
from dari.wiring import registry
from dari.wiring.host import Host

ATTACHMENT = {
    "CNI_CONTAINERID": "web1",
    "CNI_NETNS": "/run/netns/not-there",
    "CNI_IFNAME": "eth0",
    "CNI_PATH": "/opt/cni/bin",
}
NEWEST = "1.1.0"


class FakeHost(Host):
    """A host whose plugin is `fake_plugin`, and which remembers what that was asked.

    Args:
        failure: what the plugin raises, if anything.
        result: what its ADD answers, if not its usual result.
    """

    def __init__(self, failure: Exception | None = None, result: Result | None = None) -> None:
        super().__init__(Paths(run="/not/there", host_local="/not/there"), {})
        self.calls: list[tuple[str, Request]] = []
        self.failure = failure
        self.result = result

    @property
    def verbs(self) -> list[str]:
        """The plugin's methods, in the order they were called."""
        return [verb for verb, _ in self.calls]

    def note(self, verb: str, request: Request) -> None:
        self.calls.append((verb, request))
        if self.failure is not None:
            raise self.failure


@contextmanager
def fake_type() -> Iterator[None]:
    """For as long as this lasts, dari has a plugin of type `fake`."""
    modules = registry.MODULES
    modules["fake"] = "tests.unit.cni.fake_plugin"
    try:
        yield
    finally:
        del modules["fake"]


def environ(command: str, **changes: str) -> dict[str, str]:
    """A runtime's environment for a verb; a variable given as "" is left out."""
    variables = {"CNI_COMMAND": command, **ATTACHMENT, **changes}
    return {name: value for name, value in variables.items() if value}


def config(version: str = NEWEST, **changes: object) -> dict[str, object]:
    """A configuration of type `fake`, valid for every verb."""
    return {
        "cniVersion": version,
        "name": "mynet",
        "type": "fake",
        "cni.dev/valid-attachments": [],
        **changes,
    }


class Answer:
    """Exit status, decoded stdout (None where there was nothing), and the log."""

    def __init__(self, status: int, said: bytes, log: str) -> None:
        self.status = status
        self.said: Any = json.loads(said) if said else None
        self.log = log

    @property
    def code(self) -> int:
        """The error's code; the whole error object is checked on the way."""
        assert self.status == 1
        assert set(self.said) == {"cniVersion", "code", "msg", "details"}
        assert self.said["msg"] and "Traceback" not in self.said["msg"] + self.said["details"]
        return int(self.said["code"])


def ask(
    variables: Mapping[str, str],
    stdin: bytes | dict[str, object],
    host: FakeHost | None = None,
    *,
    name: str = "dari",
) -> Answer:
    """One call, answered by a node on which the type `fake` exists."""
    node = host or FakeHost()
    log = io.StringIO()
    data = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
    with fake_type():
        status, said = respond(name, variables, data, log, lambda _: node)
    return Answer(status, said, log.getvalue())

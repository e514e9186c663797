"""A node on which the executable is called in every wrong way, and what must hold each time.

Whatever it is given, an answer is a result or one CNI error with a code that a
caller can act on; there is no traceback and no hang; and a call that failed has
changed nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.executable import WIRING, Answer, Environ, call, environment, install
from tests.support.isolation import add_namespace
from tests.support.networks import BRIDGE
from tests.support.snapshot import assert_unchanged, settled

CONF: dict[str, Any] = {**BRIDGE, "cniVersion": "1.0.0"}
STDIN = json.dumps(CONF).encode()
REWRITTEN = ("/last_reserved_ip.", "/run/dari/owners/")
INTERNAL = 999


def error_of(answer: Answer, *, internal: bool = False) -> dict[str, Any]:
    """The one error object that a failed call prints; fails where there is anything else.

    Args:
        answer: of a call that failed.
        internal: whether code 999 will do, which a caller can make nothing of.
    """
    assert answer.status == 1, answer
    assert "Traceback" not in answer.stderr, answer.stderr
    said = json.loads(answer.stdout)
    assert isinstance(said["cniVersion"], str) and said["msg"], said
    assert isinstance(said["code"], int) and said["code"] > 0, said
    assert internal or said["code"] != INTERNAL, said
    return dict(said)


class Node:
    """Installed, with a past: the bridge and the rule table are there.

    Args:
        names: the plugins that the executable stands in for.
    """

    def __init__(self, names: Sequence[str] = WIRING) -> None:
        install(names=names)
        self.netns = add_namespace("pod")
        self.add_and_delete(self.environ("ADD"), STDIN)
        self.settle()

    def settle(self) -> None:
        """Take what is there now for what must be there later."""
        self._before = settled()

    def environ(self, verb: str, container: str = "c1") -> dict[str, str]:
        """A correct environment."""
        return environment(verb, container, self.netns)

    def call(
        self, environ: Environ, stdin: bytes, name: str = "bridge", *, internal: bool = False
    ) -> int:
        """Call; the error's code, or 0. What failed must have changed nothing."""
        answer = call(name, environ, stdin)
        if answer.status == 0:
            return 0
        code = error_of(answer, internal=internal)["code"]
        self.assert_unchanged()
        assert isinstance(code, int)
        return code

    def add_and_delete(
        self, environ: Mapping[str, str], stdin: bytes, name: str = "bridge"
    ) -> None:
        """An ADD that must work, and its DEL."""
        added = call(name, environ, stdin)
        assert added.status == 0, added
        self.delete(environ, stdin, name)

    def delete(self, environ: Mapping[str, str], stdin: bytes, name: str = "bridge") -> None:
        """A DEL that must work."""
        deleted = call(name, {**environ, "CNI_COMMAND": "DEL"}, stdin)
        assert (deleted.status, deleted.stdout) == (0, b""), deleted

    def assert_unchanged(self) -> None:
        """Fail where anything differs from when the node was last settled."""
        assert_unchanged(self._before, REWRITTEN)

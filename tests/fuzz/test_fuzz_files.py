"""Hostile files where leases, masquerade entries and records are kept.

Somebody else's crash, a full disk or a wrong hand left them. The executable may
say what is wrong or cope; it may not hang on one, and a failed call may not
change the kernel.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.node import CONF, Node, error_of
from tests.support.executable import call
from tests.support.networks import LEASES
from tests.support.snapshot import Snapshot, snapshot

STDIN = json.dumps({**CONF, "cniVersion": "1.1.0"}).encode()
RUN = Path("/run/dari")
PLACES = (
    LEASES,
    LEASES.parent,
    LEASES / "lock",
    LEASES / "last_reserved_ip.0",
    LEASES / "10.22.0.3",
    LEASES / "10.22.0.300",
    LEASES / "..hidden",
    LEASES / os.fsdecode(b"\xff\xfe"),
    RUN,
    RUN / "masquerade",
    RUN / "masquerade" / "mynet.json",
    RUN / "masquerade" / "other.json",
    RUN / "attachments",
    RUN / "owners",
)
CODES = {5, 6, 7, 50, 101, 103, 104}


def write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def link_to(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "empty": write(b""),
    "binary": write(bytes(range(256)) * 16),
    "wrong json": write(b'{"sources": [7], "spared": {}}'),
    "wrong prefixes": write(b'{"sources": ["10.22.0.0/99"], "spared": ["; flush ruleset"]}'),
    "deep json": write(b"[" * 100_000),
    "large": write(b"x" * (2 << 20)),
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "endless": link_to("/dev/zero"),
    "dangling": link_to("/nowhere/at/all"),
}


def without(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_coped_with_or_named(kind: str) -> None:
    node = Node()
    before = kernel_of(snapshot())
    for place in (*PLACES, *records_of_a_pod(node)):
        aside = [(root, root.with_name(root.name + ".aside")) for root in (RUN, LEASES.parent)]
        for root, copy in aside:
            shutil.copytree(root, copy)
        without(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        HOSTILE[kind](place)
        try_calls(node)
        assert kernel_of(snapshot()) == before, f"changed by {kind} at {place}"
        for root, copy in aside:
            without(root)
            copy.rename(root)


def records_of_a_pod(node: Node) -> list[Path]:
    """The files that there are while a pod runs, by looking at one."""
    environ = node.environ("ADD")
    assert call("bridge", environ, STDIN).status == 0
    found = [Path(place, name) for place, _, names in os.walk(RUN) for name in names]
    node.delete(environ, STDIN)
    return sorted(set(found) - set(PLACES))


def try_calls(node: Node) -> None:
    """ADD, STATUS and DEL in such a place."""
    for verb in ("ADD", "STATUS", "DEL"):
        answer = call("bridge", node.environ(verb), STDIN)
        if answer.status != 0:
            assert error_of(answer)["code"] in CODES


def kernel_of(found: Snapshot) -> Snapshot:
    """A snapshot without the files."""
    return {key: value for key, value in found.items() if not key.startswith("/")}

"""Snapshots in files: taken on one machine, looked at on another.

May import: errors, files, jsontext, snapshot.codec, snapshot.model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from dari import jsontext
from dari.errors import IOFailure, Undecodable
from dari.files import read_bounded
from dari.snapshot.codec import decode, encode
from dari.snapshot.messages import _
from dari.snapshot.model import Machine, Snapshot

LARGEST = 256 << 20  # bytes; 100 nodes with 3,000 pods take a tenth of it
FORMAT, VERSION = "dari snapshot", 1


def as_text(snapshot: Snapshot) -> str:
    """A snapshot as JSON, on one line."""
    return json.dumps({"format": FORMAT, "version": VERSION, **encode(snapshot)})


def from_bytes(content: bytes, source: str) -> Snapshot:
    """Read what `as_text` wrote.

    Args:
        source: where it was read; named in errors.

    Raises:
        Undecodable: it is no snapshot, or of a later version.
    """
    document = jsontext.decode(content, source)
    if document.get("format") != FORMAT:
        raise Undecodable(
            _("{source}: not a snapshot").format(source=source), _("`dari snapshot` takes one")
        )
    if document.get("version") != VERSION:
        raise Undecodable(
            _("{source}: a snapshot of version {found!r}, not {version}").format(
                source=source, found=document.get("version"), version=VERSION
            ),
            _("take it anew with this dari"),
        )
    return decode(Snapshot, document, source)


def load(paths: Iterable[str]) -> Snapshot:
    """Read snapshots of one cluster's machines from files, as one.

    Raises:
        IOFailure: a file is not there, or cannot be read.
        Undecodable: one is no snapshot, or too large.
    """
    return merged(_load(path) for path in paths)


def _load(path: str) -> Snapshot:
    content = read_bounded(path, LARGEST + 1)
    if content is None:
        raise IOFailure(
            _("there is no file {path}").format(path=path),
            _("`dari snapshot > FILE` on each node makes one"),
        )
    if len(content) > LARGEST:
        raise Undecodable(_("{path}: larger than {most} bytes").format(path=path, most=LARGEST))
    return from_bytes(content, path)


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Several snapshots as one; of a machine that is in two, the one taken last counts.

    Two machines of one name that are not the same machine are both kept.
    """
    found: dict[tuple[str, str], Machine] = {}
    lab = ""
    for snapshot in snapshots:
        lab = lab or snapshot.lab
        for machine in snapshot.machines:
            key = machine.name, machine.host.boot_id if not snapshot.lab else ""
            if key not in found or found[key].host.time <= machine.host.time:
                found[key] = machine
    return Snapshot(machines=tuple(found.values()), lab=lab)

"""What is on disk of the things broken in a lab: beside the lab's own record.

It goes with the lab's folder, and a lab that was built anew has none of it.

May import: errors, files, record, and within lab: process, state; within lab.faults: scene.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from dari.files import write_whole
from dari.lab import process
from dari.lab.faults.scene import Cast
from dari.lab.state import Records, State
from dari.record import Record

_FILE = "exercises.json"
_PARTS = ("node", "peer", "pod", "mate", "far")


class Exercise(Record):
    """One thing that was broken and is not known to be mended.

    Attributes:
        fault: its name.
        secret: it is not named to whoever looks for it.
        told: how many of its hints were given.
    """

    fault: str
    cast: Cast
    secret: bool = False
    told: int = 0


class Notebook:
    """The exercises of one lab.

    Args:
        records: of this user's labs.
        state: the lab's.
    """

    def __init__(self, records: Records, state: State) -> None:
        self._path = f"{records.folder(state.options.name)}/{_FILE}"
        self._lab = process.encode(state.first)

    def read(self) -> tuple[Exercise, ...]:
        """All that is broken, in the order in which it was; nothing where the file is no good."""
        try:
            with open(self._path, encoding="utf-8") as stream:
                fields = json.load(stream)
            if fields["lab"] != self._lab:
                return ()
            return tuple(_decode(one) for one in fields["exercises"])
        except (OSError, ValueError, LookupError, TypeError):
            return ()

    def write(self, exercises: Sequence[Exercise]) -> None:
        """Keep these, and no others.

        Raises:
            IOFailure: the file cannot be written.
        """
        fields = {"lab": self._lab, "exercises": [_encode(one) for one in exercises]}
        write_whole(self._path, json.dumps(fields).encode())


def _encode(one: Exercise) -> dict[str, object]:
    cast = {part: getattr(one.cast, part) for part in _PARTS}
    return {"fault": one.fault, "cast": cast, "secret": one.secret, "told": one.told}


def _decode(fields: dict[str, object]) -> Exercise:
    cast = fields["cast"]
    if not isinstance(cast, dict):
        raise ValueError("an exercise without a cast")
    return Exercise(
        fault=str(fields["fault"]),
        cast=Cast(**{part: str(cast[part]) for part in _PARTS}),
        secret=bool(fields["secret"]),
        told=int(str(fields["told"])),
    )

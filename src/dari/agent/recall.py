"""Remembers configurations as they were read, and what was made of them.

A runtime passes the same text for every pod of a network. It is read once, and so
is what follows from the text alone, such as the ranges that addresses are leased from.

A text is known by its bytes, all of them; what is made of a configuration belongs to
that one object, which nobody changes. Threads may meet here: at worst, one of them reads
what another has read already.

May import: model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from dari.model import NetConf

T = TypeVar("T")

_MOST = 64  # configurations; a node has a few networks, and pods with settings of their own
_LONGEST = 16384  # bytes of one

_Made = dict[str, object]


class Recall:
    """Configurations by content and verb; when there are too many, all are forgotten."""

    def __init__(self) -> None:
        self._read: dict[tuple[bytes, str], NetConf] = {}
        self._made: dict[int, tuple[NetConf, _Made]] = {}

    def find(self, content: bytes, command: str) -> NetConf | None:
        """What `content` was read as for this verb, or None."""
        return self._read.get((content, command))

    def keep(self, content: bytes, command: str, conf: NetConf) -> None:
        """Remember that `content` reads as `conf` for this verb."""
        if len(content) > _LONGEST:
            return
        if len(self._read) >= _MOST:
            self._read, self._made = {}, {}
        self._made[id(conf)] = (conf, {})
        self._read[content, command] = conf

    def derive(self, conf: NetConf, what: str, make: Callable[[], T]) -> T:
        """What `make` makes of a configuration, made once where that is remembered.

        Args:
            conf: what it is made of, and of nothing else.
            what: tells it apart from other things that are made of the same.
            make: its errors are not remembered.
        """
        owner, made = self._made.get(id(conf), (None, {}))
        if owner is not conf:
            return make()
        if what not in made:
            made[what] = make()
        return cast("T", made[what])

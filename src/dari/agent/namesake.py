"""Notices another machine that goes by this node's name.

Two machines of one host name, or of one machine's image, would write each other's
record over and over, and share pod ranges. How it shows: what this node wrote is
there no more, and what is there tells of another place, by address and MAC.

One of them has to give way, and it should be the one that came later: it found a
record of another place when it first wrote its own. Where both came at once, the
one with the larger MAC gives way at the third meeting.

Pure; the clock is the caller's.

May import: record, store.record.
"""

from __future__ import annotations

from dari.store.record import NodeRecord

_TOLD_FOR = 60.0  # seconds after the last meeting
_PATIENCE = 3  # meetings


class Namesake:
    """What is known of the other one."""

    def __init__(self) -> None:
        self._wrote: NodeRecord | None = None
        self._came_later = False
        self._other: NodeRecord | None = None
        self._met = 0
        self._until = 0.0

    def wrote(self, record: NodeRecord, instead_of: NodeRecord | None) -> None:
        """This node's record was written.

        Args:
            instead_of: what was there before; None: nothing.
        """
        if self._wrote is None and instead_of is not None:
            self._came_later = _elsewhere(record, instead_of)
        self._wrote = record

    def saw(self, stored: NodeRecord | None, now: float) -> None:
        """This is there under the node's name; None: nothing is.

        Args:
            now: seconds, from any fixed moment.
        """
        if self._wrote is None or stored is None or not _elsewhere(self._wrote, stored):
            return
        self._other = stored
        self._met += 1
        self._until = now + _TOLD_FOR

    def problem(self, now: float) -> str:
        """In words, who it is; empty: there is none, or not for a while."""
        if self._other is None or now >= self._until:
            return ""
        addresses = " and ".join(map(str, self._other.addresses)) or "no address"
        return (
            f"another machine goes by the name {self._other.name} too, at {addresses} "
            f"(MAC {self._other.mac}): give one of them another --node-name"
        )

    def gives_way(self, stored: NodeRecord | None) -> bool:
        """Should the other one's record be left as it is?"""
        if self._wrote is None or stored is None or not _elsewhere(self._wrote, stored):
            return False
        return self._came_later or (self._met >= _PATIENCE and self._wrote.mac > stored.mac)


def _elsewhere(one: NodeRecord, other: NodeRecord) -> bool:
    """Are these two machines? One that has only moved keeps its MAC, or its address."""
    return (
        bool(one.mac and other.mac)
        and one.mac != other.mac
        and not set(one.addresses) & set(other.addresses)
    )

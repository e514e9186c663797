"""What a remote store holds of each node, decoded or not.

May import: errors, model, record, store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dari.errors import DariError, TryAgain, Undecodable
from dari.model import NodeName
from dari.record import Record
from dari.store.ranges import Claim
from dari.store.record import NodeRecord, decode, decode_ranges, parse_name

if TYPE_CHECKING:
    from dari.model import IPNetwork


class Entry(Record):
    """One node in a store.

    Attributes:
        name: as the store has it; a hostile one need not be a node's.
        revision: the store's count when it was last changed.
        record: None where there is none, or `trouble` says why it cannot be read.
        ranges: what the node holds; None where a damaged record hides it.
        birth: differs when the node was removed and made anew.
    """

    name: NodeName
    revision: int = 0
    record: NodeRecord | None = None
    trouble: str = ""
    ranges: tuple[IPNetwork, ...] | None = ()
    birth: str = ""


class Position(Record):
    """How far a store has counted, and which store it is.

    Attributes:
        witness: revision of the entry that was asked for along; 0: it is not there;
            -1: the store does not tell.
    """

    revision: int
    origin: str = ""
    witness: int = -1


class Snapshot(Record):
    """All entries at one moment."""

    position: Position
    entries: Mapping[NodeName, Entry]


def read_entry(
    name: NodeName, content: bytes, source: str, revision: int = 0, birth: str = ""
) -> Entry:
    """Decode a node's record, keeping of a damaged one what can be read.

    Args:
        name: under which the store has it.
        content: the record.
        source: names it in errors.
        revision: see `Entry`.
        birth: see `Entry`.
    """
    entry = Entry(name=name, revision=revision, birth=birth)
    try:
        parse_name(name, f"{source}: name")
        record = decode(content, source)
        if record.name != name:
            raise Undecodable(f"{source}: name: {record.name!r} has no place here")
    except DariError as error:
        return entry.replace(trouble=error.message, ranges=_ranges(content, source))
    return entry.replace(record=record, ranges=record.pod_ranges)


def _ranges(content: bytes, source: str) -> tuple[IPNetwork, ...] | None:
    try:
        return decode_ranges(content, source)
    except Undecodable:
        return None


def claims(entries: Iterable[Entry], but: NodeName, *, strict: bool) -> list[Claim]:
    """What all nodes but one hold.

    Args:
        entries: all nodes.
        but: whose claims do not count.
        strict: what a damaged record may hold counts.

    Raises:
        TryAgain: `strict`, and a record hides its ranges.
    """
    found: list[Claim] = []
    for entry in entries:
        if entry.name == but:
            continue
        if entry.ranges is None and strict:
            raise TryAgain(
                f"no range can be allotted, since a damaged record may hold any: {entry.trouble}",
                "mend or remove that record",
            )
        found += [Claim(node=entry.name, network=each) for each in entry.ranges or ()]
    return found

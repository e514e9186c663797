"""A table with its rows, as plain data.

May import: record.
"""

from __future__ import annotations

from dari.record import Record


class Row(Record):
    """One entry.

    Attributes:
        cells: in the order of the table's columns.
        why: what it is for, and whose it is.
        code: of the cause where it contradicts the records, such as ``DARI-404``.
    """

    cells: tuple[str, ...]
    why: str
    code: str = ""


class Line(Record):
    """A sentence about a table as a whole; `code` is of a cause where something is wrong."""

    text: str
    code: str = ""


class Table(Record):
    """One table.

    Attributes:
        purpose: in a few words, what such a table is.
        below: what is to be said of it as a whole, below its rows.
    """

    name: str
    purpose: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    below: tuple[Line, ...] = ()

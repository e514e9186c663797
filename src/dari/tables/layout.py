"""Tables as text and as JSON.

May import: tables.table, model, record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from dari.language import N_
from dari.record import Record
from dari.tables.messages import _
from dari.tables.table import Line, Row, Table

if TYPE_CHECKING:
    from dari.model import Json

WHY = N_("WHAT IT IS FOR")
_GAP = "  "


class Style(Record):
    """How text is set off: by colour on a terminal, not at all elsewhere."""

    colour: bool = False

    def strong(self, text: str) -> str:
        """A heading."""
        return self._code("1", text)

    def faint(self, text: str) -> str:
        """An aside."""
        return self._code("2", text)

    def good(self, text: str) -> str:
        """Something that is as it should be."""
        return self._code("32", text)

    def bad(self, text: str) -> str:
        """Something that is not."""
        return self._code("31", text)

    def _code(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows of equal length in columns, two spaces apart."""
    return [line.rstrip() for line in _aligned(rows)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
    return [_GAP.join(map(_padded, row, widths)) for row in rows]


def width_of(text: str) -> int:
    """Columns that a text takes on a terminal: two for each wide character (Unicode, UAX 11)."""
    return len(text) + sum(east_asian_width(each) in "WF" for each in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))


def render(table: Table, style: Style, width: int = 0) -> str:
    """A table with a heading and, for each row, what it is for.

    Args:
        width: characters that fit on a line, 0 for any number. Where not all rows
            fit, each explanation gets a line of its own.
    """
    table = table.replace(rows=tuple(map(_printable, table.rows)))
    heading = f"{style.strong(table.name)}{style.faint(f': {table.purpose}')}"
    below = [f"{_GAP}{_line(one, style)}" for one in table.below]
    return "\n".join([heading, *_rows(table, style, width), *below])


def _line(one: Line, style: Style) -> str:
    return style.bad(f"{one.code}: {one.text}") if one.code else style.faint(one.text)


def _rows(table: Table, style: Style, width: int) -> list[str]:
    if not table.rows:
        return [_GAP + _("empty")]
    head, *lines = _aligned([table.columns, *(row.cells for row in table.rows)])
    explained = [(head, _(WHY)), *zip(lines, (row.why for row in table.rows), strict=True)]
    widest = max(width_of(f"{_GAP}{line}{_GAP}{why}") for line, why in explained)
    if width and widest > width:
        return _below(table, style)
    shown = [
        f"{_GAP}{line}{_GAP}{(style.bad if row.code else style.faint)(row.why)}"
        for line, row in zip(lines, table.rows, strict=True)
    ]
    return [f"{_GAP}{style.faint(f'{head}{_GAP}{_(WHY)}')}", *shown]


def _printable(row: Row) -> Row:
    """A row without characters that move the cursor: links' names and aliases are anybody's."""
    why = f"{row.code}: {row.why}" if row.code else row.why
    return Row(cells=tuple(map(visible, row.cells)), why=visible(why), code=row.code)


def visible(text: str) -> str:
    """A text without characters that move the cursor."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _below(table: Table, style: Style) -> list[str]:
    head, *lines = columns([table.columns, *(row.cells for row in table.rows)])
    shown = [f"{_GAP}{style.faint(head)}"]
    for line, row in zip(lines, table.rows, strict=True):
        shown += [f"{_GAP}{line}", f"{_GAP * 3}{style.faint(row.why)}"]
    return shown


def as_json(table: Table) -> Json:
    """A table as an object: each row by column, and its ``why``."""
    return {
        "name": table.name,
        "purpose": table.purpose,
        "rows": [_row_as_json(table, row) for row in table.rows],
        "below": [{"text": line.text, "code": line.code} for line in table.below],
    }


def _row_as_json(table: Table, row: Row) -> Json:
    keys = [column.lower().replace(" ", "_") for column in table.columns]
    return {**dict(zip(keys, row.cells, strict=True)), "why": row.why, "code": row.code}

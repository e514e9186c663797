"""Tables as text and JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from dari.tables.layout import WHY, Style, as_json, columns, render
from dari.tables.table import Row, Table

TABLE = Table(
    name="route",
    purpose="where to",
    columns=("DESTINATION", "MADE BY"),
    rows=(
        Row(cells=("default", "static"), why="everything else"),
        Row(cells=("10.244.1.0/24", "dari"), why="pods"),
    ),
)


def test_explanations_stand_beside_their_rows() -> None:
    assert render(TABLE, Style()).splitlines() == [
        "route: where to",
        "  DESTINATION    MADE BY  WHAT IT IS FOR",
        "  default        static   everything else",
        "  10.244.1.0/24  dari     pods",
    ]


def test_where_they_do_not_fit_they_stand_below() -> None:
    assert render(TABLE, Style(), width=30).splitlines() == [
        "route: where to",
        "  DESTINATION    MADE BY",
        "  default        static",
        "      everything else",
        "  10.244.1.0/24  dari",
        "      pods",
    ]


def test_an_empty_table_says_so() -> None:
    assert render(TABLE.replace(rows=()), Style()) == "route: where to\n  empty"


def test_colour_changes_nothing_but_colour() -> None:
    coloured = render(TABLE, Style(colour=True))
    plain = coloured
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m"):
        plain = plain.replace(code, "")
    assert coloured != plain == render(TABLE, Style())


def test_json_has_each_row_by_column() -> None:
    assert json.loads(json.dumps(as_json(TABLE))) == {
        "name": "route",
        "purpose": "where to",
        "rows": [
            {"destination": "default", "made_by": "static", "why": "everything else", "code": ""},
            {"destination": "10.244.1.0/24", "made_by": "dari", "why": "pods", "code": ""},
        ],
        "below": [],
    }


CELLS = st.text(st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), max_size=12)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n))))
def test_columns_line_up(rows: list[list[str]]) -> None:
    lines = columns(rows)
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert line == line.rstrip()
        assert "".join(line.split()) == "".join(row)


@given(st.integers(0, 200))
def test_no_row_is_lost_at_any_width(width: int) -> None:
    text = render(TABLE, Style(), width)
    assert all(row.why in text and row.cells[0] in text for row in TABLE.rows)
    assert (WHY in text) == (width == 0 or width >= 41)

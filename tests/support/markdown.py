"""What a document is made of, for tests that hold documents together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dari.record import Record

_FENCE = re.compile(r"^ *```(\w*)$")
_HEADING = re.compile(r"^(#+) (.+)$")
_ITEM = re.compile(r"^ *(?:-|[0-9]+\.) ")
_LINK = re.compile(r"\]\((?![a-z]+:)([^)\s]+)\)")
_CODE = re.compile(r"`[^`]*`")
# As GitHub makes them: letters, digits, hyphens and underscores of any script.
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


class Block(Record):
    """A block of code; `language` is empty for what a program prints."""

    language: str
    lines: tuple[str, ...]


class Document(Record):
    """A page, taken apart.

    Attributes:
        levels: of its headings, in order.
        anchors: what a link may name after `#`.
        items: how many there are in its lists.
        tables: rows and columns of each, the heading and its rule counted.
        links: those that lead to a place of this repository, as written.
        code: what stands between backquotes.
    """

    levels: tuple[int, ...]
    anchors: frozenset[str]
    items: int
    tables: tuple[tuple[int, int], ...]
    blocks: tuple[Block, ...]
    links: tuple[str, ...]
    code: tuple[str, ...]


def read_document(path: Path) -> Document:
    """Take a page apart; what is in blocks of code is neither heading nor link."""
    blocks: list[Block] = []
    prose = [*_prose(path.read_text("utf-8").splitlines(), blocks)]
    headings = [found.groups() for line in prose if (found := _HEADING.match(line))]
    return Document(
        levels=tuple(len(marks) for marks, _title in headings),
        anchors=frozenset(_anchors([title for _marks, title in headings])),
        items=sum(bool(_ITEM.match(line)) for line in prose),
        tables=tuple(_tables(prose)),
        blocks=tuple(blocks),
        links=tuple(_LINK.findall(_CODE.sub("", "\n".join(prose)))),
        code=tuple(each.strip("`") for each in _CODE.findall("\n".join(prose))),
    )


def _prose(lines: list[str], blocks: list[Block]) -> Iterator[str]:
    """The lines outside of blocks; the blocks are put into `blocks`."""
    inside: list[str] | None = None
    language = ""
    for line in lines:
        fence = _FENCE.match(line)
        if inside is not None and fence:
            blocks.append(Block(language=language, lines=tuple(inside)))
            inside = None
        elif inside is not None:
            inside.append(line.strip())
        elif fence:
            inside, language = [], fence[1]
        else:
            yield line


def _anchors(titles: list[str]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for title in titles:
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
        anchor = _NOT_IN_ANCHORS.sub("", plain.lower()).replace(" ", "-")
        number = seen.get(anchor, 0)
        seen[anchor] = number + 1
        yield f"{anchor}-{number}" if number else anchor


def _tables(prose: list[str]) -> Iterator[tuple[int, int]]:
    rows: list[str] = []
    for line in [*prose, ""]:
        if line.lstrip().startswith("|"):
            rows.append(line)
        elif rows:
            yield len(rows), rows[1].count("|") - 1
            rows = []

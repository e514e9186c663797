"""Which documents quote the figures: all or one table of them, and in which language.

Pure but for `put`, which rewrites the documents.

May import: korean, report, record.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.korean import in_korean
from bench.report import put_between_markers
from dari.record import Record


class Quote(Record):
    """What one document quotes.

    Attributes:
        path: of the document, from the checkout.
        picture: path of the plot, as seen from the document; empty: no plot.
        title: the only table that it quotes, as a pattern; empty: all of them.
        korean: whether its readers read Korean.
    """

    path: str
    picture: str = ""
    title: str = ""
    korean: bool = False


PICTURE = "docs/figures.svg"
_NODES = "[0-9,]+ nodes"
QUOTES = (
    Quote(path="README.md", picture=PICTURE),
    Quote(path="README.ko.md", picture=PICTURE, korean=True),
    Quote(path="docs/scale.md", title=_NODES),
    Quote(path="docs/ko/scale.md", title=_NODES, korean=True),
)


def quoted(document: str, quote: Quote) -> str:
    """What a document says of the figures.

    Args:
        document: `bench.report.markdown` of a whole run.
        quote: which document.
    """
    body, where = document.rstrip("\n").rsplit("\n\n", 1)
    picture, *tables = re.split(r"^(?=### )", body + "\n\n", flags=re.MULTILINE)
    if quote.title:
        tables = [each for each in tables if re.match(f"### {quote.title}\n", each)]
    shown = re.sub(r"\([^)]*\)", f"({quote.picture})", picture) if quote.picture else ""
    text = f"{shown}{''.join(tables)}{where}\n"
    return in_korean(text) if quote.korean else text


def put(document: str, checkout: Path) -> None:
    """Write the figures into all documents that quote them.

    Raises:
        OSError, ValueError: a document is not there or has no marks; it is named.
    """
    for quote in QUOTES:
        try:
            put_between_markers(checkout / quote.path, quoted(document, quote))
        except ValueError as failure:
            raise ValueError(f"{quote.path}: {failure}") from failure

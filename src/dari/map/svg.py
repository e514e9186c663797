"""A drawing as SVG (W3C, SVG 1.1): for a document, or to be put into the page.

May import: map.layout, record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from xml.sax.saxutils import escape, quoteattr

from dari.map.layout import Box, Drawing, Line

_INDENT = 10
_LINE_HEIGHT = 17


def document(drawing: Drawing, title: str, description: str, path: Sequence[Line] = ()) -> str:
    """A whole file, with its colours in it.

    Args:
        title, description: for people who do not see it, too.
        path: lines to be laid over it.
    """
    style = files("dari.map").joinpath("static", "picture.css").read_text("utf-8")
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n{_open(drawing, title, description)}'
    return "\n".join([head, f"<style>{style}</style>", *_body(drawing, path), "</svg>", ""])


def fragment(drawing: Drawing, title: str, description: str) -> str:
    """The same for a page that has the colours already."""
    return "\n".join([_open(drawing, title, description), *_body(drawing, ()), "</svg>"])


def _open(drawing: Drawing, title: str, description: str) -> str:
    box = f"0 0 {drawing.width:g} {drawing.height:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="{box}" '
        f'width="{drawing.width:g}" height="{drawing.height:g}" role="img" '
        f'aria-labelledby="picture-title picture-description">\n'
        f'<title id="picture-title">{escape(title)}</title>\n'
        f'<desc id="picture-description">{escape(description)}</desc>'
    )


def _body(drawing: Drawing, path: Iterable[Line]) -> Iterator[str]:
    containers = [box for box in drawing.boxes if box.kind == "node"]
    yield from map(_box, containers)
    yield from map(_line, drawing.lines)
    yield from (_box(box) for box in drawing.boxes if box.kind != "node")
    yield '<g id="path">'
    yield from map(_line, path)
    yield "</g>"


def _box(box: Box) -> str:
    faulty = " faulty" if box.faulty else ""
    rounded = 6 if box.height > _LINE_HEIGHT else 2
    shape = (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" '
        f'rx="{rounded}"/>'
    )
    text = "".join(_text(box, place, line) for place, line in enumerate(box.lines))
    return (
        f'<g class="box {box.kind}{faulty}" data-id={quoteattr(box.id)}>'
        f"<title>{escape(box.title)}</title>{shape}{text}</g>"
    )


def _text(box: Box, place: int, line: str) -> str:
    if box.kind == "node":
        x, y, anchor = box.x + _INDENT, box.y + 19 + place * _LINE_HEIGHT, "start"
    else:
        first = box.middle[1] - (len(box.lines) - 1) * _LINE_HEIGHT / 2 + 4.5
        x, y, anchor = box.middle[0], first + place * _LINE_HEIGHT, "middle"
    strong = ' class="name"' if place == 0 and len(box.lines) > 1 else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{strong}>{escape(line)}</text>'


def _line(line: Line) -> str:
    shown = f'<path class="line {line.kind}" d="{line.data}"/>'
    if line.text:
        x, y = line.points[0]
        shown += f'<text class="line-text" x="{x + 4:g}" y="{y - 6:g}">{escape(line.text)}</text>'
    return shown

"""An explained way laid over the drawing, and told to the page. Pure.

May import: explain, map.layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dari.explain.journey import LOST, REFUSED, Hop, Journey
from dari.explain.show import verdict
from dari.map.layout import Box, Drawing, Line, Point

if TYPE_CHECKING:
    from dari.model import Json

THERE, BACK, STOPS = "way-there", "way-back", "way-stops"
_ON_BRIDGE = frozenset({"bridge", "fdb"})
_CROSS = 9.0  # pixels from the middle of the mark where a packet is lost to its ends
_ASIDE = 7.0  # pixels that the way back is drawn beside the way there


def told(journey: Journey, drawing: Drawing) -> Json:
    """A journey for the page: its hops in words, and the lines to be drawn."""
    hops = [*journey.there, *journey.back]
    return {
        "works": journey.works,
        "verdict": verdict(journey),
        "hops": [_hop(hop) for hop in hops],
        "findings": [one.as_json() for one in journey.findings],
        "path": [{"kind": line.kind, "d": line.data} for line in lines(journey, drawing)],
    }


def _hop(hop: Hop) -> Json:
    return {
        "where": hop.where,
        "what": hop.text,
        "row": hop.row,
        "code": hop.code,
        "stops": hop.verdict in (LOST, REFUSED),
    }


def lines(journey: Journey, drawing: Drawing) -> list[Line]:
    """The way there, the way back, and a cross where a packet is lost."""
    found = [*_way(journey.there, drawing, THERE, 0.0), *_way(journey.back, drawing, BACK, _ASIDE)]
    for hop in (*journey.there, *journey.back):
        if hop.verdict in (LOST, REFUSED) and (box := _box(hop, drawing)):
            found += _cross(box.middle)
            break
    return found


def _way(hops: Sequence[Hop], drawing: Drawing, kind: str, aside: float) -> Iterator[Line]:
    boxes: list[Box] = []
    for hop in hops:
        box = _box(hop, drawing)
        if box and (not boxes or boxes[-1].id != box.id):
            boxes.append(box)
    points = list(_points(boxes, drawing))
    if len(points) > 1:
        moved = tuple((x + aside, y + aside) for x, y in points)
        yield Line(kind=kind, points=moved)


def _points(boxes: Iterable[Box], drawing: Drawing) -> Iterator[Point]:
    """Through the middle of each box, and along a segment from one machine to the next."""
    before: Box | None = None
    for box in boxes:
        if before is not None and box.name != before.name:
            yield from (drop for each in (before, box) if (drop := _drop(each, drawing)))
        yield box.middle
        before = box


def _drop(box: Box, drawing: Drawing) -> Point | None:
    """Where a node's interface is joined to its segment; None for everything else."""
    if box.kind != "interface":
        return None
    ends = (one.points[-1] for one in drawing.lines if one.points[0] == box.bottom)
    return next(ends, None)


def _box(hop: Hop, drawing: Drawing) -> Box | None:
    """What a hop's row belongs to: a pod, a bridge, an interface, or a machine."""
    part = "bridge" if hop.step in _ON_BRIDGE else "interface"
    for kind in ("pod", part, "interface", "machine"):
        if box := drawing.box(f"{kind}:{hop.where}"):
            return box
    return None


def _cross(middle: Point) -> Iterator[Line]:
    x, y = middle
    for slope in (1, -1):
        ends = ((x - _CROSS, y - slope * _CROSS), (x + _CROSS, y + slope * _CROSS))
        yield Line(kind=STOPS, points=ends)

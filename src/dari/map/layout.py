"""Where each thing is drawn: boxes, lines, and the points that a path goes through. Pure.

Nodes stand in rows, by the segment of the nodes' network that they are on. Below each row runs
the segment's line, to which the nodes' interfaces are joined, and on the left a spine joins
the lines of a segment. Routers and hosts outside are below, joined to their spines. Few pods are
drawn with names and addresses, many as small squares.

May import: map.picture, record.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from dari.map.picture import NODE, Machine, Picture, Pod
from dari.record import Record

Point = tuple[float, float]

FEW_PODS = 60  # up to so many are drawn with their names
FEW_NODES = 8  # up to so many, the ways between them are drawn without being asked for
MARGIN = 24.0
_GAP = 22.0
_PAD = 12.0
_HEADING = 46.0
_BAR = 34.0
_LARGE = (128.0, 44.0, 2)  # a pod's width, height, and how many stand in a row
_SMALL = (13.0, 13.0, 10)
_SPINE = 18.0
_ARC = 26.0


class Box(Record):
    """A rectangle with lines of text in it.

    Attributes:
        id: `kind:name`; a machine's, bridge's, interface's or pod's.
        title: said of it when pointed at.
        faulty: to be shown as not working.
    """

    id: str
    kind: str
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...] = ()
    title: str = ""
    faulty: bool = False

    @property
    def name(self) -> str:
        """Whose it is, or what it is called."""
        return self.id.partition(":")[2]

    @property
    def middle(self) -> Point:
        """Its centre."""
        return (self.x + self.width / 2, self.y + self.height / 2)

    @property
    def top(self) -> Point:
        """The middle of its upper edge."""
        return (self.x + self.width / 2, self.y)

    @property
    def bottom(self) -> Point:
        """The middle of its lower edge."""
        return (self.x + self.width / 2, self.y + self.height)


class Line(Record):
    """A cable, a segment or a way. `text` stands beside its first point."""

    kind: str
    points: tuple[Point, ...]
    text: str = ""
    curved: bool = False

    @property
    def data(self) -> str:
        """The line as SVG has it (SVG 1.1, 8.3: path data)."""
        first, *others = (f"{x:g},{y:g}" for x, y in self.points)
        return f"M{first}{'Q' if self.curved else 'L'}{' '.join(others)}"


class Drawing(Record):
    """Everything placed, in pixels from the upper left; later things cover earlier ones."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]

    def box(self, id: str) -> Box | None:
        """The box of an id, such as ``pod:pod-1-1``."""
        return next((box for box in self.boxes if box.id == id), None)


def lay_out(picture: Picture) -> Drawing:
    """Place all of a picture."""
    return _Layout(picture).drawing()


class _Layout:
    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._pod_width, self._pod_height, self._in_a_row = (
            _LARGE if picture.pods <= FEW_PODS else _SMALL
        )
        self._boxes: list[Box] = []
        self._lines: list[Line] = []
        self._spines: dict[str, Point] = {}
        nodes = [machine for machine in picture.machines if machine.kind == NODE]
        self._nodes = nodes
        self._width = _PAD * 2 + max(220.0, self._grid_width())
        most = max((len(node.pods) for node in nodes), default=0)
        rows = math.ceil(most / self._in_a_row)
        self._grid_height = rows * (self._pod_height + 8)

    def drawing(self) -> Drawing:
        """Place rows of nodes by segment, then the rest, then the ways."""
        y = MARGIN + (_ARC * 2 if self._draws_ways() else 0)
        for segment, nodes in _by_segment(self._nodes):
            y = self._segment(segment, nodes, y)
        y = self._others(y)
        if self._draws_ways():
            self._ways()
        right = max((box.x + box.width for box in self._boxes), default=0.0)
        return Drawing(
            width=max(right, 400.0) + MARGIN,
            height=y + MARGIN,
            boxes=tuple(self._boxes),
            lines=tuple(self._lines),
        )

    def _grid_width(self) -> float:
        return self._in_a_row * (self._pod_width + 8) - 8

    def _draws_ways(self) -> bool:
        return 1 < len(self._nodes) <= FEW_NODES

    def _segment(self, segment: str, nodes: Sequence[Machine], y: float) -> float:
        """One segment's rows of nodes; returns where the next thing may begin."""
        per_row = _per_row(len(nodes))
        first = y
        spine = MARGIN + _SPINE * len(self._spines)
        for start in range(0, len(nodes), per_row):
            row = nodes[start : start + per_row]
            line_y = y + self._node_height() + _GAP
            self._row(row, y, line_y)
            right = self._left() + len(row) * (self._width + _GAP) - _GAP
            text = segment if start == 0 else ""
            self._lines.append(
                Line(kind="segment", points=((spine, line_y), (right, line_y)), text=text)
            )
            last, y = line_y, line_y + _GAP * 2
        if len(nodes) > per_row:
            top = first + self._node_height() + _GAP
            self._lines.append(Line(kind="segment", points=((spine, top), (spine, last))))
        self._spines[segment] = (spine, last)
        return y

    def _left(self) -> float:
        segments = len({_segment_of(node) for node in self._nodes})
        return MARGIN + _SPINE * segments

    def _node_height(self) -> float:
        return _HEADING + self._grid_height + _BAR * 2 + _PAD * 3

    def _row(self, row: Iterable[Machine], y: float, line_y: float) -> None:
        for place, node in enumerate(row):
            x = self._left() + place * (self._width + _GAP)
            interface = self._node(node, x, y)
            end = (interface.bottom[0], line_y)
            self._lines.append(Line(kind="cable", points=(interface.bottom, end)))

    def _node(self, node: Machine, x: float, y: float) -> Box:
        inner = self._width - _PAD * 2
        self._boxes.append(
            Box(
                id=f"machine:{node.name}",
                kind="node",
                x=x,
                y=y,
                width=self._width,
                height=self._node_height(),
                lines=(node.name, node.state or ", ".join(node.ranges)),
                title=f"{node.name}: {', '.join(node.ranges)}",
                faulty=bool(node.state),
            )
        )
        bar_y = y + _HEADING + self._grid_height + _PAD
        bridge = Box(
            id=f"bridge:{node.name}",
            kind="bridge",
            x=x + _PAD,
            y=bar_y,
            width=inner,
            height=_BAR,
            lines=(_bar(node.bridge, node.gateways),),
            title=f"{node.bridge} {', '.join(node.gateways)}",
            faulty=not node.gateways,
        )
        interface = bridge.replace(
            id=f"interface:{node.name}",
            kind="interface",
            y=bar_y + _BAR + _PAD,
            lines=(_bar(node.interface, node.addresses),),
            title=f"{node.interface} {', '.join(node.addresses)}",
            faulty=not node.addresses,
        )
        self._pods(node, x + _PAD, y + _HEADING, bridge)
        if node.bridge:
            self._boxes.append(bridge)
            self._lines.append(Line(kind="inside", points=(bridge.bottom, interface.top)))
        self._boxes.append(interface)
        return interface

    def _pods(self, node: Machine, x: float, y: float, bridge: Box) -> None:
        for place, pod in enumerate(node.pods):
            box = self._pod(pod, x, y, place)
            self._boxes.append(box)
            if self._pod_width == _LARGE[0] and pod.plugged:
                side = x + (place % self._in_a_row) * (self._pod_width + 8)
                edge = side + self._pod_width + 4 if place % 2 == 0 else side - 4
                start = (edge - 4 if place % 2 == 0 else edge + 4, box.middle[1])
                points = (start, (edge, box.middle[1]), (edge, bridge.y))
                self._lines.append(Line(kind="cable", points=points))

    def _pod(self, pod: Pod, x: float, y: float, place: int) -> Box:
        named = self._pod_width == _LARGE[0]
        return Box(
            id=f"pod:{pod.name}",
            kind="pod",
            x=x + (place % self._in_a_row) * (self._pod_width + 8),
            y=y + (place // self._in_a_row) * (self._pod_height + 8),
            width=self._pod_width,
            height=self._pod_height,
            lines=(_short(pod.name, 17), *pod.addresses[:1]) if named else (),
            title=f"{pod.name}: {', '.join(pod.addresses)}",
            faulty=pod.faulty,
        )

    def _others(self, y: float) -> float:
        others = [machine for machine in self._picture.machines if machine.kind != NODE]
        for place, machine in enumerate(others):
            width = max(220.0, 8.0 * len(_bar("", machine.addresses)))
            box = Box(
                id=f"machine:{machine.name}",
                kind=machine.kind,
                x=self._left() + place * (width + _GAP * 3),
                y=y + _GAP,
                width=width,
                height=_HEADING,
                lines=(machine.name, _bar("", machine.addresses)),
                title=f"{machine.name}: {', '.join(machine.addresses)}",
                faulty=bool(machine.state),
            )
            self._boxes.append(box)
            self._join(machine, box)
        return y + (_HEADING + _GAP * 2 if others else 0)

    def _join(self, machine: Machine, box: Box) -> None:
        """Join a machine to the lines of its segments; a segment of its own gets none."""
        joined = [each for each in machine.segments if each in self._spines]
        for place, segment in enumerate(joined):
            x, y = self._spines[segment]
            at = box.y + box.height * (place + 1) / (len(joined) + 1)
            self._lines.append(Line(kind="cable", points=((x, y), (x, at), (box.x, at))))
        if joined or not machine.segments:
            return
        for other in self._picture.machines:
            beside = self._find(f"machine:{other.name}")
            if beside and beside.id != box.id and set(other.segments) & set(machine.segments):
                points = ((beside.x + beside.width, beside.middle[1]), (box.x, box.middle[1]))
                self._lines.append(Line(kind="cable", points=points))
                return

    def _find(self, id: str) -> Box | None:
        return next((box for box in self._boxes if box.id == id), None)

    def _ways(self) -> None:
        """One arc above two nodes of a row, whichever way it is sent."""
        seen: set[frozenset[str]] = set()
        for way in self._picture.ways:
            pair = frozenset((way.source, way.target))
            ends = [self._find(f"machine:{name}") for name in (way.source, way.target)]
            first, second = ends
            if pair in seen or first is None or second is None or first.y != second.y:
                continue
            seen.add(pair)
            high = first.y - _ARC * 1.6
            over = ((first.top[0] + second.top[0]) / 2, high)
            self._lines.append(
                Line(kind=way.kind, points=(first.top, over, second.top), curved=True)
            )


def _by_segment(nodes: Sequence[Machine]) -> Iterator[tuple[str, list[Machine]]]:
    groups: dict[str, list[Machine]] = {}
    for node in nodes:
        groups.setdefault(_segment_of(node), []).append(node)
    yield from groups.items()


def _segment_of(machine: Machine) -> str:
    return machine.segments[0] if machine.segments else ""


def _per_row(count: int) -> int:
    """Up to four beside each other; more are laid out twice as wide as they are high."""
    return count if count <= 4 else max(4, math.ceil(math.sqrt(count * 1.6)))


def _bar(name: str, addresses: Sequence[str]) -> str:
    return "  ".join([*([name] if name else []), *addresses[:2]])


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"

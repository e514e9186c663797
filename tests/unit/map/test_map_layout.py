"""Where things are drawn: all of them, none over another."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.map.layout import Box, Drawing, lay_out
from dari.map.picture import Picture
from tests.unit.map.pictures import cluster

SHAPES = st.builds(cluster, st.integers(1, 12), st.integers(0, 25), routed=st.booleans())


def overlap(one: Box, other: Box) -> bool:
    """Do two boxes have more than an edge in common?"""
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def boxes(drawing: Drawing, *kinds: str) -> list[Box]:
    return [box for box in drawing.boxes if box.kind in kinds]


@given(SHAPES)
def test_every_machine_and_pod_is_drawn_once(picture: Picture) -> None:
    ids = [box.id for box in lay_out(picture).boxes]
    assert len(ids) == len(set(ids))
    for machine in picture.machines:
        assert f"machine:{machine.name}" in ids
        assert all(f"pod:{pod.name}" in ids for pod in machine.pods)


@given(SHAPES)
def test_nothing_is_drawn_over_another_or_outside(picture: Picture) -> None:
    drawing = lay_out(picture)
    for kinds in (("node", "router", "outside"), ("pod", "bridge", "interface")):
        for one, other in combinations(boxes(drawing, *kinds), 2):
            assert not overlap(one, other), (one.id, other.id)
    for box in drawing.boxes:
        assert box.x >= 0 and box.x + box.width <= drawing.width
        assert box.y >= 0 and box.y + box.height <= drawing.height


@given(SHAPES)
def test_what_a_node_has_is_drawn_in_it(picture: Picture) -> None:
    drawing = lay_out(picture)
    for machine in picture.machines:
        outer = drawing.box(f"machine:{machine.name}")
        assert outer
        for inner in (drawing.box(f"pod:{pod.name}") for pod in machine.pods):
            assert inner and outer.x < inner.x and inner.x + inner.width < outer.x + outer.width
            assert outer.y < inner.y and inner.y + inner.height < outer.y + outer.height


@pytest.mark.parametrize("routed", [False, True])
def test_every_machine_is_joined_to_a_line(routed: bool) -> None:
    drawing = lay_out(cluster(4, 2, routed=routed))
    ends = {point for line in drawing.lines if line.kind == "cable" for point in line.points}
    for box in boxes(drawing, "interface", "outside", "router"):
        edges = {box.bottom, *((x, y) for x, y in ends if x in (box.x, box.x + box.width))}
        assert edges & ends, box.id


def test_ways_between_few_nodes_are_drawn_and_between_many_are_not() -> None:
    few, many = lay_out(cluster(3, 2)), lay_out(cluster(20, 2))
    assert len([line for line in few.lines if line.kind == "route"]) == 3
    assert not [line for line in many.lines if line.kind == "route"]


def test_many_pods_are_small() -> None:
    large = boxes(lay_out(cluster(3, 6)), "pod")
    small = boxes(lay_out(cluster(100, 30)), "pod")
    assert len(small) == 3000
    assert all(box.lines for box in large) and not any(box.lines for box in small)

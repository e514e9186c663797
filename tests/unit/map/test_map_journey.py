"""An explained way, drawn through what it passes, and ending where the packet does."""

from __future__ import annotations

from ipaddress import ip_address

from dari.explain.journey import LOST, End, Flow, Hop, Journey
from dari.map.journey import BACK, STOPS, THERE, lines, told
from dari.map.layout import Drawing, lay_out
from tests.unit.map.pictures import cluster

WAY = (
    ("pod-1-1", "route"),
    ("node1", "bridge"),
    ("node1", "route"),
    ("node2", "route"),
    ("node2", "bridge"),
    ("pod-2-1", "deliver"),
)


def hops(*way: tuple[str, str], last: str = "passes") -> tuple[Hop, ...]:
    found = [Hop(where=where, step=step, row="a row", text="does it") for where, step in way]
    return (*found[:-1], found[-1].replace(verdict=last))


def journey(there: tuple[Hop, ...], back: tuple[Hop, ...] = ()) -> Journey:
    source = End(name="pod-1-1", address=ip_address("10.244.1.2"))
    target = End(name="pod-2-1", address=ip_address("10.244.2.2"))
    return Journey(source=source, target=target, flow=Flow(), there=there, back=back)


def middle(drawing: Drawing, name: str) -> tuple[float, float]:
    box = drawing.box(name)
    assert box
    return box.middle


def test_a_way_goes_through_pods_bridges_and_interfaces_and_along_the_segment() -> None:
    drawing = lay_out(cluster(2, 2))
    (there, back) = lines(journey(hops(*WAY), hops(*reversed(WAY))), drawing)
    assert (there.kind, back.kind) == (THERE, BACK)
    assert there.points[0] == middle(drawing, "pod:pod-1-1")
    assert there.points[-1] == middle(drawing, "pod:pod-2-1")
    for passed in ("bridge:node1", "interface:node1", "interface:node2", "bridge:node2"):
        assert middle(drawing, passed) in there.points
    (segment,) = [line for line in drawing.lines if line.kind == "segment"]
    assert [y for _, y in there.points].count(segment.points[0][1]) == 2


def test_where_a_packet_is_lost_there_is_a_cross() -> None:
    drawing = lay_out(cluster(2, 2))
    found = lines(journey(hops(*WAY[:3], last=LOST)), drawing)
    crosses = [line for line in found if line.kind == STOPS]
    assert len(crosses) == 2
    for (left, up), (right, down) in (line.points for line in crosses):
        assert ((left + right) / 2, (up + down) / 2) == middle(drawing, "interface:node1")


def test_a_router_and_unknown_places_are_passed_as_they_are() -> None:
    drawing = lay_out(cluster(2, 2, routed=True))
    way = (*WAY[:3], ("router", "route"), ("somewhere", "route"), *WAY[3:])
    (there,) = lines(journey(hops(*way)), drawing)
    assert middle(drawing, "machine:router") in there.points


def test_the_page_is_told_each_hop_and_what_is_to_be_drawn() -> None:
    shown = told(journey(hops(*WAY[:2], last=LOST)), lay_out(cluster(2, 2)))
    assert shown["verdict"] == "It does not arrive at pod-2-1." and shown["works"] is False
    assert shown["hops"] == [
        {"where": "pod-1-1", "what": "does it", "row": "a row", "code": "", "stops": False},
        {"where": "node1", "what": "does it", "row": "a row", "code": "", "stops": True},
    ]
    assert [line["kind"] for line in shown["path"]] == [THERE, STOPS, STOPS]  # type: ignore[attr-defined]

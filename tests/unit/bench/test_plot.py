"""The plot: well-formed, everything in it and nothing outside of it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import Bar
from bench.plot import duration, plot, scale_for

SVG = "{http://www.w3.org/2000/svg}"
MILLISECONDS = st.floats(min_value=0.01, max_value=1e6)
BARS = st.lists(st.builds(Bar, label=st.just("a & <b>"), theirs=MILLISECONDS, ours=MILLISECONDS))


@given(BARS)
def test_bars_lie_inside_of_the_picture_and_keep_their_order(bars: list[Bar]) -> None:
    root = ElementTree.fromstring(plot(bars))
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    drawn = {
        kind: [
            float(each.attrib["width"])
            for each in root.iter(f"{SVG}rect")
            if each.attrib["class"] == kind
        ][1:]
        for kind in ("theirs", "ours")
    }
    assert len(drawn["theirs"]) == len(drawn["ours"]) == len(bars)
    for bar, theirs, ours in zip(bars, drawn["theirs"], drawn["ours"], strict=True):
        assert (theirs >= ours) if bar.theirs >= bar.ours else (theirs <= ours)
    for each in root.iter(f"{SVG}rect"):
        x, y = float(each.attrib["x"]), float(each.attrib["y"])
        assert 0 <= x <= x + float(each.attrib["width"]) <= width
        assert 0 <= y <= y + float(each.attrib["height"]) <= height


def test_values_on_a_decade_have_a_scale_of_their_own() -> None:
    scale = scale_for([Bar(label="", theirs=10.0, ours=10.0)])
    assert (scale.low, scale.high) == (1, 2)
    assert scale.x(10.0) < scale.x(50.0) < scale.x(100.0)


def test_both_modes_have_colours() -> None:
    text = plot([Bar(label="one ADD", theirs=48.0, ours=5.0)])
    assert "prefers-color-scheme: dark" in text
    assert "48 ms" in text and "5 ms" in text and "one ADD" in text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0.81234, "0.812 ms"),
        (48.04, "48 ms"),
        (999.4, "999 ms"),
        (999.6, "1 s"),
        (8210.0, "8.21 s"),
    ],
)
def test_durations_have_a_unit_that_suits(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text

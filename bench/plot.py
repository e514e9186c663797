"""The plot for the README: horizontal bars on a logarithmic scale, as SVG written by hand.

Logarithmic, since what is compared reaches from one millisecond to half a minute.
Colours come from style rules, so that the picture suits light and dark pages. Pure.

May import: figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from bench.figures import Bar
from dari.record import Record

_WIDTH, _LEFT, _RIGHT = 760, 190, 70  # of the picture, left and right of the bars; pixels
_TOP, _BOTTOM = 48, 30
_BAR, _GROUP = 14, 46  # height of a bar, and from one pair of bars to the next
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .small { font-size: 11px; fill: #59636e; }
  .theirs { fill: #8c959f; }
  .ours { fill: #0969da; }
  .line { stroke: #d1d9e0; stroke-width: 1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .theirs { fill: #656c76; }
    .ours { fill: #4493f8; }
    .line { stroke: #3d444d; }
  }
"""


class Scale(Record):
    """A logarithmic scale over whole decades: 10 to the power of `low` up to `high`."""

    low: int
    high: int

    def x(self, value: float) -> float:
        """Pixels from the picture's left edge."""
        share = (log10(value) - self.low) / (self.high - self.low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def scale_for(bars: Sequence[Bar]) -> Scale:
    """Whole decades around all values; one decade where there are none."""
    values = [value for bar in bars for value in (bar.theirs, bar.ours) if value > 0] or [1.0]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return Scale(low=low, high=max(high, low + 1))


def plot(bars: Sequence[Bar]) -> str:
    """The picture.

    Args:
        bars: what is compared, in milliseconds over 0, from top to bottom.
    """
    scale = scale_for(bars)
    height = _TOP + _GROUP * len(bars) + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" aria-labelledby="title">',
        '<title id="title">dari beside the reference plugins: less is faster</title>',
        f"<style>{_STYLE}</style>",
        *_legend(),
        *_grid(scale, height),
        *(line for place, bar in enumerate(bars) for line in _pair(scale, place, bar)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _legend() -> list[str]:
    return [
        f'<rect class="theirs" x="{_LEFT}" y="12" width="12" height="12"/>',
        f'<text x="{_LEFT + 18}" y="22">reference plugins</text>',
        f'<rect class="ours" x="{_LEFT + 150}" y="12" width="12" height="12"/>',
        f'<text x="{_LEFT + 168}" y="22">dari, through its agent</text>',
        f'<text class="small" x="{_WIDTH - _RIGHT}" y="22" text-anchor="end">'
        "logarithmic; less is faster</text>",
    ]


def _grid(scale: Scale, height: int) -> list[str]:
    lines = []
    for power in range(scale.low, scale.high + 1):
        x = scale.x(10.0**power)
        bottom = height - _BOTTOM
        lines += [
            f'<line class="line" x1="{x:.1f}" y1="{_TOP - 12}" x2="{x:.1f}" y2="{bottom}"/>',
            f'<text class="small" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">'
            f"{duration(10.0**power)}</text>",
        ]
    return lines


def _pair(scale: Scale, place: int, bar: Bar) -> list[str]:
    top = _TOP + place * _GROUP
    label = (
        f'<text x="{_LEFT - 12}" y="{top + _BAR + 5}" text-anchor="end">{escape(bar.label)}</text>'
    )
    return [
        label,
        *_bar(scale, top, "theirs", bar.theirs),
        *_bar(scale, top + _BAR + 2, "ours", bar.ours),
    ]


def _bar(scale: Scale, top: int, kind: str, value: float) -> list[str]:
    end = scale.x(value)
    return [
        f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{end - _LEFT:.1f}" '
        f'height="{_BAR}" rx="2"/>',
        f'<text class="small" x="{end + 6:.1f}" y="{top + _BAR - 3}">{duration(value)}</text>',
    ]


def duration(milliseconds: float) -> str:
    """Three digits at most, in the unit that suits: ``0.8 ms``, ``48 ms``, ``8.2 s``."""
    if milliseconds < 999.5:
        return f"{milliseconds:.3g} ms"
    return f"{milliseconds / 1000:.3g} s"

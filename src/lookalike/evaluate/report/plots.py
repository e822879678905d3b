"""Plots as SVG text, drawn by hand: lines over two axes, two distributions, an interval.

Colours come from the page's style (classes ``s1`` .. ``s3``), so that plots follow light and dark; dashes tell the
series apart without colour. A description for screen readers is part of each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

__all__ = ["Axis", "Line", "interval", "line_chart", "share_chart"]

Floats = npt.NDArray[np.float64]

WIDTH, HEIGHT = 400, 290
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 12, 44
UNIT_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values, and where on the plot they lie.

    Attributes:
        label: what it measures.
        low, high: its ends; low < high, both > 0 for ``log``.
        ticks: the values that are written beside it.
        log: equal steps are equal ratios.
    """

    label: str
    low: float = 0.0
    high: float = 1.0
    ticks: Sequence[float] = UNIT_TICKS
    log: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies: 0 at the low end, 1 at the high end."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return (at - low) / (high - low)

    def across(self, value: float) -> float:
        """Return the x of a value, for the horizontal axis."""
        return LEFT + self.place(value) * (WIDTH - LEFT - RIGHT)

    def up(self, value: float) -> float:
        """Return the y of a value, for the vertical axis."""
        return HEIGHT - BOTTOM - self.place(value) * (HEIGHT - TOP - BOTTOM)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One series: a name for the legend, and its points, x (N,) and y (N,)."""

    name: str
    x: Floats
    y: Floats
    dots: bool = False


def line_chart(lines: Sequence[Line], *, name: str, x: Axis, y: Axis) -> str:
    """Draw up to three lines; ``name`` is what a screen reader says of the plot."""
    drawn = []
    for number, line in enumerate(lines, start=1):
        places = [f"{x.across(a):.1f},{y.up(b):.1f}" for a, b in zip(line.x.tolist(), line.y.tolist(), strict=True)]
        drawn.append(f'<polyline class="line s{number}" points="{" ".join(places)}"/>')
        if line.dots:
            drawn += [f'<circle class="dot s{number}" cx="{a}" cy="{b}" r="3.5"/>' for a, b in _split(places)]
    return _svg(name, [*_frame(x, y), *drawn]) + _legend([line.name for line in lines])


def share_chart(edges: Floats, shares: Sequence[Floats], names: Sequence[str], *, name: str, label: str) -> str:
    """Draw distributions over the same bins: edges (B + 1,) and, for each, its shares (B,), as outlined steps."""
    top = max((float(part.max(initial=0)) for part in shares), default=0) or 1.0
    step = _round_step(float(edges[-1] - edges[0]) / 5)
    first, last = math.ceil(edges[0] / step), math.floor(edges[-1] / step)
    ticks = [round(number * step, 10) for number in range(first, last + 1)]
    rise = _round_step(top / 4)
    x = Axis(label, float(edges[0]), float(edges[-1]), ticks)
    y = Axis("share of them", 0.0, top * 1.05, [round(n * rise, 10) for n in range(math.floor(top * 1.05 / rise) + 1)])
    drawn = []
    for number, part in enumerate(shares, start=1):
        corners = [(edges[0], 0.0)]
        for left, right, height in zip(edges[:-1].tolist(), edges[1:].tolist(), part.tolist(), strict=True):
            corners += [(left, height), (right, height)]
        corners.append((edges[-1], 0.0))
        places = " ".join(f"{x.across(a):.1f},{y.up(b):.1f}" for a, b in corners)
        drawn.append(f'<polygon class="area s{number}" points="{places}"/>')
    return _svg(name, [*_frame(x, y, percent=True), *drawn]) + _legend(names)


def interval(value: float, low: float, high: float, *, axis: Axis, width: int = 160) -> str:
    """Draw a value with its interval as a small bar on a scale; what it shows stands beside it as text."""
    spots = {
        key: 6 + axis.place(min(max(v, axis.low), axis.high)) * (width - 12) for key, v in _known(value, low, high)
    }
    zero = 6 + axis.place(0.0) * (width - 12) if axis.low <= 0 <= axis.high else 6
    parts = [f'<line class="rail" x1="6" x2="{width - 6}" y1="10" y2="10"/>']
    if axis.low < 0:
        parts.append(f'<line class="rail" x1="{zero:.1f}" x2="{zero:.1f}" y1="3" y2="17"/>')
    if "low" in spots and "high" in spots:
        parts.append(f'<line class="span" x1="{spots["low"]:.1f}" x2="{spots["high"]:.1f}" y1="10" y2="10"/>')
    if "value" in spots:
        parts.append(f'<circle class="point" cx="{spots["value"]:.1f}" cy="10" r="4.5"/>')
    return f'<svg class="interval" viewBox="0 0 {width} 20" aria-hidden="true">{"".join(parts)}</svg>'


def _known(value: float, low: float, high: float) -> list[tuple[str, float]]:
    return [(key, v) for key, v in (("value", value), ("low", low), ("high", high)) if not math.isnan(v)]


def _split(places: Sequence[str]) -> list[tuple[str, str]]:
    return [(a, b) for a, _, b in (place.partition(",") for place in places)]


def _frame(x: Axis, y: Axis, *, percent: bool = False) -> list[str]:
    parts = []
    for tick in y.ticks:
        at = y.up(tick)
        text = f"{tick:.0%}" if percent and tick >= 0.01 else f"{tick:g}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    for tick in x.ticks:
        at = x.across(tick)
        parts.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{base}" y2="{base + 4}"/>')
        parts.append(f'<text x="{at:.1f}" y="{base + 18}" text-anchor="middle">{tick:g}</text>')
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x.label)}</text>')
    height = TOP + (HEIGHT - TOP - BOTTOM) / 2
    turned = f'transform="rotate(-90 13 {height:.1f})"'
    parts.append(f'<text x="13" y="{height:.1f}" text-anchor="middle" {turned}>{escape(y.label)}</text>')
    return parts


def _svg(name: str, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg class="plot" {size} role="img" aria-label="{escape(name)}">{"".join(parts)}</svg>'


def _legend(names: Sequence[str]) -> str:
    keys = []
    for number, name in enumerate(names, start=1):
        line = f'<line class="line s{number}" x1="0" x2="28" y1="5" y2="5"/>'
        keys.append(f'<li><svg class="key" viewBox="0 0 28 10" aria-hidden="true">{line}</svg>{escape(name)}</li>')
    return f'<ul class="legend">{"".join(keys)}</ul>'


def _round_step(least: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))

"""The reliability plot: what was predicted against what was observed, as an SVG or PNG file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..errors import BadInput, StorageFailed
from .calibrate import Bins

__all__ = ["save_reliability"]

SIDE, LEFT, TOP, PLOT = 480, 64, 44, 380  # pixels: of the picture, and where the plot lies in it
INK, QUIET, EDGE, MARK = "#1d2125", "#5b646d", "#d5d8da", "#1f66c1"
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SCALE = 2  # pixels of a PNG to one of the SVG


@dataclass(frozen=True, slots=True)
class _Line:
    x0: float
    y0: float
    x1: float
    y1: float
    colour: str
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class _Dot:
    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True, slots=True)
class _Text:
    x: float
    y: float
    text: str
    anchor: str  # start, middle or end
    colour: str = INK
    size: int = 13


_Shape = _Line | _Dot | _Text


def save_reliability(bins: Bins, path: str | Path, *, title: str) -> None:
    """Draw the bins to a file.

    Args:
        bins: of held-out queries; the area of a dot is its share of the predictions.
        path: ends in ``.svg`` or ``.png``.
        title: stands above the plot.

    Raises:
        BadInput: another suffix. StorageFailed: the file cannot be written.
    """
    target = Path(path).expanduser()
    suffix = target.suffix.lower()
    if suffix not in (".svg", ".png"):
        raise BadInput(f"a plot is written as .svg or .png, not as {target.name!r}.", hint="Name it plot.svg.")
    shapes = _shapes(bins, title)
    try:
        if suffix == ".svg":
            target.write_text(_svg(shapes, title), encoding="utf-8")
        else:
            _draw_png(shapes, target)
    except OSError as error:
        raise StorageFailed(f"{target} cannot be written: {error.strerror or error}.") from error


def _at(x: float, y: float) -> tuple[float, float]:
    return LEFT + x * PLOT, TOP + (1 - y) * PLOT


def _shapes(bins: Bins, title: str) -> list[_Shape]:
    shapes: list[_Shape] = [_Text(LEFT, 26, title, "start", size=15)]
    for tick in TICKS:
        x, y = _at(tick, tick)
        shapes += [
            _Line(LEFT, y, LEFT + PLOT, y, EDGE),
            _Line(x, TOP, x, TOP + PLOT, EDGE),
            _Text(LEFT - 8, y + 4, f"{tick:.0%}", "end", QUIET),
            _Text(x, TOP + PLOT + 18, f"{tick:.0%}", "middle", QUIET),
        ]
    shapes.append(_Text(LEFT + PLOT / 2, TOP + PLOT + 40, "predicted relevance", "middle"))
    shapes.append(_Text(LEFT, TOP - 6, "relevant in truth; on the line the two agree", "start", QUIET, 12))
    shapes.append(_Line(*_at(0, 0), *_at(1, 1), QUIET, 1.5))
    total = max(int(bins.count.sum()), 1)
    dots = zip(bins.predicted.tolist(), bins.observed.tolist(), bins.count.tolist(), strict=True)
    for predicted, observed, count in dots:
        x, y = _at(predicted, observed)
        shapes.append(_Line(x, y, *_at(predicted, predicted), MARK, 1.5))
        shapes.append(_Dot(x, y, max(3.0, 22 * (count / total) ** 0.5), MARK))
    return shapes


def _svg(shapes: Sequence[_Shape], title: str) -> str:
    parts = []
    for shape in shapes:
        if isinstance(shape, _Line):
            ends = f'x1="{shape.x0:.1f}" y1="{shape.y0:.1f}" x2="{shape.x1:.1f}" y2="{shape.y1:.1f}"'
            parts.append(f'<line {ends} stroke="{shape.colour}" stroke-width="{shape.width}"/>')
        elif isinstance(shape, _Dot):
            place = f'cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:.1f}"'
            parts.append(f'<circle {place} fill="{shape.colour}" fill-opacity="0.8"/>')
        else:
            place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}" font-size="{shape.size}"'
            parts.append(f'<text {place} fill="{shape.colour}">{escape(shape.text)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}" width="{SIDE}" height="{SIDE}" '
        f'role="img" aria-label="{escape(title)}" font-family="system-ui, sans-serif">'
        f'<rect width="{SIDE}" height="{SIDE}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _draw_png(shapes: Sequence[_Shape], target: Path) -> None:
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    canvas = Pillow.new("RGB", (SIDE * SCALE, SIDE * SCALE), "white")
    draw = ImageDraw.Draw(canvas)
    for shape in shapes:
        if isinstance(shape, _Line):
            ends = [SCALE * value for value in (shape.x0, shape.y0, shape.x1, shape.y1)]
            draw.line(ends, fill=shape.colour, width=round(shape.width * SCALE))
        elif isinstance(shape, _Dot):
            draw.circle((shape.x * SCALE, shape.y * SCALE), shape.radius * SCALE, fill=shape.colour)
        else:
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
            place = (shape.x * SCALE, shape.y * SCALE)
            font = ImageFont.load_default(shape.size * SCALE)
            draw.text(place, shape.text, fill=shape.colour, font=font, anchor=anchor)
    canvas.save(target)

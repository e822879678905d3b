"""The picture of a search: rows of even tiles, the query beside what was found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from PIL import ImageDraw

from ..errors import BadInput, StorageFailed
from ..types import Image, Region
from .typeset import drawable, font, shortened, text_width

__all__ = ["Row", "Tile", "draw", "save_picture"]

# Twice the pixels of what is meant to be seen, so that text and edges stay crisp on dense screens.
_DENSITY = 2

_WHITE = (255, 255, 255)
_INK = (32, 33, 36)
_QUIET = (112, 117, 122)
_GROUND = (244, 245, 246)  # of a tile without a picture
_EDGE = (229, 231, 234)
_GREEN = (24, 128, 56)
_RED = (197, 57, 41)
_MARK = (232, 0, 138)  # of a box: a colour that photographs seldom have

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 92, "subsampling": 0},  # full chroma: red frames bleed otherwise
    "WEBP": {"quality": 90},
}


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture of a row.

    Attributes:
        image: (H, W, 3) uint8 sRGB; None draws a grey tile with ``note``.
        caption: usually the id; shortened in the middle.
        score: shown under the tile; None shows none.
        relevant: True draws a green frame and a tick, False a red frame and a cross, None neither.
        note: why there is no image; under an image, one more quiet line.
        box: a place in the image, in its pixels, that is drawn as a frame.
    """

    image: Image | None
    caption: str
    score: float | None = None
    relevant: bool | None = None
    note: str = ""
    box: Region | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Tiles under a title.

    Attributes:
        title: ``Query``, ``Results``; empty draws none.
        tiles: drawn left to right; more than the columns of the picture go on in the next line.
        ranked: number the tiles from 1.
        query: drawn to the left of the first line, parted from the tiles by a thin line.
    """

    title: str
    tiles: Sequence[Tile]
    ranked: bool = False
    query: Sequence[Tile] = ()


@dataclass(frozen=True, slots=True)
class _Measures:
    """All lengths in pixels of the finished picture."""

    tile: int
    gap: int
    margin: int
    small: int
    text: int
    heading: int
    title: int
    frame: int
    radius: int
    line: int

    @classmethod
    def of(cls, tile_px: int) -> _Measures:
        tile = tile_px * _DENSITY
        unit = max(_DENSITY, tile // 50)  # 4 units at a tile of 200: all spacing is a multiple
        text = max(10 * _DENSITY, round(tile * 0.070))
        return cls(
            tile=tile,
            gap=5 * unit,
            margin=9 * unit,
            small=round(text * 0.88),
            text=text,
            heading=round(text * 1.15),
            title=round(text * 1.6),
            frame=max(_DENSITY, round(unit * 0.6)),
            radius=2 * unit,
            line=round(text * 1.42),
        )


def draw(rows: Sequence[Row], *, title: str = "", tile_px: int = 200, columns: int = 10) -> Pillow.Image:
    """Draw rows of tiles on white, at twice the density of ``tile_px``.

    Pictures are letter-boxed, never cropped or stretched. Whether a result is relevant is told by colour and by a
    tick or cross. Characters that the bundled Latin font lacks become a middle dot.

    Args:
        rows: from top to bottom; a row without tiles is drawn as its title and ``: none``.
        title: above all rows; empty draws none.
        tile_px: side of a tile, in points: a tile is twice that many pixels; 40..1000.
        columns: tiles in a line, at least 1.

    Returns:
        The picture in mode ``RGB``, as wide as its fullest line.

    Raises:
        BadInput: a ``tile_px`` or ``columns`` out of range.
    """
    if not 40 <= tile_px <= 1000:
        raise BadInput(f"tile_px must be within 40..1000, got {tile_px}.")
    if columns < 1:
        raise BadInput(f"columns must be at least 1, got {columns}.")
    m = _Measures.of(tile_px)
    heading = drawable(title)
    width = 2 * m.margin + max((_row_width(row, columns, m) for row in rows), default=m.tile)
    title_height = round(m.title * 1.9) if heading else 0
    heights = [_row_height(row, columns, m) for row in rows]
    height = 2 * m.margin + title_height + sum(heights) + round(m.gap * 1.2) * max(0, len(rows) - 1)

    canvas = Pillow.new("RGB", (width, max(height, 2 * m.margin)), _WHITE)
    pen = ImageDraw.Draw(canvas)
    y = m.margin
    if heading:
        room = width - 2 * m.margin
        pen.text((m.margin, y), shortened(heading, room, m.title), font=font(m.title), fill=_INK, anchor="la")
        y += title_height
    for row, row_height in zip(rows, heights, strict=True):
        _draw_row(canvas, pen, row, y, columns, m)
        y += row_height + round(m.gap * 1.2)
    return canvas


def _row_width(row: Row, columns: int, m: _Measures) -> int:
    across = min(len(row.tiles), columns)
    return _query_width(row, m) + max(m.tile, across * (m.tile + m.gap) - m.gap)


def _query_width(row: Row, m: _Measures) -> int:
    """Return the width of the query's tiles with the space and the line that part them from the others."""
    return len(row.query) * (m.tile + m.gap) + m.gap if row.query else 0


def _row_height(row: Row, columns: int, m: _Measures) -> int:
    heading = round(m.heading * 1.9) if row.title or row.query else 0
    lines = max(-(-len(row.tiles) // columns), 1 if row.query else 0)
    return heading + lines * _tile_height(row, m) + max(0, lines - 1) * m.gap


def _tile_height(row: Row, m: _Measures) -> int:
    """Return the height of a tile with its text; a row keeps one height, so that its tiles stand level."""
    has_first = row.ranked or any(t.score is not None or t.relevant is not None for t in row.tiles)
    tiles = [*row.query, *row.tiles]
    has_caption = any(t.caption for t in tiles)
    has_note = any(t.note and t.image is not None for t in tiles)
    return m.tile + (m.line // 2) + (int(has_first) + int(has_caption) + int(has_note)) * m.line


def _draw_row(canvas: Pillow.Image, pen: ImageDraw.ImageDraw, row: Row, y: int, columns: int, m: _Measures) -> None:
    left = m.margin + _query_width(row, m)
    if row.title or row.query:
        if row.query:
            pen.text((m.margin, y), "Query", font=font(m.heading), fill=_QUIET, anchor="la")
        text = drawable(row.title) + ("" if row.tiles else ": none")
        shown = shortened(text, canvas.width - m.margin - left, m.heading)
        pen.text((left, y), shown, font=font(m.heading), fill=_QUIET, anchor="la")
        y += round(m.heading * 1.9)
    for number, tile in enumerate(row.query):
        _draw_tile(canvas, pen, tile, m.margin + number * (m.tile + m.gap), y, None, m)
    if row.query:
        lines = max(1, -(-len(row.tiles) // columns))
        bottom = y + lines * (_tile_height(row, m) + m.gap) - m.gap
        pen.line([(left - m.gap, y), (left - m.gap, bottom)], fill=_EDGE, width=_DENSITY)
    step = _tile_height(row, m) + m.gap
    for number, tile in enumerate(row.tiles):
        x = left + (number % columns) * (m.tile + m.gap)
        _draw_tile(canvas, pen, tile, x, y + (number // columns) * step, number + 1 if row.ranked else None, m)


def _draw_tile(
    canvas: Pillow.Image, pen: ImageDraw.ImageDraw, tile: Tile, x: int, y: int, rank: int | None, m: _Measures
) -> None:
    _draw_picture(canvas, pen, tile, x, y, m)
    y += m.tile + m.line // 2
    if rank is not None or tile.score is not None or tile.relevant is not None:
        _draw_first_line(pen, tile, x, y, rank, m)
        y += m.line
    if tile.caption:
        caption = shortened(drawable(tile.caption), m.tile, m.small)
        pen.text((x, y), caption, font=font(m.small), fill=_QUIET, anchor="la")
        y += m.line
    if tile.note and tile.image is not None:
        pen.text((x, y), shortened(drawable(tile.note), m.tile, m.small), font=font(m.small), fill=_QUIET, anchor="la")


def _draw_picture(canvas: Pillow.Image, pen: ImageDraw.ImageDraw, tile: Tile, x: int, y: int, m: _Measures) -> None:
    frame = {True: _GREEN, False: _RED, None: _EDGE}[tile.relevant]
    thickness = m.frame if tile.relevant is None else 2 * m.frame
    inner = m.tile - 2 * (thickness + m.frame)
    mask = Pillow.new("L", (m.tile, m.tile), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, m.tile - 1, m.tile - 1), m.radius, fill=255)
    face = Pillow.new("RGB", (m.tile, m.tile), _GROUND if tile.image is None else _WHITE)
    if tile.image is None:
        _draw_note(ImageDraw.Draw(face), tile.note or "no picture", m)
    else:
        fitted = _fitted(Pillow.fromarray(tile.image), inner)
        if tile.box is not None:
            _draw_box(fitted, tile.box, fitted.width / tile.image.shape[1], m)
        face.paste(fitted, ((m.tile - fitted.width) // 2, (m.tile - fitted.height) // 2))
    ImageDraw.Draw(face).rounded_rectangle(
        (0, 0, m.tile - 1, m.tile - 1), m.radius, outline=frame, width=thickness if tile.relevant is not None else 1
    )
    canvas.paste(face, (x, y), mask)


def _draw_box(picture: Pillow.Image, box: Region, scale: float, m: _Measures) -> None:
    """Draw a frame around the place, dark within light so that it shows on any ground."""
    x0, y0, x1, y1 = (round(edge * scale) for edge in (box.x0, box.y0, box.x1, box.y1))
    pen = ImageDraw.Draw(picture)
    for grow, colour in ((m.frame, _WHITE), (0, _MARK)):
        corners = (x0 - grow, y0 - grow, max(x0, x1 - 1) + grow, max(y0, y1 - 1) + grow)
        pen.rectangle(corners, outline=colour, width=m.frame)


def _fitted(picture: Pillow.Image, side: int) -> Pillow.Image:
    """Resize to touch the square from within; small pictures are enlarged, in whole steps where pixels would show."""
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    # Icons of 16 pixels look broken when smeared, photographs when blocky.
    smooth = max(picture.size) > 48 or scale <= 1
    how = Pillow.Resampling.LANCZOS if smooth else Pillow.Resampling.NEAREST
    return picture.resize(size, how, reducing_gap=3.0)


def _draw_note(pen: ImageDraw.ImageDraw, note: str, m: _Measures) -> None:
    words, lines = drawable(note).split(" "), [""]
    room = m.tile - 4 * m.radius
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, m.small) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    shown = [shortened(line, room, m.small) for line in lines[: max(1, int(m.tile * 0.8) // m.line)]]
    top = (m.tile - len(shown) * m.line) / 2 + m.line / 2
    for number, line in enumerate(shown):
        pen.text((m.tile / 2, top + number * m.line), line, font=font(m.small), fill=_QUIET, anchor="mm")


def _draw_first_line(pen: ImageDraw.ImageDraw, tile: Tile, x: int, y: int, rank: int | None, m: _Measures) -> None:
    """Rank at the left, then the verdict, the score at the right."""
    left = float(x)
    if rank is not None:
        pen.text((left, y), str(rank), font=font(m.text), fill=_INK, anchor="la")
        left += text_width(str(rank), m.text) + m.text * 0.55
    if tile.relevant is not None:
        _draw_verdict(pen, tile.relevant, left, y, m)
    if tile.score is not None:
        pen.text((x + m.tile, y), f"{tile.score:.3f}", font=font(m.text), fill=_INK, anchor="ra")


def _draw_verdict(pen: ImageDraw.ImageDraw, relevant: bool, x: float, y: int, m: _Measures) -> None:
    """Draw a tick or a cross by hand, since the font has neither."""
    side, width = m.text * 0.72, max(2, m.text // 7)
    y += round(m.text * 0.2)  # from the ascenders' top to that of the digits
    if relevant:
        points = [(x, y + 0.55 * side), (x + 0.36 * side, y + 0.92 * side), (x + side, y + 0.1 * side)]
        pen.line(points, fill=_GREEN, width=width, joint="curve")
    else:
        pen.line([(x, y + 0.1 * side), (x + 0.82 * side, y + 0.92 * side)], fill=_RED, width=width)
        pen.line([(x, y + 0.92 * side), (x + 0.82 * side, y + 0.1 * side)], fill=_RED, width=width)


def save_picture(picture: Pillow.Image, path: str | os.PathLike[str]) -> None:
    """Write a picture so that a reader never sees half of it: aside first, then renamed.

    Args:
        picture: what :func:`draw` returned.
        path: its suffix decides the format: .png, .jpg, .jpeg or .webp. A file that is there is replaced.

    Raises:
        BadInput: another suffix.
        StorageFailed: the folder does not exist or cannot be written, or the disk is full.
    """
    target = Path(path)
    kind = _FORMATS.get(target.suffix.lower())
    if kind is None:
        raise BadInput(
            f"a picture cannot be written as {target.name!r}: unknown suffix {target.suffix!r}.",
            hint=f"Use one of {', '.join(_FORMATS)}.",
        )
    aside: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.stem[:40]}-", delete=False) as file:
            aside = Path(file.name)
            picture.save(file, format=kind, **_OPTIONS[kind])
        # Temporary files are private to their owner; a picture is as public as any new file.
        aside.chmod(0o666 & ~_umask())
        aside.replace(target)
    except OSError as failure:
        if aside is not None:
            aside.unlink(missing_ok=True)
        raise StorageFailed(
            f"the picture {str(target)!r} could not be written: {failure.strerror or failure}.",
            hint="Choose another folder, or make room.",
        ) from failure


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

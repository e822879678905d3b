"""Small pictures: JPEG bytes for pages and caches, and thumbnails in terminals that can show them."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from PIL import Image as Pillow

from ..errors import BadInput
from ..types import Image

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["terminal_image", "thumbnail_jpeg"]


def thumbnail_jpeg(pixels: Image, side: int) -> bytes:
    """Return the picture as a JPEG that fits a square, its shape kept; a smaller one is not enlarged.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        side: of the square, in pixels, at least 1.

    Raises:
        BadInput: ``side`` is below 1.
    """
    out = io.BytesIO()
    _within(pixels, side).save(out, format="JPEG", quality=85, optimize=True)
    return out.getvalue()


def terminal_image(pixels: Image, *, columns: int) -> RenderableType | None:
    """Return what rich prints as a picture, or None where the terminal cannot show one.

    Kitty's and Sixel graphics, else half-cell colour blocks, through the library textual-image. The first call on a
    terminal asks it what it can do, which takes up to 0.1 s.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        columns: width in character cells, at least 1.

    Returns:
        A rich renderable; None when standard input or output is no terminal, or a dumb one.

    Raises:
        BadInput: ``columns`` is below 1.
    """
    if columns < 1:
        raise BadInput(f"columns must be at least 1, got {columns}.")
    # The library looks at the original streams, and writes its questions there: so must we before we import it.
    output = sys.__stdout__
    if output is None or not all(_is_terminal(stream) for stream in (sys.__stdin__, output, sys.stdout)):
        return None
    if os.environ.get("TERM", "") in {"", "dumb"}:
        return None
    try:
        # A terminal that says it has no columns, as some of CI do, makes the library divide by zero.
        if os.get_terminal_size(output.fileno()).columns < 1:
            return None
        from textual_image.renderable import Image as Renderable
    except Exception:  # a terminal that answers nonsense is one that cannot show pictures
        return None
    # A cell is about 10 pixels wide, 20 on dense screens; more would only be sent to be thrown away.
    picture: RenderableType = Renderable(_within(pixels, 20 * columns), width=columns, height="auto")
    return picture


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _within(pixels: Image, side: int) -> Pillow.Image:
    if side < 1:
        raise BadInput(f"the side of a thumbnail must be at least 1 pixel, got {side}.")
    picture = Pillow.fromarray(pixels)
    scale = side / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Pillow.Resampling.LANCZOS, reducing_gap=3.0)

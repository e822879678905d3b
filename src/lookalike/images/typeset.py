"""Text for pictures: one bundled font, what it cannot draw, and lines that are too long."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from PIL import ImageFont

__all__ = ["drawable", "font", "shortened", "text_width"]

_ELLIPSIS = "…"
_UNKNOWN = "·"


@lru_cache(maxsize=16)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's bundled font (Aileron), which needs no font on the machine."""
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> float:
    """Return the width of one line in pixels."""
    return font(size).getlength(text)


def drawable(text: str) -> str:
    """Return the text on one line, accents dropped, runs of what the font cannot draw replaced by one middle dot.

    The font has little but ASCII: a row of empty boxes in place of a Chinese name or an emoji tells nothing.
    """
    out: list[str] = []
    for character in " ".join(text.split()):
        if not _has_glyph(character):
            character = unicodedata.normalize("NFKD", character)[0]  # é: the letter, then its accent
        if unicodedata.combining(character):
            continue
        if _has_glyph(character):
            out.append(character)
        elif out[-1:] != [_UNKNOWN]:
            out.append(_UNKNOWN)
    return "".join(out)


@lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    if character == " ":
        return True
    if not character.isprintable():
        return False
    return _shape(character) != _shape("\U0010fffd")  # a code point that no font has: the empty box


def _shape(character: str) -> tuple[tuple[int, int], bytes]:
    mask = font(24).getmask(character)
    return mask.size, bytes(mask)


def shortened(text: str, width: float, size: int) -> str:
    """Return the text cut in its middle so that it fits; beginnings and ends of file names tell most.

    Args:
        text: one line.
        width: in pixels.
        size: of the font.
    """
    if text_width(text, size) <= width:
        return text
    low, high = 0, len(text) - 1  # how many characters are kept
    while low < high:
        keep = (low + high + 1) // 2
        low, high = (keep, high) if text_width(_cut(text, keep), size) <= width else (low, keep - 1)
    return _cut(text, low)


def _cut(text: str, keep: int) -> str:
    head = keep - keep // 2
    return text[:head].rstrip() + _ELLIPSIS + (text[-(keep // 2) :].lstrip() if keep // 2 else "")

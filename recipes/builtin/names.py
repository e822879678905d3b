"""What pictures are called: the names that come with the sets, and the colour that most of a picture has."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
from material import Found

from lookalike.types import Image

__all__ = ["colour_of", "names_of"]

# sRGB of the eleven basic terms (Berlin and Kay, 1969), several to a term where it is broad.
_COLOURS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "black": ((15, 15, 15), (45, 45, 45)),
    "white": ((250, 250, 250),),
    "grey": ((128, 128, 128), (190, 190, 190)),
    "red": ((220, 30, 40), (170, 20, 30)),
    "orange": ((245, 140, 30),),
    "yellow": ((255, 210, 50), (250, 235, 90)),
    "green": ((60, 160, 60), (120, 190, 60), (20, 100, 50)),
    "blue": ((40, 90, 210), (60, 160, 235), (20, 40, 120)),
    "purple": ((130, 60, 170), (170, 110, 210)),
    "pink": ((250, 140, 180), (240, 80, 150)),
    "brown": ((120, 75, 40), (165, 110, 70)),
}
_LOOSE = ("mixed", "product")  # kinds of photographs that say nothing
_UNSAID = ("variation selector", "zero width joiner", "emoji modifier")
_SHARE = 0.45  # of the pixels, that a picture is called by its colour


def names_of(found: Found) -> tuple[str, ...]:
    """Return what a picture is called, the most exact name first; nothing where nobody would call it so."""
    if found.set == "emoji":
        return (_of_code_points(found.label),)
    if found.set == "photos":
        return () if found.label in _LOOSE else (_plain(found.label),)
    if found.set == "grocery":
        coarse, family = map(_plain, found.called)
        fine = _plain(found.label)
        return (fine if coarse in fine else f"{fine} {coarse}", coarse, family)
    if found.set == "omniglot":
        return ("handwritten character", f"{_plain(found.label.partition('/')[0])} letter")
    if found.set == "logos":
        return (f"{_plain(found.label)} logo", _plain(found.label))
    return tuple(_plain(each) for each in found.label.split("/"))


def colour_of(pixels: Image) -> str | None:
    """Return the name of the colour that most of a picture has, its white ground aside; None where there is none."""
    rows = np.asarray(pixels[::2, ::2].reshape(-1, 3), np.float32)
    inked = rows[rows.min(axis=1) < 240]
    if len(inked) < len(rows) / 30:
        return None
    nearest = np.argmin(((inked[:, None] - _POINTS[None]) ** 2).sum(axis=2), axis=1)
    counts = np.bincount(_TERMS[nearest], minlength=len(_COLOURS))
    best = int(counts.argmax())
    return list(_COLOURS)[best] if counts[best] >= _SHARE * len(inked) else None


def _of_code_points(label: str) -> str:
    parts = []
    for code in label.split("-"):
        name = unicodedata.name(chr(int(code, 16)), "").casefold()
        if name and not name.startswith(_UNSAID):
            parts.append(_plain(name))
    if all(part.startswith("regional indicator symbol letter") for part in parts):
        return "flag " + "".join(part[-1] for part in parts)
    return " ".join(parts)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def _prototypes() -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    points = [point for some in _COLOURS.values() for point in some]
    terms = [term for term, some in enumerate(_COLOURS.values()) for _ in some]
    return np.array(points, np.float32), np.array(terms, np.int64)


_POINTS, _TERMS = _prototypes()

"""Plain figures in plain colours, so that the words have shapes and colours to begin with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from names import COLOURS
from PIL import Image, ImageDraw

__all__ = ["FIGURES", "figure"]

Points = Sequence[tuple[float, float]]
_SIDE, _FINE = 128, 4


def _regular(corners: int) -> Points:
    turns = [math.tau * (at / corners - 0.25) for at in range(corners)]
    return [(math.cos(turn), math.sin(turn)) for turn in turns]


def _star() -> Points:
    return [
        (x * (1 if at % 2 == 0 else 0.42), y * (1 if at % 2 == 0 else 0.42)) for at, (x, y) in enumerate(_regular(10))
    ]


def _heart() -> Points:
    turns = [math.tau * at / 60 for at in range(60)]
    return [
        (
            math.sin(turn) ** 3,
            -(13 * math.cos(turn) - 5 * math.cos(2 * turn) - 2 * math.cos(3 * turn) - math.cos(4 * turn)) / 16,
        )
        for turn in turns
    ]


def _moon() -> Points:
    outer = [(math.cos(turn), math.sin(turn)) for turn in np.linspace(0.7, math.tau - 0.7, 40)]
    inner = [(0.35 + 0.8 * math.cos(turn), 0.8 * math.sin(turn)) for turn in np.linspace(math.tau - 1.0, 1.0, 40)]
    return [*outer, *inner]


FIGURES: dict[str, Callable[[], Points]] = {
    "circle": lambda: _regular(60),
    "oval": lambda: [(x, 0.55 * y) for x, y in _regular(60)],
    "square": lambda: [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "rectangle": lambda: [(-1, -0.5), (1, -0.5), (1, 0.5), (-1, 0.5)],
    "triangle": lambda: _regular(3),
    "diamond": lambda: _regular(4),
    "pentagon": lambda: _regular(5),
    "hexagon": lambda: _regular(6),
    "star": _star,
    "heart": _heart,
    "moon": _moon,
    "cross": lambda: [
        *[(-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3)],
        *[(0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3)],
    ],
    "arrow": lambda: [(-1, -0.25), (0.2, -0.25), (0.2, -0.7), (1, 0), (0.2, 0.7), (0.2, 0.25), (-1, 0.25)],
    "ring": lambda: _regular(60),
}


def figure(rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], str, str]:
    """Return (128, 128, 3), the colour and the shape of a figure on white."""
    shape = list(FIGURES)[int(rng.integers(len(FIGURES)))]
    colour = [each for each in COLOURS if each != "white"][int(rng.integers(len(COLOURS) - 1))]
    near = np.array(COLOURS[colour][int(rng.integers(len(COLOURS[colour])))]) + rng.integers(-12, 13, 3)
    ink = tuple(int(value) for value in near.clip(0, 255))
    size = _SIDE * _FINE
    picture = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(picture)
    turn = float(rng.uniform(-0.35, 0.35)) if shape not in ("square", "diamond") else 0.0
    radius = size * float(rng.uniform(0.2, 0.46))
    middle = rng.uniform(size / 2 - (size / 2 - radius) * 0.8, size / 2 + (size / 2 - radius) * 0.8, 2)

    def placed(factor: float) -> list[tuple[float, float]]:
        cos, sin = math.cos(turn), math.sin(turn)
        return [
            (
                float(middle[0] + factor * radius * (x * cos - y * sin)),
                float(middle[1] + factor * radius * (x * sin + y * cos)),
            )
            for x, y in FIGURES[shape]()
        ]

    draw.polygon(placed(1.0), fill=ink)
    if shape == "ring":
        draw.polygon(placed(0.6), fill="white")
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)), colour, shape

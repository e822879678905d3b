"""A rough answer to: could one of these pictures be a part of the other, turned, mirrored or without its colours?

Each picture is brought to 48 × 48 grey values; of the whole in its eight positions, and of 71 windows down to three
fifths of its width and height, 8 × 8 mean values are kept. The best of all comparisons of a whole with the other's
windows says where an exact alignment (``copy_alignment``) has to start, and whether it is worth while.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["GRID", "ORIENTATIONS", "Rough", "Shapes", "rough", "shapes", "turned"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

GRID = 48  # pixels a side
ORIENTATIONS = 8  # quarter turns, and quarter turns of the mirror image
_CELLS = 8
# Width and height as shares of the whole's: what lies between is within reach of the alignment.
_SIZES = (
    *((side, side) for side in (1.0, 0.9, 0.8, 0.7, 0.6)),
    *((1.0, 0.8), (0.8, 1.0), (1.0, 0.6), (0.6, 1.0)),
)
_STEP = 0.1  # at most, between the places of windows
_FLOOR = 16.0  # length of 64 values a quarter of a percent apart: flatter pictures are like nothing
_AT_ONCE = 256  # pictures, or pairs


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """What is compared roughly, of N pictures; rows of zero mean and at most unit length.

    Attributes:
        wholes: float32 (N, 8, 64), in each position.
        windows: float32 (N, W, 64), as the picture stands.
    """

    wholes: Floats
    windows: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Rough:
    """The best place of each of P pairs.

    Attributes:
        scores: float32 (P,), the correlation there, in [-1, 1].
        swapped: bool (P,), the first is the part and the second has the window; else the other way round.
        position: int64 (P,), how the part is turned to fit; see ``turned``.
        warp: float32 (P, 6), from the part's coordinates to those of the other; see ``copy_alignment``.
    """

    scores: Floats
    swapped: npt.NDArray[np.bool_]
    position: Ints
    warp: Floats


def turned(pictures: npt.NDArray[np.generic], position: int) -> npt.NDArray[np.generic]:
    """Return pictures (N, S, S, ...) in one of the eight positions."""
    return np.rot90(pictures[:, :, ::-1] if position >= 4 else pictures, position % 4, axes=(1, 2))


def shapes(grey: Floats) -> Shapes:
    """Describe pictures (N, 48, 48) of values 0..255."""
    wholes = np.empty((len(grey), ORIENTATIONS, _CELLS**2), np.float32)
    windows = np.empty((len(grey), len(WINDOWS), _CELLS**2), np.float32)
    for start in range(0, len(grey), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        for at, (down, across) in enumerate(zip(_DOWN, _ACROSS, strict=True)):
            windows[part, at] = _normal(down @ grey[part] @ across.T)
        small = _DOWN[0] @ grey[part] @ _ACROSS[0].T
        for position in range(ORIENTATIONS):
            wholes[part, position] = _normal(turned(small, position).astype(np.float32))
    return Shapes(wholes, windows)


def rough(first: Shapes, a: Ints, second: Shapes, b: Ints) -> Rough:
    """Compare pairs: pictures ``a`` (P,) of the first with ``b`` (P,) of the second."""
    parts = [
        _compared(first, a[start : start + _AT_ONCE], second, b[start : start + _AT_ONCE])
        for start in range(0, len(a), _AT_ONCE)
    ]
    if not parts:
        none = np.empty(0, np.float32)
        return Rough(none, np.empty(0, np.bool_), np.empty(0, np.int64), np.empty((0, 6), np.float32))
    scores, swapped, position, window = (np.concatenate(column) for column in zip(*parts, strict=True))
    x, y, width, height = WINDOWS[window].T
    zero = np.zeros_like(width)
    # Coordinates run from -1 to 1 over a picture: a window of this size at (x, y) is an affine map without rotation.
    warp = np.stack([width, zero, 2 * x + width - 1, zero, height, 2 * y + height - 1], axis=1).astype(np.float32)
    return Rough(scores, swapped, position, warp)


def _compared(
    first: Shapes, a: Ints, second: Shapes, b: Ints
) -> tuple[Floats, npt.NDArray[np.bool_], Ints, npt.NDArray[np.intp]]:
    sides = []
    for one, mine, other, theirs in ((second, b, first, a), (first, a, second, b)):
        # The part is `one`, turned; the window is the other's.
        scores = other.windows[theirs] @ one.wholes[mine].transpose(0, 2, 1)  # (P, W, 8)
        flat = scores.reshape(len(scores), -1)
        best = flat.argmax(axis=1)
        sides.append((flat[np.arange(len(flat)), best], best))
    swapped = sides[1][0] > sides[0][0]
    scores = np.where(swapped, sides[1][0], sides[0][0])
    best = np.where(swapped, sides[1][1], sides[0][1])
    return scores, swapped, (best % ORIENTATIONS).astype(np.int64), best // ORIENTATIONS


def _normal(cells: Floats) -> Floats:
    flat = cells.reshape(len(cells), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    out: Floats = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), _FLOOR)
    return out


def _windows() -> npt.NDArray[np.float64]:
    """Return (W, 4): left and upper edge, width and height, as shares of the whole's; the whole first."""
    return np.array([(x, y, w, h) for w, h in _SIZES for y in _places(h) for x in _places(w)])


def _places(size: float) -> npt.NDArray[np.float64]:
    return np.linspace(0, 1 - size, 1 + round((1 - size) / _STEP))


def _means(begin: float, size: float) -> Floats:
    """Return (8, 48), the shares of pixels in the cells of a window along one side."""
    edges = np.linspace(begin * GRID, (begin + size) * GRID, _CELLS + 1)
    pixels = np.arange(GRID)
    inside = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = np.maximum(inside, 0)
    out: Floats = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return out


WINDOWS = _windows()
_DOWN = np.stack([_means(y, height) for _, y, _, height in WINDOWS])
_ACROSS = np.stack([_means(x, width) for x, _, width, _ in WINDOWS])

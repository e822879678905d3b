"""Is one picture an edited copy of another: cropped, turned a little, mirrored, stretched, or without its colours?

Both are brought to 48 × 48 colours and laid over one another; they are one picture when their details agree everywhere
(``copy_alignment``), and their colours too, unless one of them has none. Found are crops down to three fifths of width
and height, rotations of a few degrees, and any of these in eight positions. Not found are smaller parts, larger
rotations, changed perspectives, and pictures with a frame, a text or another picture laid in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..collection.near_pairs import NearPairs
from ..types import Image, Rows
from .copy_alignment import lay_over, sampled
from .copy_windows import GRID, ORIENTATIONS, Shapes, rough, shapes, turned
from .leak_neighbours import together
from .same_picture import DIFFERENCE, SIDE

__all__ = ["AGREEMENT", "Shot", "Shots", "alike_in_grey", "changed_copies", "shot"]

Shot = npt.NDArray[np.uint8]  # (48, 48, 3)
Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# Measured by benchmarks/leaks.py; change them there together.
AGREEMENT = 0.95  # of details: different photographs of one fruit on one table reach it; other pairs 0.8 at most
EVERYWHERE = 0.6  # in each part with details: drawings that differ in a mouth have less
OVERLAP = 0.5  # of the part
SIZES = (
    0.45,
    1.15,
)  # of the part in the picture, along any direction: any disc can be laid over any other, in some size
ROUGH = 0.65  # below it an alignment is not tried
COLOURS = 14.0  # root mean square of the difference of colour, of 255, without brightness
COLOURLESS = 5.0  # the same of a picture to its own grey: JPEG makes that much of nothing
MOST_ALIGNED = 4000  # pairs: fifteen seconds
GREY_NEIGHBOURS, GREY_LEAST = 8, 0.9  # whole pictures that are looked at because their grey values agree
_AT_ONCE = 512

# Brightness and two colours (ITU-R BT.601), both within -128..127.
_TO_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_TO_COLOUR = np.array([[-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32).T


def shot(image: Image) -> Shot:
    """Return the (48, 48, 3) mean colours of an image (H, W, 3)."""
    from PIL import Image as Pillow

    small = Pillow.fromarray(image).resize((GRID, GRID), Pillow.Resampling.BOX)
    return np.asarray(small, np.uint8)


@dataclass(eq=False)
class Shots:
    """The small pictures of N images.

    Attributes:
        rows: int64 (N,), ascending.
        pixels: (N, 48, 48, 3) uint8.
    """

    rows: Rows
    pixels: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, shots: Mapping[int, Shot]) -> Shots:
        """Return the pictures by row."""
        ordered = sorted(shots)
        pixels = np.array([shots[row] for row in ordered], np.uint8).reshape(-1, GRID, GRID, 3)
        return cls(np.array(ordered, np.int64), pixels)

    def at(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return where rows that are there stand."""
        return np.searchsorted(self.rows, rows).astype(np.int64)

    @cached_property
    def small(self) -> npt.NDArray[np.uint8]:
        """Return (N, 16, 16, 3), what ``same_picture`` compares."""
        step = GRID // SIDE
        cut = self.pixels.reshape(-1, SIDE, step, SIDE, step, 3)
        small: npt.NDArray[np.uint8] = np.round(cut.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)
        return small

    @cached_property
    def shapes(self) -> Shapes:
        """Return what is compared roughly."""
        return shapes(self.grey(np.arange(len(self.rows))))

    def grey(self, at: npt.NDArray[np.int64]) -> Floats:
        """Return (B, 48, 48), the brightness of some."""
        values: Floats = self.pixels[at] @ _TO_GREY
        return values


def alike_in_grey(left: Shots, rows: Rows, right: Shots, base: Rows, *, within: bool) -> NearPairs:
    """Return for each of ``rows`` the few of ``base`` whose grey values agree best as wholes, in any position.

    The scores are correlations of 8 × 8 grey values. Cost: eight products of (Q, 64) and (64, N).
    """
    asked, searched = (np.intersect1d(some, side.rows) for some, side in ((rows, left), (base, right)))
    mine, theirs = left.shapes.wholes[left.at(asked), 0], right.shapes.wholes[right.at(searched)]
    found = []
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        scores = np.full((len(some), len(searched)), -1, np.float32)
        for position in range(ORIENTATIONS):
            np.maximum(scores, mine[start : start + _AT_ONCE] @ theirs[:, position].T, out=scores)
        if within:
            scores[some[:, None] == searched] = -1
        best = np.argsort(-scores, axis=1, kind="stable")[:, :GREY_NEIGHBOURS]
        values = np.take_along_axis(scores, best, axis=1)
        query, slot = np.nonzero(values >= GREY_LEAST)
        found.append(NearPairs(some[query], searched[best[query, slot]], values[query, slot]))
    return together(found)


def changed_copies(left: Shots, right: Shots, pairs: NearPairs) -> tuple[NearPairs, int]:
    """Return the pairs that are edited copies, with the agreement of their details, and how many were too many.

    Args:
        left, right: the pictures of both sides.
        pairs: of rows that are there; their scores do not matter.
    """
    a, b = left.at(pairs.rows_a), right.at(pairs.rows_b)
    guess = rough(left.shapes, a, right.shapes, b) if len(a) else None
    if guess is None:
        return pairs, 0
    likely = np.flatnonzero(guess.scores >= ROUGH)
    likely = likely[np.argsort(-guess.scores[likely], kind="stable")]
    some = np.sort(likely[:MOST_ALIGNED])
    swapped = guess.swapped[some]
    first, second, turn = left.pixels[a[some]], right.pixels[b[some]], swapped[:, None, None, None]
    parts, pictures = _turned(np.where(turn, first, second), guess.position[some]), np.where(turn, second, first)
    laid = lay_over(parts @ _TO_GREY, pictures @ _TO_GREY, guess.warp[some])
    good = np.flatnonzero((laid.agreement >= AGREEMENT) & (laid.least >= EVERYWHERE) & (laid.overlap >= OVERLAP))
    sizes = np.linalg.svd(laid.warp[good][:, [[0, 1], [3, 4]]], compute_uv=False)  # (P, 2)
    good = good[(sizes.min(axis=1) >= SIZES[0]) & (sizes.max(axis=1) <= SIZES[1])]
    good = good[_as_bright(parts[good], pictures[good], laid.warp[good])]
    good = good[_colours_agree(parts[good], pictures[good], laid.warp[good])]
    return NearPairs(pairs.rows_a[some[good]], pairs.rows_b[some[good]], laid.agreement[good]), len(likely) - len(some)


def _turned(pictures: npt.NDArray[np.uint8], positions: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    out = np.empty_like(pictures)
    for position in range(ORIENTATIONS):
        some = positions == position
        out[some] = turned(pictures[some], position)
    return out


def _as_bright(parts: npt.NDArray[np.uint8], pictures: npt.NDArray[np.uint8], warp: Floats) -> Flags:
    """Return (P,): whether both are about as bright where both are, as ``same_picture`` has it."""
    values, inside = sampled(pictures @ _TO_GREY, warp)
    apart = ((parts @ _TO_GREY - values) ** 2).mean(axis=(1, 2), where=inside)
    near: Flags = np.sqrt(apart) <= DIFFERENCE
    return near


def _colours_agree(parts: npt.NDArray[np.uint8], pictures: npt.NDArray[np.uint8], warp: Floats) -> Flags:
    """Return (P,): whether the colours agree where both are, or one of the two has none."""
    mine = parts @ _TO_COLOUR  # (P, 48, 48, 2)
    planes = [sampled(np.ascontiguousarray(plane), warp) for plane in np.moveaxis(pictures @ _TO_COLOUR, 3, 0)]
    theirs, inside = np.stack([values for values, _ in planes], axis=3), planes[0][1]
    count = np.maximum(inside.sum(axis=(1, 2)), 1)

    def size(values: Floats) -> Floats:
        of: Floats = np.sqrt((values**2).sum(axis=3).sum(axis=(1, 2), where=inside) / count)
        return of

    agree: Flags = (size(mine - theirs) <= COLOURS) | (size(mine) <= COLOURLESS) | (size(theirs) <= COLOURLESS)
    return agree

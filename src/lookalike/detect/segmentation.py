"""A segmentation network as a detector: what hangs together and is not ground is a thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..types import Image, Region
from .box import crop, rescaled
from .components import components
from .masks import Mask

__all__ = ["Segmentation", "split_ground"]

LEAST_SHARE = 0.005  # of the picture: smaller pieces are crumbs of the network's
MOST = 100  # pieces
WHITE = "?ground=white"


class Segmentation:
    """Boxes of the connected pieces of each class, the largest first; keeps the ``Cuts`` protocol.

    A piece's score is its share of everything that is not ground, times the mean certainty of its pixels; its label is
    the class's name, or number. Pieces under 0.5% of the picture are left out.

    Args:
        spec, name, fingerprint: of the network.
        mask_of: gives the classes of an image's pixels, at whatever size; thread-safe.
        labels: names of the classes.
        white: the pictures of pieces have everything else in them white.
    """

    def __init__(
        self,
        *,
        spec: str,
        name: str,
        fingerprint: str,
        mask_of: Callable[[Image], Mask],
        labels: Mapping[int, str] | None = None,
        white: bool = False,
    ) -> None:
        self.spec = spec + (WHITE if white else "")
        self.name = name + ("-on-white" if white else "")
        self.fingerprint = f"{fingerprint}/segmentation/1/{LEAST_SHARE}{'/white' if white else ''}"
        self.white = white
        self._mask_of = mask_of
        self._labels = dict(labels or {})

    def __repr__(self) -> str:
        return f"Segmentation({self.spec!r})"

    def detect(self, image: Image) -> Sequence[Region]:
        """Return the boxes of the pieces, best first.

        Raises:
            ModelError: the network fails.
        """
        return [self._region(piece, image) for piece in self._pieces(image)]

    def cuts(self, image: Image) -> Sequence[tuple[Region, Image]]:
        """Return the boxes with their pictures: crops, on white where that was asked for."""
        found = []
        for piece in self._pieces(image):
            region = self._region(piece, image)
            cut = crop(image, region)
            if self.white:
                height, width = image.shape[:2]
                down = (np.arange(region.y0, region.y1) * piece.pixels.shape[0]) // height
                across = (np.arange(region.x0, region.x1) * piece.pixels.shape[1]) // width
                cut[~piece.pixels[np.ix_(down, across)]] = 255
            found.append((region, cut))
        return found

    def _pieces(self, image: Image) -> list[_Piece]:
        mask = self._mask_of(image)
        ground = mask.classes == 0
        total = int((~ground).sum())
        pieces = []
        for kind in np.unique(mask.classes[~ground]).tolist():
            numbers = components(mask.classes == kind)
            sizes = np.bincount(numbers.ravel())
            for number in np.flatnonzero(sizes[1:] >= max(1, LEAST_SHARE * ground.size)) + 1:
                pixels = numbers == number
                score = float(sizes[number]) / total * float(mask.sure[pixels].mean())
                pieces.append(_Piece(pixels, score, self._labels.get(kind, str(kind))))
        return sorted(pieces, key=lambda piece: -piece.score)[:MOST]

    def _region(self, piece: _Piece, image: Image) -> Region:
        (rows,), (columns,) = (np.nonzero(piece.pixels.any(axis=axis)) for axis in (1, 0))
        down, across = piece.pixels.shape
        box = columns[0] / across, rows[0] / down, (columns[-1] + 1) / across, (rows[-1] + 1) / down
        height, width = image.shape[:2]
        return rescaled(box, width, height, piece.score, piece.label)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    pixels: npt.NDArray[np.bool_]  # (H, W) of the network's output
    score: float
    label: str


def split_ground(path: str) -> tuple[str, bool]:
    """Split ``PATH?ground=white`` into the path and whether the ground is made white.

    Raises:
        BadInput: another option.
    """
    bare, mark, option = path.partition("?")
    if mark and mark + option != WHITE:
        raise BadInput(f"a detector has no option {option!r}.", hint=f"Known: {WHITE[1:]}, of segmentations.")
    return bare, bool(mark)


def as_input(image: Image, width: int, height: int) -> npt.NDArray[Any]:
    """Return the picture stretched to a network's input, (height, width, 3) uint8."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize((width, height), Pillow.Resampling.BILINEAR))

"""Which parts of an image make its score, for any embedder: cover a part, and see how much the score falls.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2. Here it is
the score of two vectors in the place of a class's probability, the image's mean colour in the place of grey, and
windows that overlap by half, whose falls each cell averages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..index.scores import all_scores
from ..protocols import Embedder
from ..types import Image, Vectors

__all__ = ["Explained", "explain", "overlay"]

MOST_CELLS = 16  # a side: 15 x 15 windows of it are 225 images to embed


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """What the parts of an image are worth.

    Attributes:
        score: of the whole image.
        falls: (G, G) float64: how much the score falls, on average, when a window over the cell is covered; below zero
            where covering makes it higher.
    """

    score: float
    falls: npt.NDArray[np.float64]


def explain(query: Vectors, image: Image, embedder: Embedder, *, cells: int = 8) -> Explained:
    """Return which parts of an image make its score with a query.

    Args:
        query: (1, D), of the embedder's space.
        image: (H, W, 3) uint8.
        embedder: embeds (G - 1)² + 1 images, at once.
        cells: G, of a side, 2 to 16; windows cover 2 x 2 of them.

    Raises:
        BadInput: ``cells`` is out of its range.
    """
    if not 2 <= cells <= MOST_CELLS:
        raise BadInput(f"an explanation has 2 to {MOST_CELLS} cells a side, got {cells}.")
    height, width = image.shape[:2]
    down = np.linspace(0, height, cells + 1).round().astype(int)
    across = np.linspace(0, width, cells + 1).round().astype(int)
    places = [(y, x) for y in range(cells - 1) for x in range(cells - 1)]
    colour = image.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    views = [image]
    for y, x in places:
        covered = image.copy()
        covered[down[y] : down[y + 2], across[x] : across[x + 2]] = colour
        views.append(covered)
    space = embedder.space
    scores = all_scores(query, embedder.embed(views), space.similarity, space.dim)[0].astype(np.float64)  # (1 + P,)
    falls = np.zeros((cells, cells))
    seen = np.zeros((cells, cells))
    for (y, x), score in zip(places, scores[1:], strict=True):
        falls[y : y + 2, x : x + 2] += scores[0] - score
        seen[y : y + 2, x : x + 2] += 1
    return Explained(float(scores[0]), falls / seen)


def overlay(image: Image, falls: npt.NDArray[np.float64]) -> Image:
    """Return the image with what its score is made of in its own colours, and the rest dark and grey.

    Args:
        image: (H, W, 3) uint8.
        falls: (G, G) of ``explain``; what is not above zero counts as nothing.
    """
    from PIL import Image as Pillow

    height, width = image.shape[:2]
    share = np.clip(falls, 0, None)
    share = share / share.max() if share.max() > 0 else share
    mask = Pillow.fromarray((share * 255).round().astype(np.uint8)).resize((width, height), Pillow.Resampling.BICUBIC)
    weight = np.asarray(mask, np.float32)[..., None] / 255  # (H, W, 1)
    grey = image.astype(np.float32).mean(axis=2, keepdims=True) * 0.35
    shown: Image = (image * weight + grey * (1 - weight)).round().clip(0, 255).astype(np.uint8)
    return shown

"""Parts of images on their way into the store and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ..detect.box import rescaled
from ..images.decode import Decoded
from ..index.by_image import ByImage
from ..protocols import Store
from ..types import Region, Regions, Rows, Vectors

__all__ = ["best_regions", "in_original", "in_reduced", "joined", "split"]

Values = npt.NDArray[Any]


def in_original(boxes: Sequence[Region], decoded: Decoded) -> tuple[Region, ...]:
    """Return boxes in pixels of the decoded picture, which may be reduced, in those of the upright original."""
    height, width = decoded.pixels.shape[:2]
    return tuple(_moved(box, (width, height), (decoded.width, decoded.height)) for box in boxes)


def in_reduced(box: Region, decoded: Decoded) -> Region:
    """Return a box in pixels of the upright original in those of the decoded picture, which may be reduced."""
    height, width = decoded.pixels.shape[:2]
    return _moved(box, (decoded.width, decoded.height), (width, height))


def _moved(box: Region, old: tuple[int, int], new: tuple[int, int]) -> Region:
    if old == new:
        return box
    fractions = (box.x0 / old[0], box.y0 / old[1], box.x1 / old[0], box.y1 / old[1])
    return rescaled(fractions, *new, box.score, box.label)


def joined(whole: Values, parts: Regions) -> tuple[Values, tuple[Region, ...]]:
    """Return (1 + R, D) of one image and the boxes of its parts."""
    return np.concatenate([whole[None], parts.vectors]), parts.boxes


def split(vectors: Sequence[Values], boxes: Sequence[Sequence[Region]]) -> tuple[list[Values], Regions]:
    """Return the vectors (D,) of whole images, and their parts: what the store is given of (1 + R, D) an image."""
    counts = [len(some) for some in boxes]
    owners = np.repeat(np.arange(len(boxes), dtype=np.int64), counts)
    parts = np.concatenate([rows[1:] for rows in vectors])
    return [rows[0] for rows in vectors], Regions(owners, tuple(chain.from_iterable(boxes)), parts)


def best_regions(store: Store, index: ByImage, vector: Vectors, rows: Rows) -> dict[int, Region]:
    """Return of each image in ``rows`` the part that is more alike than the whole: row -> region, where one is."""
    better = index.better_parts(vector, rows)
    if not better:
        return {}
    parts = store.regions(index.space.name, sorted(better))
    starts = np.searchsorted(parts.owners, parts.owners)
    place = np.arange(len(parts)) - starts
    wanted = {(row, n) for row, n in better.items()}
    return {
        row: box
        for row, n, box in zip(parts.owners.tolist(), place.tolist(), parts.boxes, strict=True)
        if (row, n) in wanted
    }

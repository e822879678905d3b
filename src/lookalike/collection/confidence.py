"""Is the best score anything? A search of this kind returns something for everything; this tells when it is nothing.

What the collection's own images score with their nearest neighbour says what a find looks like here. A query whose
best score is below what 95% of them reach has found nothing that stands out. Measured with ``builtin-1`` on six kinds
of pictures, each searched with those of the five others: told so were 42-100% of the foreign queries in groceries,
logos and emoji (median of the 15 pairs 97%), 4-95% in two small sets of photographs (median 45%), and only 1-33% among
mixed photographs, whose own images have no near neighbours either. Of a collection's own images it is 5%, by
construction.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..index.by_image import ByImage
from ..index.exact import Exact
from ..index.scores import rough_scores
from ..types import MOST_REGIONS, Regions, Rows, Vectors, VectorSpace
from .near_pairs import NEAR

__all__ = ["COPIES", "SAMPLE", "expected_best", "least_of_copies", "nearest_scores", "sample"]

Scores = npt.NDArray[np.floating]

SAMPLE = 4096  # images; more would take memory and time that grow with the collection
QUERIES = 256  # of them search the others: the 5th percentile of so many is known to about 1.4 percentage points
FEWEST = 20  # below this every image is its own kind and nothing can be said
IDENTICAL = 0.999  # the score of two copies of one image, decoded in different ways
NEIGHBOURS = 20  # looked at to get past copies, where an image has parts
SHARE = 5.0  # per cent of the collection's own images that find less
COPIES = (NEAR, 0.95)  # the least score of near-copies lies between these


def sample(rows: Rows, *, seed: int) -> Rows:
    """Return at most SAMPLE of the rows (N,), drawn without replacement, in random order."""
    return rows[np.random.default_rng(seed).choice(len(rows), min(SAMPLE, len(rows)), replace=False)]


def nearest_scores(
    space: VectorSpace, vectors: Vectors, rows: Rows | None = None, parts: Regions | None = None
) -> Scores:
    """Return what images score with their nearest neighbour among (B, D) vectors in random order, copies apart.

    With ``parts`` of the images in ``rows`` (B,), a neighbour is found by the best of its parts too.

    Of QUERIES images at the most, fewer where some have nothing but copies; empty where there are too few to say. Of
    more than SAMPLE images a neighbour may be missing from the sample: the scores err downwards.
    """
    if len(vectors) < FEWEST:
        return np.empty(0, np.float32)
    if rows is not None and parts is not None and len(parts):
        places, scores = _by_best_part(space, vectors, rows, parts)
    else:
        scores, _ = rough_scores(vectors[:QUERIES], vectors, space.similarity, space.dim)  # (Q, B)
        places = np.broadcast_to(np.arange(len(vectors)), scores.shape)
    others = (places != np.arange(len(scores))[:, None]) & (scores < IDENTICAL)
    best: Scores = np.where(others, scores, -np.inf).max(axis=1)
    best = best[np.isfinite(best)]
    return best if len(best) >= FEWEST else best[:0]


def _by_best_part(
    space: VectorSpace, vectors: Vectors, rows: Rows, parts: Regions
) -> tuple[npt.NDArray[np.int64], Scores]:
    """Return the places (Q, NEIGHBOURS) of the nearest images and their scores: there may be many parts an image."""
    index, inside = Exact(space), Exact(space)
    index.add(np.arange(len(vectors), dtype=np.int64), vectors)
    order = np.argsort(rows)
    places_of = order[np.searchsorted(rows, parts.owners, sorter=order)]
    keys = places_of * MOST_REGIONS + np.arange(len(parts)) - np.searchsorted(parts.owners, parts.owners)
    inside.add(keys, parts.vectors)
    found = ByImage(index, inside, np.sort(keys)).search(vectors[:QUERIES], NEIGHBOURS)
    return found.rows, found.scores


def expected_best(nearest: Scores) -> float | None:
    """Return the score that 95% of images reach with their nearest neighbour; None of no scores."""
    return float(np.percentile(nearest, SHARE)) if len(nearest) else None


def least_of_copies(nearest: Scores) -> float | None:
    """Return the score from which an image is taken for a near-copy; None of no scores.

    A near-copy scores clearly more than what is usual between an image and its nearest other: as far above the upper
    quartile as that is above the median; in COPIES. Quartiles, so that it holds while a quarter of the images have
    copies. One fixed score does not do for all models and kinds of pictures: see benchmarks/copies.py.
    """
    if not len(nearest):
        return None
    middle, upper = np.percentile(nearest, (50, 75)).tolist()
    low, high = COPIES
    return float(min(max(2 * upper - middle, low), high))

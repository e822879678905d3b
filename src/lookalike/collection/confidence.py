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

from ..protocols import Searcher
from ..types import Rows

__all__ = ["expected_best", "sample"]

SAMPLE = 256  # the 5th percentile of so many is known to about 1.4 percentage points
FEWEST = 20  # below this every image is its own kind and nothing can be said
IDENTICAL = 0.999  # the score of two copies of one image, decoded in different ways
NEIGHBOURS = 20  # looked at to get past copies
SHARE = 5.0  # per cent of the collection's own images that find less


def sample(rows: Rows, *, seed: int) -> Rows:
    """Return at most SAMPLE of the rows (N,), drawn without replacement, ascending."""
    if len(rows) <= SAMPLE:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, SAMPLE, replace=False))


def expected_best(searcher: Searcher, rows: Rows) -> float | None:
    """Return the score that 95% of the images of ``rows`` reach with their nearest neighbour, copies apart.

    None when there are too few to say, or nothing but copies.
    """
    if len(rows) < FEWEST:
        return None
    found = searcher.search(searcher.vectors(rows), NEIGHBOURS)
    others = np.where((found.rows != rows[:, None]) & (found.scores < IDENTICAL), found.scores, -np.inf)
    best = others.max(axis=1)
    best = best[np.isfinite(best)]
    return float(np.percentile(best, SHARE)) if len(best) >= FEWEST else None

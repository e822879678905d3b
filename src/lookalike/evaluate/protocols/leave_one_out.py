"""(c) Each labelled image in turn is the query, and searches all the others; images without a label are distractors."""

from __future__ import annotations

import numpy as np

from ..truth.base import Ints
from ..truth.joining import Joined
from .plan import Ignored, Part, Plan
from .relevance import relevance_of

__all__ = ["labelled_rows", "plan"]


def plan(joined: Joined, seed: int = 0) -> Plan:
    """Every labelled image of the collection asks, by ascending row; one that is alone with its label is left out."""
    truth = joined.truth
    return Plan(
        name="leave-one-out",
        parts=(Part(labelled_rows(joined)),),
        relevance=relevance_of(joined),
        ignored=Ignored(joined, junk=truth.junk, same=truth.same),
        drop_lone=True,
    )


def labelled_rows(joined: Joined) -> Ints:
    """Return the positions of the images in the collection of which something is known, by ascending row."""
    truth = joined.truth
    present = np.flatnonzero(joined.rows >= 0)
    if truth.labels is not None:
        present = present[truth.labels.sizes[present] > 0]
    elif truth.pairs is not None:
        present = np.intersect1d(present, truth.pairs.query)
    by_row: Ints = present[np.argsort(joined.rows[present], kind="stable")]
    return by_row

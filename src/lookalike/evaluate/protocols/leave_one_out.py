"""(c) Each labelled image in turn is the query, and searches all the others; images without a label are distractors."""

from __future__ import annotations

import numpy as np

from ..truth.joining import Joined
from .plan import Ignored, Part, Plan
from .relevance import relevance_of

__all__ = ["plan"]


def plan(joined: Joined, seed: int = 0) -> Plan:
    """Every labelled image of the collection asks, by ascending row; one that is alone with its label is left out."""
    truth = joined.truth
    asking = np.flatnonzero(joined.rows >= 0)
    if truth.labels is not None:
        asking = asking[truth.labels.sizes[asking] > 0]
    elif truth.pairs is not None:
        asking = np.intersect1d(asking, truth.pairs.query)
    asking = asking[np.argsort(joined.rows[asking], kind="stable")]
    return Plan(
        name="leave-one-out",
        parts=(Part(asking),),
        relevance=relevance_of(joined),
        ignored=Ignored(joined, junk=truth.junk, same=truth.same),
        drop_lone=True,
    )

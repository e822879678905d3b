"""(b) A full base with all its distractors; the query images are not in it, even where they sit in the collection."""

from __future__ import annotations

import numpy as np

from ..truth.joining import Joined
from .plan import Ignored, Part, Plan, queries_of
from .relevance import relevance_of

__all__ = ["plan"]


def plan(joined: Joined, seed: int = 0) -> Plan:
    """The truth's queries search everything else."""
    truth = joined.truth
    asking = queries_of(joined)
    rows = joined.rows[asking]
    base = joined.all_rows if truth.base is None else joined.rows[truth.base]
    whole = truth.base is None and not (rows >= 0).any()
    return Plan(
        name="full",
        parts=(Part(asking, None if whole else np.setdiff1d(base[base >= 0], rows)),),
        relevance=relevance_of(joined),
        ignored=Ignored(joined, junk=truth.junk, same=truth.same),
    )

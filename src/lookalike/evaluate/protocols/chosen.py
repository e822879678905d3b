"""(a) The queries and their relevant images only, each with each: no distractors but one another.

Every query searches all of them, its own image left out. With labels, every labelled image is a query.
"""

from __future__ import annotations

import numpy as np

from ..truth.joining import Joined
from .leave_one_out import labelled_rows
from .plan import Ignored, Part, Plan
from .relevance import relevance_of

__all__ = ["plan"]


def plan(joined: Joined, seed: int = 0) -> Plan:
    """Queries search the union of queries and their relevant images."""
    truth = joined.truth
    queries = joined.queries
    if truth.pairs is not None:
        asking = labelled_rows(joined) if queries is None else queries
        mine = np.isin(truth.pairs.query, asking) & (truth.pairs.grades > 0)
        members = np.concatenate([asking, truth.pairs.item[mine]])
    else:
        members = labelled_rows(joined)
        asking = members if queries is None else queries
    rows = joined.rows[members]
    return Plan(
        name="chosen",
        parts=(Part(asking, np.unique(rows[rows >= 0])),),
        relevance=relevance_of(joined),
        ignored=Ignored(joined, junk=truth.junk, same=truth.same),
    )

"""(d) Queries search a gallery, with ignore rules: the same camera, the same sequence, junk.

An image that is query and gallery at once searches the rest of the gallery.
"""

from __future__ import annotations

import numpy as np

from ..truth.joining import Joined
from .plan import Ignored, Part, Plan, queries_of
from .relevance import relevance_of

__all__ = ["plan"]


def plan(joined: Joined, seed: int = 0) -> Plan:
    """The truth's queries search its gallery; the whole collection where it names none."""
    truth = joined.truth
    asking = queries_of(joined)
    base = None
    if truth.base is not None:
        rows = joined.rows[truth.base]
        base = np.unique(rows[rows >= 0])
    return Plan(
        name="query-gallery",
        parts=(Part(asking, base),),
        relevance=relevance_of(joined),
        ignored=Ignored(joined, junk=truth.junk, same=truth.same),
        facts={"ignored": [f"same {rule.column}{' and label' * rule.with_label}" for rule in truth.same]}
        if truth.same
        else {},
    )

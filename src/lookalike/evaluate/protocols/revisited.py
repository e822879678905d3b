"""(e) Revisited Oxford and Paris: easy, medium or hard, junk taken out of the ranking before ranks are counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import BadInput
from ..truth.joining import Joined
from .plan import Ignored, Part, Plan
from .relevance import relevance_of

__all__ = ["planner"]


def planner(variant: str) -> Callable[[Joined, int], Plan]:
    """Return the protocol of one variant of the truth."""

    def plan(joined: Joined, seed: int = 0) -> Plan:
        truth = joined.truth
        if variant not in truth.variants or joined.queries is None:
            raise BadInput(
                f"{truth.path} does not tell easy, hard and junk images apart.",
                hint="The revisited protocols need gnd_roxford5k.pkl or gnd_rparis6k.pkl.",
            )
        right, junk = truth.variants[variant]
        rows = joined.rows if truth.base is None else joined.rows[truth.base]
        return Plan(
            name=f"revisited-{variant}",
            parts=(Part(joined.queries, np.unique(rows[rows >= 0])),),
            relevance=relevance_of(joined, right),
            ignored=Ignored(joined, junk=junk if truth.junk is None else junk.and_also(truth.junk), same=truth.same),
        )

    return plan

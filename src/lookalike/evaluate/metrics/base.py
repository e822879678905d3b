"""What a metric is: a pure function, and the facts that a table, a plot or a test needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..judged import Judged

__all__ = ["Metric", "PerQuery", "Values", "share"]

Values = npt.NDArray[np.float64]  # (Q,), NaN where a query has nothing to find
PerQuery = Callable[[Judged, int], Values]  # the cut K is 0 for a metric without one


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        key: its name; ends in ``@K`` when it looks at the first K results only.
        per_query: the values of all queries, which averages, intervals, per-class tables and paired tests share.
        definition: one sentence.
        source: the paper, standard or program that the definition is taken from.
        best, worst: its bounds, and so its direction.
        unit: empty for a ratio.
    """

    key: str
    per_query: PerQuery
    definition: str
    source: str
    best: float = 1.0
    worst: float = 0.0
    unit: str = ""

    @property
    def takes_cut(self) -> bool:
        """Whether the key ends in ``@K``."""
        return self.key.endswith("@K")

    @property
    def higher_is_better(self) -> bool:
        """The direction."""
        return self.best > self.worst

    @property
    def stem(self) -> str:
        """The key without ``@K``."""
        return self.key.removesuffix("@K")


def share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Values:
    """Divide (Q,) by (Q,); NaN where the whole is 0, because nothing of nothing is neither good nor bad."""
    out = np.full(len(whole), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out

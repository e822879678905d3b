"""What a metric is: a pure function, and the facts that a table, a plot or a test needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..curve import Curve
from ..judged import Judged

__all__ = ["Agreement", "Metric", "PerQuery", "Pooled", "Values", "share"]

Values = npt.NDArray[np.float64]  # (Q,), NaN where a query has nothing to find
PerQuery = Callable[[Judged, int], Values]  # the cut K is 0 for a metric without one
Pooled = Callable[[Curve], npt.NDArray[np.float64]]  # curves (..., T) -> (...,)
Agreement = Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]  # labels (N,), clusters (N,) -> value


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric; exactly one of its three functions is set, and that is its kind.

    Attributes:
        key: its name; ends in ``@K`` when it looks at the first K results only.
        definition: one sentence.
        source: the paper, standard or program that the definition is taken from.
        per_query: the values of all queries, which averages, intervals, per-class tables and paired tests share.
        pooled: the value of all query–result pairs in one list.
        agreement: the value of clusters against classes.
        best, worst: its bounds, and so its direction.
        unit: empty for a ratio.
    """

    key: str
    definition: str
    source: str
    per_query: PerQuery | None = None
    pooled: Pooled | None = None
    agreement: Agreement | None = None
    best: float = 1.0
    worst: float = 0.0
    unit: str = ""

    def __post_init__(self) -> None:
        if (self.per_query, self.pooled, self.agreement).count(None) != 2:
            raise BadInput(f"the metric {self.key!r} needs exactly one of per_query, pooled and agreement")

    @property
    def kind(self) -> Literal["query", "pooled", "clusters"]:
        """What it is computed from."""
        if self.per_query is not None:
            return "query"
        return "pooled" if self.pooled is not None else "clusters"

    @property
    def takes_cut(self) -> bool:
        """Whether the key ends in ``@K``."""
        return self.key.endswith("@K")

    @property
    def higher_is_better(self) -> bool:
        """The direction."""
        return self.best > self.worst

    def values(self, judged: Judged, cut: int = 0) -> Values:
        """Return the (Q,) values of a metric of single queries.

        Raises:
            BadInput: the metric has no value of a single query, or needs a deeper ranking than was judged.
        """
        if self.per_query is None:
            raise BadInput(f"the metric {self.key!r} is of all queries together: it has no value for one of them.")
        return self.per_query(judged, cut)


def share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Values:
    """Divide (Q,) by (Q,); NaN where the whole is 0, because nothing of nothing is neither good nor bad."""
    out = np.full(len(whole), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out

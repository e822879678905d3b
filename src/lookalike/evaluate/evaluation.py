"""What one evaluation found: the value that tables, reports, comparisons and calibration are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import BadShape
from .judged import Judged
from .truth.base import Box

__all__ = ["Evaluation"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """Q queries searched under one protocol, and judged.

    Attributes:
        protocol: its name, and what it was asked to do: ``{"name": "leave-one-out", "queries": 64, "base": 138, ...}``;
            JSON values only.
        judged: the judged rankings; ``query_ids`` and ``classes`` are set.
        query_rows: int64 (Q,), the row of each query image in the collection; -1 for an image from outside.
        query_sources: where each query image is.
        shown: int64 (Q, T), the rows of the first T results after ignored ones are left out; -1 in unused slots.
        shown_scores: float32 (Q, T), their scores; -inf in unused slots.
        shown_grades: float32 (Q, T), how relevant each is; 0 for what is not.
        expected: row ids of each query's relevant images, best grade first, at most a few dozen a query.
        skipped: what was left out, by reason, with how many: ``{"unmatched": 2}``.
        query_boxes: (Q,) the part of its image that each query is; None: the whole. Empty: all are wholes.
    """

    protocol: Mapping[str, object]
    judged: Judged
    query_rows: npt.NDArray[np.int64]
    query_sources: tuple[str, ...]
    shown: npt.NDArray[np.int64]
    shown_scores: npt.NDArray[np.float32]
    shown_grades: npt.NDArray[np.float32]
    expected: tuple[npt.NDArray[np.int64], ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    query_boxes: tuple[Box | None, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.judged)
        if self.query_rows.shape != (count,) or len(self.query_sources) != count or len(self.expected) != count:
            raise BadShape(f"{count} judged queries need as many rows, sources and lists of expected images")
        if len(self.query_boxes) not in (0, count):
            raise BadShape(f"{count} judged queries need as many boxes or none, got {len(self.query_boxes)}")
        if self.shown.shape != self.shown_scores.shape or self.shown.shape != self.shown_grades.shape:
            raise BadShape("the shown rows, scores and grades must share a shape (Q, T)")
        if self.shown.ndim != 2 or len(self.shown) != count:
            raise BadShape(f"{count} judged queries need shown results of shape ({count}, T), got {self.shown.shape}")

    def __len__(self) -> int:
        return len(self.judged)

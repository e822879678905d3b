"""From a score to the probability that the result is relevant: what ``lookalike calibrate`` learns and search applies.

The map is monotone, so it changes no order; it is linear between its knots and constant beyond them. It belongs to
the scores of one embedder, which its fingerprint names, and to queries like those it was learnt from: single images.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadShape
from ..protocols import Store
from ..types import Query, VectorSpace

__all__ = ["Calibration", "covers", "read_calibration", "write_calibration"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Calibration:
    """The knots of the map, what it was learnt from, and how far off it is.

    Attributes:
        thresholds: float32 (T,), scores, strictly ascending; T > 0.
        probabilities: float32 (T,), in [0, 1], never falling.
        fingerprint: of the vector space whose scores these are.
        ece: expected calibration error on held-out queries, in [0, 1]; NaN when it could not be measured.
        ece_low, ece_high: the ends of its 95% interval; NaN when there were too few classes or queries.
        n: how many (query, result) pairs it was learnt from.
        queries: how many queries.
        depth: how many of the first results of each query were looked at.
        created: when, in ISO 8601, UTC.
    """

    thresholds: Floats
    probabilities: Floats
    fingerprint: str
    ece: float
    ece_low: float
    ece_high: float
    n: int
    queries: int
    depth: int
    created: str

    def __post_init__(self) -> None:
        if self.thresholds.ndim != 1 or not len(self.thresholds) or self.thresholds.shape != self.probabilities.shape:
            raise BadShape(
                "a calibration needs thresholds and probabilities of one shape (T,), T > 0, got "
                f"{self.thresholds.shape} and {self.probabilities.shape}"
            )
        if not np.isfinite(self.thresholds).all() or (np.diff(self.thresholds) <= 0).any():
            raise BadShape("the thresholds of a calibration must be finite and rise")
        inside = (self.probabilities >= 0) & (self.probabilities <= 1)
        if not inside.all() or (np.diff(self.probabilities) < 0).any():
            raise BadShape("the probabilities of a calibration must lie in [0, 1] and never fall")

    def relevance(self, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the probability of being relevant, of any shape; NaN for a score that is NaN."""
        return np.interp(np.asarray(scores, np.float64), self.thresholds, self.probabilities)

    def score_at(self, relevance: float) -> float | None:
        """Return the lowest score whose relevance is at least that; None when no score's is."""
        if not 0 <= relevance <= 1:
            raise BadInput(f"a relevance is a probability from 0 to 1, got {relevance}.")
        at = int(np.searchsorted(self.probabilities, relevance))  # the first knot that reaches it
        if at == len(self.probabilities):
            return None
        if at == 0:
            return float(self.thresholds[0])
        low, high = float(self.probabilities[at - 1]), float(self.probabilities[at])
        start, end = float(self.thresholds[at - 1]), float(self.thresholds[at])
        return start + (end - start) * (relevance - low) / (high - low)

    def to_text(self) -> str:
        """Return what a collection stores: JSON."""
        facts: dict[str, Any] = {
            "thresholds": self.thresholds.tolist(),
            "probabilities": self.probabilities.tolist(),
            "fingerprint": self.fingerprint,
            **{name: _none_for_nan(getattr(self, name)) for name in ("ece", "ece_low", "ece_high")},
            "n": self.n,
            "queries": self.queries,
            "depth": self.depth,
            "created": self.created,
        }
        return json.dumps(facts, allow_nan=False)

    @classmethod
    def from_text(cls, text: str) -> Calibration | None:
        """Read what ``to_text`` wrote; None for an empty text."""
        if not text:
            return None
        facts = json.loads(text)
        for name in ("thresholds", "probabilities"):
            facts[name] = np.asarray(facts[name], np.float32)
        for name in ("ece", "ece_low", "ece_high"):
            facts[name] = math.nan if facts[name] is None else facts[name]
        return cls(**facts)


def _none_for_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def read_calibration(store: Store, space: VectorSpace) -> Calibration | None:
    """Return the calibration of a space's scores; None when there is none, or it is of another fingerprint."""
    found = _parsed(store.setting(f"calibration:{space.name}"))
    return found if found is not None and found.fingerprint == space.fingerprint else None


def write_calibration(store: Store, space: VectorSpace, calibration: Calibration) -> None:
    """Store the calibration; searches apply it from now on.

    Raises:
        BadInput: it is of another embedder's scores. CollectionBusy: another process is writing.
    """
    if calibration.fingerprint != space.fingerprint:
        raise BadInput(
            f"the calibration is of {calibration.fingerprint}, the collection's vectors are of {space.fingerprint}.",
            hint="Calibrate with `lookalike calibrate --truth ...`.",
        )
    store.set_setting(f"calibration:{space.name}", calibration.to_text())


@lru_cache(maxsize=8)
def _parsed(text: str) -> Calibration | None:
    return Calibration.from_text(text)  # a server reads the same text for every search


def covers(query: Query) -> bool:
    """Return whether the query is of the kind that calibrations are learnt from: one image.

    Scores of words lie far below those of images, and a mean of several pictures scores in its own way too.
    """
    return len(query.items) == 1 and query.items[0].kind != "text" and query.items[0].weight > 0

"""Is the best score more than chance? A search of this kind returns something for everything; here is what tells.

The background is what two unrelated images of the collection score. Images that really are alike are few among all
pairs, so the median and the 84th percentile are little moved by them and describe it; the best of N unrelated images
is then expected about z(N) such spreads above the median, as for a normal distribution (Leadbetter et al., "Extremes",
1983, 1.7).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np

from ..types import Rows, Vectors

__all__ = ["Background", "measure", "sample"]

SAMPLE = 1024  # 2 MB of scores; the median of half a million pairs is known to three digits
IDENTICAL = 0.999  # the score of two copies of one image, decoded in different ways
FEWEST = 20  # below this every image is its own kind and nothing can be said


@dataclass(frozen=True, slots=True)
class Background:
    """The scores of unrelated images: median, and the distance from it up to the 84th percentile."""

    median: float
    spread: float

    def chance_level(self, count: int) -> float:
        """Return the score that the best of ``count`` unrelated images is expected to reach."""
        level = self.median + self.spread * NormalDist().inv_cdf(1 - 1 / max(count + 1, 2))
        return min(level, IDENTICAL)  # an image that is there itself always stands out

    def to_text(self) -> str:
        """Return what a collection stores."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Background | None:
        """Read what ``to_text`` wrote; None for an empty text."""
        return cls(**json.loads(text)) if text else None


def sample(rows: Rows, *, seed: int) -> Rows:
    """Return at most SAMPLE of the rows (N,), drawn without replacement."""
    if len(rows) <= SAMPLE:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, SAMPLE, replace=False))


def measure(vectors: Vectors) -> Background | None:
    """Measure the background on a sample (B, D) of unit vectors; None when there are too few to say."""
    if len(vectors) < FEWEST:
        return None
    scores = vectors.astype(np.float32) @ vectors.astype(np.float32).T  # (B, B)
    pairs = scores[np.triu_indices(len(vectors), k=1)]
    middle, high = np.percentile(pairs, [50, 84])
    return Background(float(middle), float(max(high - middle, 1e-6)))

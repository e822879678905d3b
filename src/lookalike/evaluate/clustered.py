"""Figures that need the vectors themselves: how well their clusters agree with the labels; beside all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..collection.together import Together
from ..errors import BadInput
from ..protocols import Searcher
from ..types import Vectors
from .judged import Judged
from .metrics import parse_metric
from .metrics.clusters import assign
from .summary import Average, Estimate, Unit, summarise
from .truth.base import Ints
from .truth.joining import Joined

__all__ = ["cluster_estimates", "summarise_all"]

RESAMPLES = 200  # each computes the agreement anew, and the expected one of ami takes milliseconds
_WIDTH = 1.96  # standard deviations to each end of a 95% interval


def summarise_all(
    judged: Judged,
    keys: Sequence[str],
    *,
    searcher: Searcher,
    joined: Joined,
    average: Average = "micro",
    by: Unit | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return what ``summarise`` does, also of the metrics of clusters, which look at vectors and not at rankings.

    Raises:
        BadInput: as in ``summarise``; or clusters without one label an image.
    """
    clusters = [key for key in keys if parse_metric(key)[0].kind == "clusters"]
    rest = [key for key in keys if key not in clusters]
    out = summarise(judged, rest, average=average, by=by, seed=seed) if rest else {}
    if clusters:
        out |= cluster_estimates(searcher, joined, clusters, seed=seed)
    return {key: out[key] for key in keys}


def cluster_estimates(searcher: Searcher, joined: Joined, keys: Sequence[str], *, seed: int = 0) -> dict[str, Estimate]:
    """Cluster the labelled images by k-means, one cluster a label, and return how well both agree.

    The interval is the value and 1.96 standard deviations to both sides, of 200 resamples of the images with the
    clusters as they are (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 12), cut at the metric's
    bounds. It does not hold what another start of k-means would give. Percentiles of the resamples would lie too high:
    an image that is drawn twice agrees with itself.

    Args:
        searcher: gives the vectors.
        joined: the truth; images without a label are left out, and images that its boxes cut count by these parts.
        keys: ``nmi``, ``ami``.
        seed: of k-means and of the interval.

    Raises:
        BadInput: a truth of pairs, an image with several labels, several spaces together, or vectors of bits.
        MissingExtra: scikit-learn is not installed.
    """
    at = _labelled(joined)
    labels = joined.truth.labels
    assert labels is not None  # checked there
    classes, named = np.unique(labels.codes[labels.starts[at]], return_inverse=True)
    vectors = _vectors(searcher, joined, at)
    found = assign(vectors, len(classes), seed=seed)
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, len(at), len(at)) for _ in range(RESAMPLES)]
    out = {}
    for key in keys:
        metric = parse_metric(key)[0]
        if metric.agreement is None:
            raise BadInput(f"{key!r} is no metric of clusters.")
        value = metric.agreement(named, found)
        spread = np.std([metric.agreement(named[drawn], found[drawn]) for drawn in draws], ddof=1)
        half = _WIDTH * float(spread) if len(at) > 1 else np.nan
        low, high = max(value - half, min(value, metric.worst)), min(value + half, metric.best)
        out[key] = Estimate(value, low if len(at) > 1 else np.nan, high if len(at) > 1 else np.nan, len(at))
    return out


def _labelled(joined: Joined) -> Ints:
    """Return the positions in the truth of the images that have a label, each of them one."""
    labels = joined.truth.labels
    if labels is None:
        raise BadInput(
            f"clusters are compared with labels, and {joined.truth.path} has pairs.", hint="Leave nmi and ami out."
        )
    there = (joined.rows >= 0) & (labels.sizes > 0)
    if (labels.sizes[there] > 1).any():
        name = joined.truth.names[int(np.argmax(there & (labels.sizes > 1)))]
        raise BadInput(
            f"clusters are compared with one label an image, and {name!r} has several.", hint="Leave nmi and ami out."
        )
    return np.flatnonzero(there)


def _vectors(searcher: Searcher, joined: Joined, at: Ints) -> Vectors:
    """Return the vectors (N, D) of these positions of the truth."""
    if isinstance(searcher, Together):
        raise BadInput(
            "several spaces together have no vectors that could be clustered.", hint="Leave nmi and ami out."
        )
    vectors = searcher.vectors(joined.rows[at])
    if vectors.dtype == np.uint8:
        raise BadInput("clusters are made of float vectors, and these are bits.", hint="Leave nmi and ami out.")
    parts = joined.parts
    if parts is None or not joined.truth.boxes_in_base:
        return vectors
    vectors = vectors.copy()
    for place, each in enumerate(at.tolist()):
        if each in parts.place:
            vectors[place] = parts.vectors[parts.place[each]]
    return vectors

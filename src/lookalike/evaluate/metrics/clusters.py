"""How well clusters of the vectors agree with the classes: normalised and adjusted mutual information.

The clusters are k-means' with as many as there are classes, as in metric learning. NMI rises with the number of
clusters even for random ones (Musgrave et al. 2020); AMI subtracts what chance gives.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import BadInput, BadShape, MissingExtra
from ...types import Vectors
from .base import Metric

__all__ = ["METRICS", "adjusted_mutual_information", "assign", "cluster_agreement", "normalised_mutual_information"]

Labels = npt.NDArray[Any] | Sequence[Any]


def normalised_mutual_information(labels: Labels, clusters: Labels) -> float:
    """Return mutual information / arithmetic mean of the two entropies, in [0, 1]."""
    return float(_sklearn("metrics").normalized_mutual_info_score(labels, clusters, average_method="arithmetic"))


def adjusted_mutual_information(labels: Labels, clusters: Labels) -> float:
    """Return (MI - expected MI) / (mean entropy - expected MI): 0 for chance, at most 1, and may be under 0."""
    return float(_sklearn("metrics").adjusted_mutual_info_score(labels, clusters, average_method="arithmetic"))


def assign(vectors: Vectors, clusters: int, *, seed: int = 0, restarts: int = 4) -> npt.NDArray[np.int64]:
    """Return (N,): the k-means cluster of each vector (N, D); the best of ``restarts`` runs.

    Raises:
        BadShape: vectors that are not (N, D) and finite.
        BadInput: fewer vectors than clusters.
        MissingExtra: scikit-learn is not installed.
    """
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise BadShape(f"vectors must be finite and of shape (N, D), got {vectors.shape}")
    if not 1 <= clusters <= len(vectors):
        raise BadInput(f"{len(vectors)} vectors cannot be put into {clusters} clusters.")
    kmeans = _sklearn("cluster").KMeans(clusters, n_init=restarts, random_state=seed)
    with warnings.catch_warnings():
        # Fewer distinct vectors than clusters (exact duplicates) leaves clusters empty, which harms nothing here.
        warnings.simplefilter("ignore", _sklearn("exceptions").ConvergenceWarning)
        return np.asarray(kmeans.fit_predict(vectors), np.int64)


def cluster_agreement(vectors: Vectors, labels: Labels, *, seed: int = 0) -> dict[str, float]:
    """Return ``nmi`` and ``ami`` of k-means clusters of the vectors (N, D), one cluster a class, with labels (N,)."""
    classes, named = np.unique(np.asarray(labels), return_inverse=True)
    if named.shape != (len(vectors),):
        raise BadShape(f"{len(vectors)} vectors need labels of shape ({len(vectors)},), got {named.shape}")
    found = assign(vectors, len(classes), seed=seed)
    return {metric.key: metric.agreement(named, found) for metric in METRICS if metric.agreement is not None}


def _sklearn(part: str) -> Any:
    """Import a part of scikit-learn, which is optional and slow to load."""
    from importlib import import_module

    try:
        return import_module(f"sklearn.{part}")
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            f"the agreement of clusters needs the package {missing.name!r}, which is not installed.",
            hint="Try: pip install 'lookalike[evaluate]'",
        ) from missing


METRICS = (
    Metric(
        key="nmi",
        agreement=normalised_mutual_information,
        definition="The mutual information of classes and k-means clusters, divided by the mean of their entropies.",
        source="Vinh, Epps and Bailey, JMLR 2010, NMI_sum; scikit-learn",
    ),
    Metric(
        key="ami",
        agreement=adjusted_mutual_information,
        definition="The same, with the value expected of random clusters subtracted from both parts.",
        source="Vinh, Epps and Bailey, JMLR 2010, AMI_sum; scikit-learn",
    ),
)

"""The score of two vectors, defined once: float64 arithmetic in a fixed order, rounded to float32.

Of bits it is a count, which has no rounding but the last. ``bits`` says how many a packed row holds; it is needed for
hamming alone.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from ..types import Bits, Similarity, Vectors
from .hamming import agreement, distances, pair_distances

__all__ = ["all_scores", "pair_scores", "rough_scores", "some_scores"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_EPS32 = 2.0**-24  # the largest relative error of one rounding
_EPS64 = 2.0**-53
_PAIRS_BYTES = 4 << 20  # float64 values gathered at a time


def pair_scores(queries: Vectors, vectors: Vectors, similarity: Similarity, bits: int = 0) -> Floats:
    """Return (B,) scores of (B, D) with (B, D), row by row.

    ``cosine``: the dot product, clipped to [-1, 1]. ``l2``: minus the squared distance. ``hamming``: the part of the
    bits that are equal. Each row is summed in the same
    order wherever it stands, so equal vectors get equal scores, whatever the batch.
    """
    if similarity == "hamming":
        return agreement(pair_distances(*_packed(queries, vectors)), bits)
    left, right = queries.astype(np.float64), vectors.astype(np.float64)
    if similarity == "l2":
        left -= right
        scores = -np.einsum("ij,ij->i", left, left) + 0.0  # no negative zero
    else:
        scores = np.clip(np.einsum("ij,ij->i", left, right), -1.0, 1.0)
    return np.asarray(scores, np.float32)


def some_scores(
    queries: Vectors,
    vectors: Vectors,
    query: npt.NDArray[np.intp],
    at: npt.NDArray[np.intp],
    similarity: Similarity,
    bits: int = 0,
) -> Floats:
    """Return the ``pair_scores`` of ``queries[query]`` with ``vectors[at]``; gathers a few at a time."""
    scores = np.empty(len(query), np.float32)
    step = max(1, _PAIRS_BYTES // (16 * vectors.shape[1]))
    for start in range(0, len(query), step):
        part = slice(start, start + step)
        scores[part] = pair_scores(queries[query[part]], vectors[at[part]], similarity, bits)
    return scores


def all_scores(queries: Vectors, vectors: Vectors, similarity: Similarity, bits: int = 0) -> Floats:
    """Return (Q, B): the ``pair_scores`` of every pair, at about half the speed of a float32 matrix product.

    A float64 product rounds to the same float32 as the fixed order does, unless the boundary between two float32s lies
    within its error bound; those few pairs are computed again.
    """
    if similarity == "hamming":
        return agreement(distances(*_packed(queries, vectors)), bits)
    left, right = queries.astype(np.float64), vectors.astype(np.float64)
    scores, error = _from_products(left @ right.T, left, right, similarity, _EPS64)
    low = (scores - error[:, None]).astype(np.float32)
    result: Floats = (scores + error[:, None]).astype(np.float32)
    query, at = np.nonzero(low != result)
    result[query, at] = some_scores(queries, vectors, query, at, similarity)
    return np.clip(result, -1.0, 1.0, out=result) if similarity == "cosine" else result


def rough_scores(queries: Vectors, vectors: Vectors, similarity: Similarity, bits: int = 0) -> tuple[Floats, Floats]:
    """Return float32 scores (Q, B), and how far each query's may be from the exact ones (Q,)."""
    if similarity == "hamming":
        return all_scores(queries, vectors, similarity, bits), np.zeros(len(queries), np.float32)
    alone = len(queries) == 1  # BLAS is twice as fast when it is told that this is a matrix with a vector
    products = (vectors @ queries[0])[None] if alone else queries @ vectors.T
    scores, error = _from_products(products, queries, vectors, similarity, _EPS32)
    return scores.astype(np.float32, copy=False), error.astype(np.float32)


def _from_products(
    products: Doubles | Floats, queries: Doubles | Floats, vectors: Doubles | Floats, similarity: Similarity, eps: float
) -> tuple[Doubles | Floats, Doubles]:
    """Return scores (Q, B) from dot products, and a bound of their error for each query.

    In whatever order a dot product is summed, its error is at most D u / (1 - D u) |q| |v| (Higham, Accuracy and
    Stability of Numerical Algorithms, 2nd ed., eq. 3.5, with Cauchy-Schwarz); the rest is room for what is done to it
    before and after, and for numbers so small that they are flushed to zero.
    """
    dim = vectors.shape[1]
    tiny = dim * 1e-37
    if similarity == "cosine":
        return products, np.full(len(queries), 1.02 * (dim + 4) * eps + tiny)  # lengths are 1 within a thousandth
    left, right = (np.einsum("ij,ij->i", each, each) for each in (queries, vectors))
    reach = (np.sqrt(left) + np.sqrt(right.max(initial=0))).astype(np.float64) ** 2
    return 2 * products - right - left[:, None], 4 * (dim + 8) * eps * reach + tiny


def _packed(queries: Vectors, vectors: Vectors) -> tuple[Bits, Bits]:
    return cast(Bits, queries), cast(Bits, vectors)

"""The k best of a stream of blocks, kept exactly while nearly all the work is one float32 matrix product a block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..types import Rows, Similarity, Vectors

__all__ = ["Best", "exact_scores"]

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]

_PAIRS_BYTES = 4 << 20  # float64 values gathered at a time while survivors are rescored
_EPS = 2.0**-24  # half a unit in the last place of float32, relative


def exact_scores(queries: Vectors, vectors: Vectors, similarity: Similarity) -> Floats:
    """Return (B,) scores of pairs of rows: float64 arithmetic rounded to float32.

    Each row is summed in the same order wherever it stands, so equal vectors get equal scores.
    """
    left, right = queries.astype(np.float64), vectors.astype(np.float64)
    if similarity == "l2":
        left -= right
        scores = -np.einsum("ij,ij->i", left, left)
    else:
        scores = np.clip(np.einsum("ij,ij->i", left, right), -1.0, 1.0)
    return np.asarray(scores, np.float32)


class Best:
    """The k best rows of each query among all blocks offered so far.

    Args:
        queries: (Q, D) float32.
        k: how many to keep, > 0.
        similarity: cosine or l2.
    """

    def __init__(self, queries: Vectors, k: int, similarity: Similarity) -> None:
        self._queries = queries
        self._k = k
        self._similarity = similarity
        self._norms = np.sqrt(np.einsum("ij,ij->i", queries, queries, dtype=np.float64))  # (Q,)
        self._rows = np.full((len(queries), k), -1, np.int64)
        self._scores = np.full((len(queries), k), -np.inf, np.float32)
        # Survivors that have not been merged yet: query, row, score.
        self._waiting: list[tuple[Positions, Rows, Floats]] = []
        self._count = 0
        self._full = False  # every query has k rows, so the k-th score is a threshold

    def offer(self, rows: Rows, vectors: Vectors) -> None:
        """Consider a block; (B,) rows ascending, (B, D) vectors."""
        approximate, error = self._approximate(vectors)  # (Q, B), (Q,)
        # What may belong to the k best: at most twice the error below the k-th, once for each of the two compared.
        floor = self._scores[:, -1] - 2 * error
        kept = approximate >= floor[:, None]
        if len(rows) > self._k and (not self._full or np.count_nonzero(kept) > 8 * self._k * len(approximate)):
            kth = np.partition(approximate, len(rows) - self._k, axis=1)[:, len(rows) - self._k]
            kept = approximate >= np.maximum(floor, kth - 2 * error)[:, None]
        found = np.flatnonzero(kept)
        if not len(found):
            return
        query, at = np.divmod(found, len(rows))
        self._waiting.append((query, rows[at], self._rescored(query, at, vectors)))
        self._count += len(found)
        if not self._full or self._count > max(self._k * len(approximate) // 2, 256):
            self._merge()

    def result(self) -> tuple[Rows, Floats]:
        """Return rows (Q, k) and scores (Q, k), best first, equal scores by lower row; unused slots -1 and -inf."""
        self._merge()
        return self._rows, self._scores

    def _approximate(self, vectors: Vectors) -> tuple[Floats, npt.NDArray[np.float32]]:
        """Return float32 scores (Q, B) and how far each may be from the exact one, per query."""
        alone = len(self._queries) == 1
        products = (vectors @ self._queries[0])[None] if alone else self._queries @ vectors.T
        # Any order of summation: |error| <= gamma_D * sum |q_i v_i| <= gamma_D * |q| |v| (Higham, Accuracy and
        # Stability of Numerical Algorithms, 2nd ed., eq. 3.5); 4 more for the roundings before and after.
        gamma = (vectors.shape[1] + 4) * _EPS
        if self._similarity == "cosine":
            return products, (gamma * 1.01 * np.maximum(self._norms, 1)).astype(np.float32)
        squares = np.einsum("ij,ij->i", vectors, vectors)  # (B,)
        longest = float(np.sqrt(squares.max(initial=0)))
        scores = 2 * products - squares - (self._norms**2).astype(np.float32)[:, None]
        return scores, (4 * gamma * (self._norms + longest) ** 2).astype(np.float32)

    def _rescored(self, query: Positions, at: Positions, vectors: Vectors) -> Floats:
        scores = np.empty(len(query), np.float32)
        step = max(1, _PAIRS_BYTES // (16 * vectors.shape[1]))
        for start in range(0, len(query), step):
            part = slice(start, start + step)
            scores[part] = exact_scores(self._queries[query[part]], vectors[at[part]], self._similarity)
        return scores

    def _merge(self) -> None:
        if not self._waiting:
            return
        n = len(self._queries)
        held = np.flatnonzero(self._rows.ravel() >= 0)
        query = np.concatenate([held // self._k, *(w[0] for w in self._waiting)])
        rows = np.concatenate([self._rows.ravel()[held], *(w[1] for w in self._waiting)])
        scores = np.concatenate([self._scores.ravel()[held], *(w[2] for w in self._waiting)])
        self._waiting, self._count = [], 0
        order = np.lexsort((rows, -scores, query))
        query, rows, scores = query[order], rows[order], scores[order]
        rank = np.arange(len(query)) - np.searchsorted(query, np.arange(n))[query]
        top = rank < self._k
        self._rows[query[top], rank[top]] = rows[top]
        self._scores[query[top], rank[top]] = scores[top]
        self._full = bool((self._rows[:, -1] >= 0).all())

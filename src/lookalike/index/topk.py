"""The k best of a stream of blocks: nearly all the work is one float32 matrix product a block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..types import Rows, Similarity, Vectors
from .scores import all_scores, rough_scores, some_scores

__all__ = ["Best"]

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]

_GROUPS_A_RESULT = 5  # then about a tenth more scores than k reach the bound


class Best:
    """The k best rows of each query among all blocks offered so far.

    A float32 product with a bound of its error tells which few may be among the best; only their exact scores are
    computed and compared.

    Args:
        queries: (Q, D) float32.
        k: how many to keep, > 0.
        similarity: cosine, l2 or hamming.
        bits: how many a row holds, for hamming.
    """

    def __init__(self, queries: Vectors, k: int, similarity: Similarity, bits: int = 0) -> None:
        self._queries = queries
        self._k = k
        self._similarity = similarity
        self._bits = bits
        self._rows = np.full((len(queries), k), -1, np.int64)
        self._scores = np.full((len(queries), k), -np.inf, np.float32)
        self._waiting: list[tuple[Positions, Rows, Floats]] = []  # query, row, score: survivors not merged yet
        self._count = 0
        self._full = False  # every query has k rows, so its k-th score is a threshold

    def offer(self, rows: Rows, vectors: Vectors) -> None:
        """Consider a block: (B,) rows and (B, D) vectors."""
        rough, error = rough_scores(self._queries, vectors, self._similarity, self._bits)  # (Q, B), (Q,)
        # Twice the error below the k-th: once for the one compared, once for the k-th where that is rough too.
        floor = self._scores[:, -1] - 2 * error
        kept = rough >= floor[:, None]
        crowded = not self._full or np.count_nonzero(kept) > 8 * self._k * len(rough)
        if crowded and len(rows) > self._k:
            kept = rough >= np.maximum(floor, _at_most_kth(rough, self._k) - 2 * error)[:, None]
        query, at = np.divmod(np.flatnonzero(kept), len(rows))
        if not len(query):
            return
        if len(query) * 16 > kept.size:  # then computing all is faster than gathering some
            scores = all_scores(self._queries, vectors, self._similarity, self._bits)[query, at]
        else:
            scores = some_scores(self._queries, vectors, query, at, self._similarity, self._bits)
        self._waiting.append((query, rows[at], scores))
        self._count += len(query)
        # Merging late is cheaper and leaves the threshold lower; half the result is a fair bargain (measured).
        if not self._full or self._count > max(self._k * len(rough) // 2, 256):
            self._merge()

    def result(self) -> tuple[Rows, Floats]:
        """Return rows (Q, k) and scores (Q, k), best first, equal scores by lower row; unused slots -1 and -inf."""
        self._merge()
        return self._rows, self._scores

    def _merge(self) -> None:
        if not self._waiting:
            return
        held = np.flatnonzero(self._rows.ravel() >= 0)
        query = np.concatenate([held // self._k, *(waiting[0] for waiting in self._waiting)])
        rows = np.concatenate([self._rows.ravel()[held], *(waiting[1] for waiting in self._waiting)])
        scores = np.concatenate([self._scores.ravel()[held], *(waiting[2] for waiting in self._waiting)])
        self._waiting, self._count = [], 0
        order = _best_first(query, rows, scores)
        query, rows, scores = query[order], rows[order], scores[order]
        first = np.searchsorted(query, np.arange(len(self._queries)))
        rank = np.arange(len(query)) - first[query]
        top = rank < self._k
        self._rows[query[top], rank[top]] = rows[top]
        self._scores[query[top], rank[top]] = scores[top]
        self._full = bool((self._rows[:, -1] >= 0).all())


def _at_most_kth(rough: Floats, k: int) -> Floats:
    """Return (Q,): a bound just below the k-th largest of each row of (Q, B), B > k.

    The k-th largest of the maxima of disjoint groups: k scores reach it. Maxima cost one pass, and there are few of
    them to part; with groups enough, hardly more scores reach it than the k best.
    """
    width = rough.shape[1]
    groups = _GROUPS_A_RESULT * k
    if width < 2 * groups:
        return np.partition(rough, width - k, axis=1)[:, width - k]
    deep = width // groups
    maxima = rough[:, : deep * groups].reshape(len(rough), deep, groups).max(axis=1)
    return np.partition(maxima, groups - k, axis=1)[:, groups - k]


def _best_first(query: Positions, rows: Rows, scores: Floats) -> Positions:
    """Return the order by query, then higher score, then lower row; scores are finite.

    One sort of whole numbers that hold query and score takes a fraction of the time of three sorts; only where scores
    tie within a query do the rows matter.
    """
    bits = (scores + np.float32(0)).view(np.int32)  # no negative zero
    rising = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits)  # ordered as the floats are
    keys = (query.astype(np.int64) << 32) - rising
    order = np.argsort(keys)
    ranked = keys[order]
    return np.lexsort((rows, keys)) if (ranked[1:] == ranked[:-1]).any() else order

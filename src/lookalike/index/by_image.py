"""Several vectors an image: that of the whole and those of its parts. A search gives each image once, by its best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..protocols import Index
from ..types import MOST_REGIONS, Candidates, Rows, Vectors, VectorSpace

__all__ = ["ByImage"]

Floats = npt.NDArray[np.float32]

_DEEPER = 4  # times as deep with each look, until there are enough images among the parts
_HELD = 4 << 20  # parts held at a time: 50 MB


class ByImage:
    """Searches whole images and parts of images as one; exact where both indexes are.

    Args:
        wholes: of whole images; its ids are their rows.
        parts: of parts of them; its ids are ``row * MOST_REGIONS + n``.
        keys: int64 (P,), the ids in ``parts``, ascending.
    """

    def __init__(self, wholes: Index, parts: Index, keys: Rows) -> None:
        self._wholes = wholes
        self._parts = parts
        self._keys = keys

    def __repr__(self) -> str:
        return f"ByImage({self._wholes!r}, {self._parts!r})"

    @property
    def space(self) -> VectorSpace:
        """What the vectors mean."""
        return self._wholes.space

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k best images of each query, each by the best of its vectors; equal scores by lower row.

        Args:
            vectors: (Q, D).
            k: how many, > 0; slots that nothing fills hold row -1 and score -inf.
            allowed: the images to search among; None means all.
        """
        wholes = self._wholes.search(vectors, k, allowed=allowed)
        # An image that is not among the k best by its whole nor by its parts has k better ones: it is not among the k.
        part_rows, part_scores = self._best_images(vectors, k, self._keys_of(allowed))
        rows = np.concatenate([wholes.rows, part_rows], axis=1)
        scores = np.concatenate([wholes.scores, part_scores], axis=1)
        found = Candidates(np.full((len(rows), k), -1, np.int64), np.full((len(rows), k), -np.inf, np.float32))
        for query in range(len(rows)):
            order = np.lexsort((rows[query], -scores[query]))
            order = order[rows[query, order] >= 0]
            order = order[_first_of(rows[query, order])][:k]
            found.rows[query, : len(order)] = rows[query, order]
            found.scores[query, : len(order)] = scores[query, order]
        return found

    def better_parts(self, vector: Vectors, rows: Rows) -> dict[int, int]:
        """Return which part of an image is more alike than the whole: row -> n; of the images where one is.

        Args:
            vector: (1, D), the query.
            rows: the images that are looked at.
        """
        keys = self._keys_of(rows)
        if not len(rows) or keys is None or not len(keys):
            return {}
        wholes = self._wholes.search(vector, len(rows), allowed=rows)
        whole = dict(wholes.pairs(0))
        parts = self._parts.search(vector, len(keys), allowed=keys)
        better: dict[int, int] = {}
        for key, score in parts.pairs(0):
            row, place = divmod(key, MOST_REGIONS)
            if row not in better and score > whole.get(row, -np.inf):
                better[row] = place
        return better

    def _keys_of(self, rows: Rows | None) -> Rows | None:
        return None if rows is None else self._keys[np.isin(self._keys // MOST_REGIONS, rows)]

    def _best_images(self, vectors: Vectors, k: int, only: Rows | None) -> tuple[Rows, Floats]:
        """Return (Q, k) images and scores by their parts alone, best first."""
        total = len(self._keys) if only is None else len(only)
        rows = np.full((len(vectors), k), -1, np.int64)
        scores = np.full((len(vectors), k), -np.inf, np.float32)
        todo = np.arange(len(vectors) if total else 0)
        depth = min(total, _DEEPER * k + 32)
        while len(todo):
            missing: list[int] = []
            step = max(1, _HELD // depth)
            for start in range(0, len(todo), step):
                some = todo[start : start + step]
                found = self._parts.search(vectors[some], depth, allowed=only)
                for query, keys, best in zip(some.tolist(), found.rows, found.scores, strict=True):
                    images = keys[keys >= 0] // MOST_REGIONS
                    first = _first_of(images)[:k]
                    if len(first) < k and depth < total and len(images) == depth:
                        missing.append(query)
                        continue
                    rows[query, : len(first)] = images[first]
                    scores[query, : len(first)] = best[first]
            todo, depth = np.array(missing, np.int64), min(total, depth * _DEEPER)
        return rows, scores


def _first_of(numbers: Rows) -> npt.NDArray[np.intp]:
    """Return, ascending, where each number stands first."""
    return np.sort(np.unique(numbers, return_index=True)[1])

"""The user's whole search as a ``Searcher``: several spaces, metadata and all. Evaluation and ``weigh`` run it."""

from __future__ import annotations

import numpy as np

from ..errors import BadInput
from ..protocols import Store
from ..types import Candidates, Query, QueryItem, Rows, Vectors
from .pipeline import How, Pipeline

__all__ = ["Together"]

_HALF = 1 << 20  # rows are carried as two float32 numbers below it, which hold them exactly


class Together:
    """Searches by stored images as ``Collection.search`` does; keeps the ``Searcher`` protocol.

    A ranking of several spaces has no vector of its own: what stands for the vector of a stored image is its row, and
    searching looks the image up and ranks as for any query by id.

    Args:
        pipeline: of the collection's own space.
        store: the collection's.
        how: what is searched, and what counts.
    """

    def __init__(self, pipeline: Pipeline, store: Store, how: How) -> None:
        self._pipeline = pipeline
        self._store = store
        self._how = how

    def vectors(self, ids: Rows) -> Vectors:
        """Return (B, 2) float32 that ``search`` takes for the rows."""
        rows = np.asarray(ids, np.int64)
        return np.stack([rows // _HALF, rows % _HALF], axis=1).astype(np.float32)

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k best of each of (Q, 2) queries, as ``vectors`` gives them.

        Raises:
            BadInput: vectors that are not of stored images.
        """
        halves = np.asarray(vectors, np.float64)
        if halves.ndim != 2 or halves.shape[1] != 2:
            raise BadInput("several spaces together are searched by stored images, not by vectors from elsewhere.")
        wanted = (halves[:, 0] * _HALF + halves[:, 1]).astype(np.int64)
        rows = np.full((len(wanted), k), -1, np.int64)
        scores = np.full((len(wanted), k), -np.inf, np.float32)
        for place, record in enumerate(self._store.get_rows(wanted)):
            if record is None:
                raise BadInput(f"row {wanted[place]} is no stored image.")
            query = Query((QueryItem("id", record.id),))
            found, values = self._pipeline.ranking(query, self._how, allowed=allowed).first(k)
            rows[place, : len(found)], scores[place, : len(found)] = found, values
        return Candidates(rows, scores)

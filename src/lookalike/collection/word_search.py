"""Words in names and metadata: ranked by the store's full-text index, alone or fused with the vectors' ranking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadQuery
from ..protocols import Store
from ..types import Query, QueryItem, Region, Rows

__all__ = ["FUSED", "FindRegions", "Ranked", "Ranking", "by_words", "fuse", "no_regions", "with_words"]

FUSED = 1000  # the first of each list that are fused: further ones would add less than 1 / 1060 to a score
_K = 60  # of reciprocal-rank fusion; the paper's value

FoundBy = Literal["vector", "text", "both"]
Ranked = tuple[Rows, npt.NDArray[np.floating]]
First = Callable[[int], Ranked]
FindRegions = Callable[[Rows], dict[int, Region]]


def no_regions(rows: Rows) -> dict[int, Region]:
    """Return that no image was found by a part of it."""
    return {}


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """One query's ranking, looked at as deep as is needed.

    Attributes:
        first: gives the first n rows and their scores, best first; fewer only where there are no more.
        found_by: which search found a row that ``first`` gave.
        by: whose scale the scores are on: of the vectors, of the words, or of the fusion of both.
        regions: gives, of images, the part by which each was found, where it was found by one; row -> region.
    """

    first: First
    found_by: Callable[[int], FoundBy]
    by: FoundBy
    regions: FindRegions = no_regions


def by_words(store: Store, words: Sequence[QueryItem], allowed: Rows | None = None) -> Ranking:
    """Rank what has any of the words, by BM25; what has a word that is taken away, or is not allowed, is left out."""
    wanted, unwanted = _texts(words)
    only = None if allowed is None else set(allowed.tolist())

    def first(depth: int) -> Ranked:
        found = store.find_words(wanted, without=unwanted, limit=None if only is not None else depth)
        if only is not None:
            found = [(row, score) for row, score in found if row in only][:depth]
        return np.array([row for row, _ in found], np.int64), np.array([score for _, score in found], np.float64)

    return Ranking(first, lambda row: "text", "text")


def with_words(
    store: Store,
    query: Query,
    vector_ranking: Callable[[Query], Ranking],
    allowed: Rows | None = None,
    *,
    reads: Callable[[QueryItem], bool] = lambda item: False,
) -> Ranking:
    """Rank a query of words, or of words and pictures, in a space that understands no words, or few.

    Words alone are ranked by ``by_words``. Pictures and words are two rankings, fused by ``fuse``, each with the sum
    of its items' weights. Words that are only taken away leave the pictures' ranking without what has them. Words that
    the space ``reads`` stand in both rankings; where no name has them, the vectors' stays as it is.

    Args:
        store: where words are looked for.
        query: what is searched for, with at least one item of words.
        vector_ranking: ranks the part of it that is pictures, and words that are read, among the allowed rows.
        allowed: the rows that may be found; None: all.
        reads: tells of an item of words whether the space understands it.

    Raises:
        BadQuery: pictures are taken away from words, or nothing is searched for.
    """
    words = [item for item in query.items if item.kind == "text"]
    pictures = [item for item in query.items if item.kind != "text"]
    seen = [item for item in query.items if item.kind != "text" or reads(item)]
    wanted, unwanted = _texts(words)
    if pictures and all(item.weight < 0 for item in pictures):
        raise BadQuery(
            f"{pictures[0].value!r} cannot be taken away from words that are looked up in names and metadata.",
            hint="Add a picture, or index with a model of image and text, such as --embedder clip-vit-base-patch32.",
        )
    if all(item.weight < 0 for item in seen):
        if not wanted:
            raise BadQuery("a query needs at least one item that is not taken away.", hint="Put one before the '-'.")
        return by_words(store, words, allowed)
    ranking = vector_ranking(Query(tuple(seen)))
    if unwanted:
        ranking = _without(ranking, np.array([row for row, _ in store.find_words(unwanted)], np.int64))
    if not wanted:
        return ranking
    named = by_words(store, words, allowed)
    if all(map(reads, words)) and not len(named.first(1)[0]):
        return ranking
    return fuse(ranking, _weight(seen), named, _weight(words))


def fuse(vectors: Ranking, vector_weight: float, words: Ranking, word_weight: float) -> Ranking:
    """Fuse two rankings by reciprocal ranks: the sum of weight / (60 + rank) over those that have the row.

    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
    SIGIR 2009; with weights, and of the first FUSED of each. Scores of the two are never compared, only their ranks.
    """
    first, second = vectors.first(FUSED)[0], words.first(FUSED)[0]
    rows = np.union1d(first, second)
    scores = np.zeros(len(rows))
    for found, weight in ((first, vector_weight), (second, word_weight)):
        scores[np.searchsorted(rows, found)] += weight / (_K + np.arange(1, len(found) + 1))
    order = np.lexsort((rows, -scores))
    ordered = (rows[order], scores[order])
    by_vector, by_word = set(first.tolist()), set(second.tolist())

    def found_by(row: int) -> FoundBy:
        return "both" if row in by_vector and row in by_word else "vector" if row in by_vector else "text"

    return Ranking(lambda depth: (ordered[0][:depth], ordered[1][:depth]), found_by, "both", vectors.regions)


def _without(ranking: Ranking, unwanted: Rows) -> Ranking:
    def first(depth: int) -> Ranked:
        rows, scores = ranking.first(depth + len(unwanted))
        kept = ~np.isin(rows, unwanted)
        return rows[kept][:depth], scores[kept][:depth]

    return Ranking(first, ranking.found_by, ranking.by, ranking.regions)


def _texts(words: Sequence[QueryItem]) -> tuple[str, str]:
    return (
        " ".join(item.value for item in words if item.weight > 0),
        " ".join(item.value for item in words if item.weight < 0),
    )


def _weight(items: Sequence[QueryItem]) -> float:
    return sum(item.weight for item in items if item.weight > 0)

"""The one search: query → vectors → nearest neighbours → hits. Command line, evaluation and service all run it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadQuery, BadShape, OtherEmbedder
from ..images import FetchLimits, read_source
from ..images.decode import decode
from ..images.http import fetch
from ..index.exact import Exact
from ..protocols import Embedder, Index, Store, TextEmbedder
from ..types import Candidates, Hit, Image, Query, QueryItem, Rows, Vectors, VectorSpace
from .calibration import Calibration, covers, read_calibration
from .choosing import Chosen, choose
from .ensemble import Fusion, Member, fuse_spaces
from .grouping import Groups, groups_by
from .queries import combine, vote
from .results import Results
from .sameness import same_as
from .where import Condition, Filter
from .word_search import Ranking, with_words

__all__ = ["MAX_MEGAPIXELS", "Pipeline", "item_pixels"]

MAX_MEGAPIXELS = 200.0  # of a query's picture, unless somebody says otherwise

T = TypeVar("T")

_NONE_ALLOWED = "No image fulfils the conditions: there is nothing to search among."


class Pipeline:
    """Searches one vector space of a store; keeps the ``Searcher`` protocol.

    Args:
        store: an open one.
        space: what is searched.
        embedder: returns what makes vectors of new images; called only for queries that need it.
        max_megapixels: a larger picture is refused as a query.
    """

    def __init__(
        self,
        store: Store,
        space: VectorSpace,
        embedder: Callable[[], Embedder],
        *,
        max_megapixels: float = MAX_MEGAPIXELS,
    ) -> None:
        self._max_megapixels = max_megapixels
        self._store = store
        self._space = space
        self._embedder = embedder
        self._index: tuple[int, Index] | None = None
        self._groups: tuple[int, Groups] | None = None
        self._filter = Filter(store)

    @property
    def index(self) -> Index:
        """Return the index over the vectors as they are now, whichever process changed them last."""
        version = self._store.version
        if self._index is None or self._index[0] != version:
            self._index = (version, Exact.over(self._store.snapshot(self._space.name)))
        return self._index[1]

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k nearest rows of each of (Q, D) vectors, among the ``allowed`` rows where they are given."""
        return self.index.search(vectors, k, allowed=allowed)

    def vectors(self, ids: Rows) -> Vectors:
        """Return (B, D), the vectors of the rows given, in their order."""
        return self._store.vectors(self._space.name, [int(row) for row in ids])

    def groups(self, column: str) -> Groups:
        """Return the groups of a metadata column as they are now; see ``groups_by``."""
        version = self._store.version
        if self._groups is None or self._groups[0] != version or self._groups[1].by != column:
            self._groups = (version, groups_by(self._store, column))
        return self._groups[1]

    def run(
        self,
        query: Query,
        k: int,
        *,
        min_relevance: float | None = None,
        not_same: bool = False,
        group_by: str | None = None,
        together: Sequence[tuple[Pipeline, float]] = (),
        fusion: Fusion = "sum",
        where: Sequence[Condition] = (),
    ) -> Results:
        """Answer one query; hits have a relevance where the collection is calibrated.

        Args:
            query: what is searched for.
            k: how many hits, > 0.
            min_relevance: in [0, 1]; hits below it are left out.
            not_same: leave out the query itself, its near-copies and its group; see ``same_as``.
            group_by: a metadata column, of each value of which the best image is shown.
            together: the spaces that are searched together, with their weights, instead of this one alone.
            fusion: how their rankings become one; see ``fuse_spaces``.
            where: conditions on the metadata that every hit fulfils.

        Raises:
            BadInput: k is not positive, ``min_relevance`` is no probability or asked of a search that has none, or an
                item cannot be understood, or no image has a column. ImageError: a query image is unusable.
        """
        if k <= 0:
            raise BadInput(f"k must be at least 1, got {k}.")
        if together and min_relevance is not None:
            raise BadInput("a relevance is known for one space's scores, not for several fused.", hint="Search one.")
        calibration = None if together else self._calibration(query, min_relevance)
        clock = _Clock()
        groups = None if group_by is None else clock.time("group", lambda: self.groups(group_by))
        allowed = clock.time("filter", lambda: self._filter.rows(where)) if where else None
        if together:
            ranking = fuse_spaces([each.member(query, weight, clock, allowed) for each, weight in together], fusion)
        else:
            ranking = self._ranking(query, clock, allowed)
        same = None
        if not_same:
            same = same_as(
                query,
                self._store,
                self._space,
                self,
                lambda item: self._vector(item, clock),
                groups,
                by_score=not together,
            )
        chosen = clock.time("search", lambda: choose(ranking.first, k, same=same, groups=groups))
        found = clock.time("fetch", lambda: self._hits(chosen, ranking, calibration, groups))
        note = self._note(chosen, found, ranking) if allowed is None or len(allowed) else _NONE_ALLOWED
        if min_relevance is None:
            return Results(query, found, clock.spent(), note)
        hits = tuple(hit for hit in found if hit.relevance is not None and hit.relevance >= min_relevance)
        note = _none_relevant(found[0], min_relevance) if found and not hits else note
        return Results(query, hits, clock.spent(), note)

    def member(self, query: Query, weight: float, clock: _Clock, allowed: Rows | None = None) -> Member:
        """Return this space's part in an ensemble, among the ``allowed`` rows where they are given."""
        if any(item.kind == "text" for item in query.items) and not self._understands_words():
            raise BadQuery(
                f"{self._space.name!r} compares pictures and does not understand words.",
                hint="Leave it out of the spaces that are searched together, or search by pictures.",
            )
        vector = self._combined(query, clock)

        def found(depth: int, among: Rows | None = allowed) -> tuple[Rows, npt.NDArray[np.floating]]:
            pairs = self.search(vector, depth, allowed=among)
            there = pairs.rows[0] >= 0
            return pairs.rows[0][there], pairs.scores[0][there]

        return Member(weight, found, lambda rows: found(max(len(rows), 1), rows))

    def _ranking(self, query: Query, clock: _Clock, allowed: Rows | None) -> Ranking:
        def by_vector(query: Query) -> Ranking:
            vector = self._combined(query, clock)

            def first(depth: int) -> tuple[Rows, npt.NDArray[np.floating]]:
                pairs = self.search(vector, depth, allowed=allowed)
                there = pairs.rows[0] >= 0
                return pairs.rows[0][there], pairs.scores[0][there]

            return Ranking(first, lambda row: "vector", "vector")

        if any(item.kind == "text" for item in query.items) and not self._understands_words():
            return with_words(self._store, query, by_vector, allowed)
        return by_vector(query)

    def _understands_words(self) -> bool:
        try:
            return isinstance(self._embedder(), TextEmbedder)
        except OtherEmbedder:
            if self._store.setting(f"embedder:{self._space.name}"):
                raise
            return False  # vectors that came without their model

    def _calibration(self, query: Query, min_relevance: float | None) -> Calibration | None:
        found = read_calibration(self._store, self._space) if covers(query) else None
        if min_relevance is None:
            return found
        if not 0 <= min_relevance <= 1:
            raise BadInput(f"the least relevance is a probability from 0 to 1, got {min_relevance}.")
        if not covers(query):
            raise BadQuery(
                "a relevance is known for queries of one image only, not for words or several items together.",
                hint="Leave --min-relevance (min_relevance) out, or search by one image.",
            )
        if found is None:
            raise BadInput(
                f"{self._store.path} is not calibrated for {self._space.name!r}: its scores say nothing of relevance.",
                hint="Run `lookalike calibrate --truth FILE` first, with images that are known to belong together.",
            )
        return found

    def _combined(self, query: Query, clock: _Clock) -> Vectors:
        def vector_of(item: QueryItem) -> Vectors:
            return self._vector(item, clock)

        if self._space.kind == "bits":
            return vote(query, vector_of, self._space.dim)
        return combine(query, vector_of, unit=self._space.similarity == "cosine")

    def _vector(self, item: QueryItem, clock: _Clock) -> Vectors:
        if item.kind == "vector":
            payload = np.asarray(item.payload)
            if (payload.dtype == np.uint8) != (self._space.kind == "bits"):
                raise BadShape(
                    f"{self._space.name!r} holds vectors of {self._space.dtype}, the query is one of {payload.dtype}."
                )
            return payload.astype(self._space.dtype)[None]
        if item.kind == "id":
            (record,) = self._store.get([item.value])
            if record is None:
                raise BadQuery(
                    f"no image has the id {item.value!r} in {self._store.path}.",
                    hint="`lookalike info --ids` lists the ids.",
                )
            return self._store.vectors(self._space.name, [record.row])
        embedder = self._embedder()
        if item.kind == "text" and isinstance(embedder, TextEmbedder):
            return clock.time("embed", lambda: embedder.embed_text([item.value]))
        pixels = clock.time("read", lambda: item_pixels(item, embedder.input_size, max_megapixels=self._max_megapixels))
        return clock.time("embed", lambda: embedder.embed([pixels]))

    def _hits(
        self, chosen: Chosen, ranking: Ranking, calibration: Calibration | None, groups: Groups | None
    ) -> tuple[Hit, ...]:
        pairs = list(zip(chosen.rows.tolist(), chosen.scores.tolist(), strict=True))
        records = self._store.get_rows([row for row, _ in pairs])
        # A record that another process removed since the vectors were searched has no hit.
        found = [(record, score) for record, (_, score) in zip(records, pairs, strict=True) if record is not None]
        scores = [score for _, score in found]
        known = calibration.relevance(scores).tolist() if calibration else [None] * len(found)
        return tuple(
            Hit(
                rank,
                record.id,
                record.row,
                record.source,
                score,
                record.metadata,
                relevance,
                ranking.found_by(record.row),
                None if groups is None else groups.shown(record.row),
                record.width,
                record.height,
                record.content_hash,
            )
            for rank, ((record, score), relevance) in enumerate(zip(found, known, strict=True), start=1)
        )

    def _note(self, chosen: Chosen, hits: Sequence[Hit], ranking: Ranking) -> str:
        if ranking.by == "text":
            return self._words_note(found=bool(hits))
        if ranking.by == "both" and hits:
            return (
                f"The pictures were compared by {self._space.name!r}, which does not understand words; the words were "
                "looked up in ids, file names and metadata, and the two rankings fused."
            )
        if not np.isfinite(chosen.best):
            return "The collection is empty: there is nothing to find yet."
        if not hits:
            return "Everything in the collection is the same as the query: there is nothing else to show."
        expected = self._store.setting(f"expected_best:{self._space.name}")
        if expected and ranking.by == "vector" and chosen.best < float(expected):
            return (
                f"Nothing stands out: the best score, {chosen.best:.3f}, is below what 95% of the collection's own "
                f"images find among the others ({float(expected):.3f})."
            )
        return ""

    def _words_note(self, *, found: bool) -> str:
        compares = f"{self._space.name!r} compares pictures and does not understand words"
        if found:
            return f"Found by words of ids, file names and metadata: {compares}."
        return (
            f"No id, file name or metadata has these words, and {compares}; models of image and text do, such as "
            "--embedder clip-vit-base-patch32."
        )


def _none_relevant(best: Hit, least: float) -> str:
    found = f"the best result, {best.id}, has {best.relevance:.2f} (score {best.score:.3f})"
    return f"Nothing reaches a relevance of {least:g}: {found}."


def item_pixels(item: QueryItem, input_size: int, *, max_megapixels: float = MAX_MEGAPIXELS) -> Image:
    """Return the picture of one part of a query, (H, W, 3); reduced where the ``input_size`` allows it.

    Raises:
        BadQuery: standard input that nobody has read. ImageError: the picture is unusable.
    """
    if isinstance(item.payload, np.ndarray):
        return item.payload
    if isinstance(item.payload, bytes):
        data = item.payload
    elif item.kind == "url":
        data = fetch(item.value, limits=FetchLimits())
    elif item.kind == "stdin":
        raise BadQuery("standard input has not been read.", hint="Pass its bytes instead.")
    else:
        data = read_source(os.path.abspath(item.value))
    return decode(data, input_size=input_size, max_megapixels=max_megapixels).pixels


class _Clock:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._stages: dict[str, float] = {}

    def time(self, stage: str, work: Callable[[], T]) -> T:
        begin = time.perf_counter()
        done = work()
        self._stages[stage] = self._stages.get(stage, 0.0) + (time.perf_counter() - begin) * 1e3
        return done

    def spent(self) -> dict[str, float]:
        return {**self._stages, "total": (time.perf_counter() - self._begin) * 1e3}

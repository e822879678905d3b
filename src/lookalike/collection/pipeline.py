"""The one search: query → vectors → nearest neighbours → hits. Command line, evaluation and service all run it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..embed.augment import augmented
from ..embed.subwords import vocabulary_of, words_of
from ..errors import BadInput, BadQuery, BadShape, OtherEmbedder
from ..images import FetchLimits, read_source
from ..images.decode import decode
from ..images.http import fetch
from ..index.by_image import ByImage
from ..index.exact import Exact
from ..protocols import Embedder, Index, Store, TextEmbedder
from ..types import Candidates, Hit, Image, Query, QueryItem, Region, Rows, Vectors, VectorSpace
from .calibration import Calibration, covers, read_calibration
from .choosing import Chosen, Same, choose
from .ensemble import Fusion, Member, fused_as_deep
from .grouping import Groups, groups_by
from .likeness import Likenesses, Liking, with_likeness
from .multiview import Merge, Merged, merged, standing_for
from .parts import best_regions
from .queries import combine, vote
from .results import Results
from .sameness import own_rows, same_as
from .where import Condition, Filter
from .word_search import FUSED, FindRegions, Ranked, Ranking, with_words

__all__ = ["MAX_MEGAPIXELS", "PLAIN", "AskIndex", "How", "Pipeline", "Searching", "item_pixels"]

MAX_MEGAPIXELS = 200.0  # of a query's picture, unless somebody says otherwise

T = TypeVar("T")

AskIndex = Callable[["Searching", Vectors, int, Rows | None], Candidates]

_NONE_ALLOWED = "No image fulfils the conditions: there is nothing to search among."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class How:
    """What is searched, among what, and what counts.

    Attributes:
        where: conditions on the metadata that every hit fulfils.
        together: the spaces that are searched together, with their weights, instead of the pipeline's own.
        fusion: how their rankings become one; see ``fuse_spaces``.
        group_by: a metadata column, of each value of which there is one hit.
        merge: what stands for a group: its best image, or one vector of all its images; several pictures of the query
            are merged in the same way.
        metadata: the columns that are a part of the score.
        like: values that count as the query's own metadata, before those of the stored image that it is.
        augment: views of the query's pictures whose vectors are averaged; see ``embed.augment``.
    """

    where: Sequence[Condition] = ()
    together: Sequence[tuple[Pipeline, float]] = ()
    fusion: Fusion = "sum"
    group_by: str | None = None
    merge: Merge = "best"
    metadata: Sequence[Liking] = ()
    like: Mapping[str, Any] = field(default_factory=dict)
    augment: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.merging and self.group_by is None:
            raise BadInput(
                f"merging by {self.merge!r} needs to know which images belong together.",
                hint="Name the column: --group-by COLUMN (group_by).",
            )
        if self.like and not self.metadata:
            raise BadInput(
                "the query's metadata is given, but no column has a weight.",
                hint="Add --metadata-weight COLUMN:WEIGHT.",
            )

    @property
    def merging(self) -> bool:
        """Return whether one vector stands for a group."""
        return self.merge != "best"

    @property
    def plain(self) -> bool:
        """Return whether a hit's score is that of two images in the pipeline's own space."""
        return not (self.together or self.merging or self.metadata or self.augment)


PLAIN = How()


@dataclass(frozen=True, slots=True, eq=False)
class _Scope:
    groups: Groups | None
    allowed: Rows | None


class Finder(Protocol):
    """Finds the n nearest rows of a query, and their scores."""

    def __call__(self, depth: int, among: Rows | None = None, /) -> Ranked: ...


class Searching(Protocol):
    """What is asked of an index."""

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k best of each query."""
        ...


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
        self.ask_index: AskIndex = _at_once  # a server puts something here that gathers searches of several threads
        self._max_megapixels = max_megapixels
        self._store = store
        self._space = space
        self._embedder = embedder
        self._index: tuple[int, Index | ByImage] | None = None
        self._making = threading.Lock()
        self._groups: tuple[int, Groups] | None = None
        self._filter = Filter(store)
        self._likenesses = Likenesses(store)
        self._merged: tuple[int, tuple[str, Merge], Merged] | None = None

    @property
    def index(self) -> Index | ByImage:
        """Return the index over the vectors as they are now, whichever process changed them last.

        In a space that holds parts of images too, it finds an image by the best of its vectors.
        """
        index = self._index
        if index is None or index[0] != self._store.version:
            with self._making:  # one thread reads what changed; the others wait for it instead of reading it too
                index, version = self._index, self._store.version
                if index is None or index[0] != version:
                    index = self._index = (version, self._made_index())
        return index[1]

    def _made_index(self) -> Index | ByImage:
        wholes = Exact.over(self._store.snapshot(self._space.name))
        parts = self._store.region_snapshot(self._space.name)
        return wholes if parts is None else ByImage(wholes, Exact.over(parts), parts.rows)

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k nearest rows of each of (Q, D) vectors, among the ``allowed`` rows where they are given."""
        return self.ask_index(self.index, vectors, k, allowed)

    def vectors(self, ids: Rows) -> Vectors:
        """Return (B, D), the vectors of the rows given, in their order."""
        return self._store.vectors(self._space.name, [int(row) for row in ids])

    def vector_of(self, query: Query) -> Vectors:
        """Return (1, D), what a query is searched by.

        Raises:
            BadQuery: its words are none that the embedder understands, or its items cancel each other out.
        """
        if not all(map(self._reads, query.items)):
            raise BadQuery(f"{self._limits()}.")
        return self._combined(query, Clock(), PLAIN)

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
        how: How = PLAIN,
        min_relevance: float | None = None,
        not_same: bool = False,
    ) -> Results:
        """Answer one query; hits have a relevance where the collection is calibrated.

        Args:
            query: what is searched for.
            k: how many hits, > 0.
            how: what is searched, among what, and what counts.
            min_relevance: in [0, 1]; hits below it are left out.
            not_same: leave out the query itself, its near-copies and its group; see ``same_as``.

        Raises:
            BadInput: k is not positive, ``min_relevance`` is no probability or asked of a search that has none, or an
                item cannot be understood, or no image has a column. ImageError: a query image is unusable.
        """
        if k <= 0:
            raise BadInput(f"k must be at least 1, got {k}.")
        if min_relevance is not None and not how.plain:
            raise BadInput(
                "a relevance is known for the scores of one space alone, not for what is fused, merged or augmented.",
                hint="Leave --min-relevance (min_relevance) out.",
            )
        calibration = self._calibration(query, min_relevance) if how.plain else None
        clock = Clock()
        scope = self._scope(how, clock)
        ranking = self._ranked(query, how, scope, clock)
        same = None
        if not_same:
            same = same_as(
                query,
                self._store,
                self._space,
                self,
                lambda item: self._vector(item, clock),
                scope.groups,
                by_score=how.plain and ranking.by == "vector",
            )
            same = Same(self._stands_for(same.rows, how), same.score)
        groups = None if how.merging else scope.groups
        chosen = clock.time("search", lambda: choose(ranking.first, k, same=same, groups=groups))
        if how.merging:
            chosen = clock.time("search", lambda: self._nearest_views(chosen, query, how, scope, clock))
        found = clock.time("fetch", lambda: self._hits(chosen, ranking, calibration, scope.groups))
        none_allowed = scope.allowed is not None and not len(scope.allowed)
        note = _NONE_ALLOWED if none_allowed else self._note(query, chosen, found, ranking, how)
        if min_relevance is None:
            return Results(query, found, clock.spent(), note)
        hits = tuple(hit for hit in found if hit.relevance is not None and hit.relevance >= min_relevance)
        note = _none_relevant(found[0], min_relevance) if found and not hits else note
        return Results(query, hits, clock.spent(), note)

    def ranking(self, query: Query, how: How, *, allowed: Rows | None = None) -> Ranking:
        """Return the ranking that ``run`` takes its results from, among ``allowed`` rows; what evaluation judges."""
        clock = Clock()
        scope = self._scope(how, clock)
        if allowed is not None:
            scope = replace(scope, allowed=allowed if scope.allowed is None else np.intersect1d(allowed, scope.allowed))
        return self._ranked(query, how, scope, clock)

    def merged(self, column: str, merge: Merge) -> Merged:
        """Return one vector for each group of a column, of this space as it is now; see ``multiview.merged``."""
        version, key = self._store.version, (column, merge)
        if self._merged is None or self._merged[:2] != (version, key):
            self._merged = None  # the old file goes before the new one comes
            made = merged(self._store.snapshot(self._space.name), self.groups(column), merge)
            self._merged = (version, key, made)
        return self._merged[2]

    def _scope(self, how: How, clock: Clock) -> _Scope:
        column = how.group_by
        groups = None if column is None else clock.time("group", lambda: self.groups(column))
        allowed = clock.time("filter", lambda: self._filter.rows(how.where)) if how.where else None
        return _Scope(groups, allowed)

    def _ranked(self, query: Query, how: How, scope: _Scope, clock: Clock) -> Ranking:
        likeness = self._likeness(query, how, scope, clock) if how.metadata else None
        scores_of: Callable[[Rows], Ranked]
        if how.together:
            members = [each.member(query, weight, how, scope, clock) for each, weight in how.together]
            extra = None
            if likeness is not None:
                extra = np.sort(likeness[0][np.argsort(-likeness[1], kind="stable")[:FUSED]])
            ranking, scores_of = fused_as_deep(members, how.fusion, extra), _nothing_more
        else:
            ranking, scores_of = self._alone(query, how, scope, clock)
        if likeness is None:
            return ranking
        if ranking.by == "text" or (ranking.by == "both" and not how.together):
            raise BadQuery(
                "metadata has a weight beside the scores of pictures only, and words are looked up here.",
                hint="Search by pictures, or put the values into conditions: --where.",
            )
        first = with_likeness(ranking.first, scores_of, likeness)
        return Ranking(first, ranking.found_by, ranking.by, ranking.regions)

    def member(self, query: Query, weight: float, how: How, scope: _Scope, clock: Clock) -> Member:
        """Return this space's part in an ensemble."""
        if not all(map(self._reads, query.items)):
            raise BadQuery(
                f"{self._limits()}.",
                hint="Leave it out of the spaces that are searched together, or search by pictures.",
            )
        found, regions = self._finder(query, how, scope, clock)
        return Member(weight, found, lambda rows: found(max(len(rows), 1), rows), regions)

    def _alone(self, query: Query, how: How, scope: _Scope, clock: Clock) -> tuple[Ranking, Callable[[Rows], Ranked]]:
        finders: list[Finder] = []

        def by_vector(query: Query) -> Ranking:
            found, regions = self._finder(query, how, scope, clock)
            finders.append(found)
            return Ranking(found, lambda row: "vector", "vector", regions)

        # Of words that a model of a small world has learned, names may still say more.
        if any(item.kind == "text" for item in query.items) and self._vocabulary() is not None:
            if not how.merging:
                return with_words(self._store, query, by_vector, scope.allowed, reads=self._reads), _nothing_more
            if not all(map(self._reads, query.items)):
                raise BadQuery(
                    f"{self._limits()}, and names have no merged vectors.",
                    hint="Leave --merge out, or search by pictures.",
                )
        ranking = by_vector(query)
        return ranking, lambda rows: finders[0](max(len(rows), 1), rows)

    def _finder(self, query: Query, how: How, scope: _Scope, clock: Clock) -> tuple[Finder, FindRegions]:
        """Return what finds the n nearest among the allowed rows, or among those of them that are given; and the parts.

        The second gives, of images, the part of each that is more alike than the whole, where one is.
        """
        vector = self._combined(query, clock, how)
        views = self.merged(how.group_by, how.merge) if how.merging and how.group_by else None
        index: Callable[..., Candidates] = self.search if views is None else views.index.search
        allowed = scope.allowed
        if views is not None and allowed is not None:
            allowed = np.unique(standing_for(allowed, views.groups))

        def found(depth: int, among: Rows | None = None) -> Ranked:
            if among is not None and allowed is not None:
                among = np.intersect1d(among, allowed)
            pairs = index(vector, depth, allowed=allowed if among is None else among)
            there = pairs.rows[0] >= 0
            return pairs.rows[0][there], pairs.scores[0][there]

        def regions(rows: Rows) -> dict[int, Region]:
            index = self.index
            if views is not None or not isinstance(index, ByImage):
                return {}
            return best_regions(self._store, index, vector, rows)

        return found, regions

    def _likeness(
        self, query: Query, how: How, scope: _Scope, clock: Clock
    ) -> tuple[Rows, npt.NDArray[np.float64], float]:
        if how.together and how.fusion == "rrf":
            raise BadInput(
                "reciprocal ranks have no scale that the weight of a column could be compared with.",
                hint="Use --fusion sum with --metadata-weight.",
            )
        values = {**self._facts(query), **how.like}
        rows, amounts, weights = clock.time("metadata", lambda: self._likenesses.of(how.metadata, values))
        if scope.allowed is not None:
            kept = np.isin(rows, scope.allowed)
            rows, amounts = rows[kept], amounts[kept]
        if how.merging:  # a group is as like as the most like of its images
            ids, place = np.unique(self._stands_for(rows, how), return_inverse=True)
            best = np.zeros(len(ids))
            np.maximum.at(best, place, amounts)
            rows, amounts = ids, best
        return rows, amounts, weights

    def _facts(self, query: Query) -> dict[str, Any]:
        """Return the metadata that is known of the query's pictures; of several the first that has a column."""
        facts: dict[str, Any] = {}
        for item in query.items:
            if item.kind == "text" or item.weight < 0:
                continue
            for record in self._store.get_rows(own_rows(item, self._store)):
                if record is not None:
                    facts = {**record.metadata, **{name: value for name, value in facts.items() if value is not None}}
        return facts

    def _stands_for(self, rows: Rows, how: How) -> Rows:
        """Return the rows under which these are found: of a group that is merged, its lowest."""
        return standing_for(rows, self.groups(how.group_by)) if how.merging and how.group_by else rows

    def _nearest_views(self, chosen: Chosen, query: Query, how: How, scope: _Scope, clock: Clock) -> Chosen:
        """Put in place of each group the image of it that is nearest to the query; the score stays the group's."""
        pipeline = how.together[0][0] if how.together else self
        if how.group_by is None:
            return chosen
        views = pipeline.merged(how.group_by, how.merge)
        vector = pipeline._combined(query, clock, how)
        shown = chosen.rows.copy()
        for place, row in enumerate(chosen.rows.tolist()):
            members = views.members(row)
            if scope.allowed is not None:
                members = np.intersect1d(members, scope.allowed)
            nearest = int(pipeline.search(vector, 1, allowed=members).rows[0, 0])
            shown[place] = nearest if nearest >= 0 else row
        return Chosen(shown, chosen.scores, chosen.best)

    def _vocabulary(self) -> frozenset[str] | None:
        """Return the words that the embedder understands: None for all kinds, none for one of pictures only."""
        try:
            embedder = self._embedder()
        except OtherEmbedder:
            if self._store.setting(f"embedder:{self._space.name}"):
                raise
            return frozenset()  # vectors that came without their model
        return vocabulary_of(embedder) if isinstance(embedder, TextEmbedder) else frozenset()

    def _reads(self, item: QueryItem) -> bool:
        """Return whether the embedder makes anything of an item: of words, whether it knows one of them."""
        if item.kind != "text":
            return True
        known = self._vocabulary()
        return known is None or not known.isdisjoint(words_of(item.value))

    def _limits(self) -> str:
        if self._vocabulary():
            return f"{self._space.name!r} knows few words, and none of these"
        return f"{self._space.name!r} compares pictures and does not understand words"

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

    def _combined(self, query: Query, clock: Clock, how: How) -> Vectors:
        pictures = [item for item in query.items if item.kind not in ("text", "id", "vector")]
        if how.augment and not pictures:
            raise BadQuery(
                "the query has no picture to take views of.",
                hint="Search by an image file, a URL or stdin:; for a stored image give its file.",
            )

        def vector_of(item: QueryItem) -> Vectors:
            return self._vector(item, clock, how.augment)

        if self._space.kind == "bits":
            return vote(query, vector_of, self._space.dim)
        return combine(query, vector_of, unit=self._space.similarity == "cosine", merge=how.merge)

    def _vector(self, item: QueryItem, clock: Clock, augment: Sequence[str] = ()) -> Vectors:
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
        looking = augmented(embedder, augment) if augment else embedder
        pixels = clock.time("read", lambda: item_pixels(item, looking.input_size, max_megapixels=self._max_megapixels))
        return clock.time("embed", lambda: looking.embed([pixels]))

    def _hits(
        self, chosen: Chosen, ranking: Ranking, calibration: Calibration | None, groups: Groups | None
    ) -> tuple[Hit, ...]:
        pairs = list(zip(chosen.rows.tolist(), chosen.scores.tolist(), strict=True))
        records = self._store.get_rows([row for row, _ in pairs])
        # A record that another process removed since the vectors were searched has no hit.
        found = [(record, score) for record, (_, score) in zip(records, pairs, strict=True) if record is not None]
        scores = [score for _, score in found]
        known = calibration.relevance(scores).tolist() if calibration else [None] * len(found)
        regions = ranking.regions(np.array([record.row for record, _ in found], np.int64))
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
                regions.get(record.row),
            )
            for rank, ((record, score), relevance) in enumerate(zip(found, known, strict=True), start=1)
        )

    def _note(self, query: Query, chosen: Chosen, hits: Sequence[Hit], ranking: Ranking, how: How) -> str:
        texts = [item for item in query.items if item.kind == "text"]
        if ranking.by == "text":
            return self._words_note(found=bool(hits))
        if ranking.by == "both" and hits:
            if how.together:
                return ""
            if all(map(self._reads, texts)):
                return (
                    f"By what {self._space.name!r} has learned of the words, and by ids, file names and metadata that "
                    "have them; the two rankings are fused."
                )
            return (
                f"The pictures were compared by {self._space.name!r}, which does not understand words; the words were "
                "looked up in ids, file names and metadata, and the two rankings fused."
            )
        if not np.isfinite(chosen.best):
            return "The collection is empty: there is nothing to find yet."
        if not hits:
            return "Everything in the collection is the same as the query: there is nothing else to show."
        expected = self._store.setting(f"expected_best:{self._space.name}")
        # What images score with one another says nothing of what words score with images.
        if expected and how.plain and ranking.by == "vector" and not texts and chosen.best < float(expected):
            return (
                f"Nothing stands out: the best score, {chosen.best:.3f}, is below what 95% of the collection's own "
                f"images find among the others ({float(expected):.3f})."
            )
        return ""

    def _words_note(self, *, found: bool) -> str:
        limits = self._limits()
        if found:
            return f"Found by words of ids, file names and metadata: {limits}."
        return (
            f"No id, file name or metadata has these words, and {limits}; models of image and text read all kinds, "
            "such as --embedder clip-vit-base-patch32."
        )


def _nothing_more(rows: Rows) -> Ranked:
    return np.empty(0, np.int64), np.empty(0, np.float32)


def _at_once(index: Searching, vectors: Vectors, k: int, allowed: Rows | None) -> Candidates:
    return index.search(vectors, k, allowed=allowed)


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


class Clock:
    """Milliseconds by stage; a stage within another counts in both."""

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

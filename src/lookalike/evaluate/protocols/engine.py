"""Runs the user's own search in blocks of queries, and judges what it found.

Memory holds one block of rankings, the ranks of relevant results, and the first results of each query; never Q × N.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ...protocols import Searcher
from ...types import Candidates, Vectors
from ..boxes import by_parts
from ..evaluation import Evaluation
from ..judged import Judged
from ..truth.base import Box, Ints
from ..truth.joining import Joined
from .plan import Plan
from .relevance import Base, Relevance

__all__ = ["EXPECTED", "run_plan"]

EXPECTED = 24  # relevant images a query whose rows are kept for pictures
_BLOCK = 8_000_000  # results held at a time: some 300 MB with what judging them takes
_QUERIES = 16_384  # queries a block: their vectors, 2048-d, are 128 MB
_SCORES = 25_000_000  # scores that are kept for pooled metrics and calibration: 100 MB

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The judged queries of one block; owners count within the block."""

    queries: Ints  # (q,) positions in the truth
    owner: Ints  # (P,)
    ranks: Ints  # (P,)
    grades: Floats  # (P,)
    total: Ints  # (q,)
    ideal: Floats  # (sum of total,) by query; empty when relevance is yes or no
    rows: Ints  # (q, T) first results
    row_grades: Floats  # (q, T)
    scores: Floats  # (q, S), S >= T
    expected: list[Ints]


def run_plan(
    searcher: Searcher,
    size: int,
    joined: Joined,
    plan: Plan,
    *,
    cut: int | None = None,
    shown: int = 10,
) -> Evaluation:
    """Search and judge.

    Args:
        searcher: the user's own search.
        size: how many images it holds.
        joined: the truth, joined to them.
        plan: who searches what.
        cut: how many results of each query are judged, > 0; None ranks the whole base.
        shown: how many results of each query are kept for pictures.

    Raises:
        BadInput: nothing to search or to find, NaN scores, or a search that leaves out images it should rank.
    """
    if (cut is not None and cut < 1) or shown < 0:
        raise BadInput(f"the cut must be at least 1 and the results shown at least 0, got {cut} and {shown}.")
    count = sum(len(part.queries) for part in plan.parts)
    bases = [Base(part.base, size) for part in plan.parts]
    largest = max((base.size for base in bases), default=0)
    if not count or not largest:
        raise BadInput(
            f"the protocol {plan.name!r} has {count} queries and {largest} images to search, so there is nothing to "
            "measure.",
            hint="Check which names of the truth are in the collection.",
        )
    wanted = None if cut is None or cut >= largest else cut
    kept = min(largest, max(shown, min(wanted or largest, _SCORES // count)))
    run = _Run(by_parts(searcher, joined), joined, plan, wanted, min(shown, largest), kept)
    blocks = [block for part, base in zip(plan.parts, bases, strict=True) for block in run.blocks(part.queries, base)]
    return _gathered(run, blocks, cut=cut, largest=largest)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What stays the same from block to block."""

    searcher: Searcher
    joined: Joined
    plan: Plan
    cut: int | None
    shown: int
    kept: int  # scores of each query that are kept

    def blocks(self, queries: Ints, base: Base) -> Iterator[_Block]:
        relevance = self.plan.relevance.within(base)
        step = min(_QUERIES, max(1, _BLOCK // max(min(self.cut or base.size, base.size), 1)))
        for start in range(0, len(queries), step):
            yield self._block(queries[start : start + step], base, relevance)

    def _block(self, queries: Ints, base: Base, relevance: Relevance) -> _Block:
        owner, ignored = self.plan.ignored.rows(queries, base)
        most = int(np.bincount(owner, minlength=1).max(initial=0))
        depth = base.size if self.cut is None else min(base.size, self.cut + most)
        found = self.searcher.search(self._vectors(queries), depth, allowed=base.rows)
        self._check(found, queries)
        place = _places(found.rows, owner, ignored)  # (q, depth) rank among what is not ignored; 0 for what is
        if self.cut is not None:
            place[place > self.cut] = 0
        grades = relevance.grades(queries, found.rows)
        grades[place == 0] = 0
        at = np.nonzero(grades)
        totals, ideal = _totals(relevance, queries, owner, ignored)
        if self.cut is None:
            self._check_whole(queries, np.bincount(at[0], minlength=len(queries)), totals, base)
        first = place <= self.kept
        first &= place > 0
        query, slot = np.nonzero(first)
        rank = place[query, slot] - 1
        scores = np.full((len(queries), self.kept), -np.inf, np.float32)
        scores[query, rank] = found.scores[query, slot]
        shown = rank < self.shown
        query, slot, rank = query[shown], slot[shown], rank[shown]
        rows = np.full((len(queries), self.shown), -1, np.int64)
        rows[query, rank] = found.rows[query, slot]
        row_grades = np.zeros((len(queries), self.shown), np.float32)
        row_grades[query, rank] = grades[query, slot]
        return _Block(
            queries=queries,
            owner=at[0],
            ranks=place[at].astype(np.int64),
            grades=grades[at],
            total=totals,
            ideal=ideal,
            rows=rows,
            row_grades=row_grades,
            scores=scores,
            expected=_expected(relevance, queries, owner, ignored),
        )

    def _vectors(self, queries: Ints) -> Vectors:
        parts = self.joined.parts
        cut = np.isin(queries, [] if parts is None else list(parts.place))
        if parts is None or not cut.any():
            return self._wholes(queries)
        out = np.empty((len(queries), parts.vectors.shape[1]), parts.vectors.dtype)
        out[cut] = parts.vectors[[parts.place[int(at)] for at in queries[cut]]]
        if not cut.all():
            out[~cut] = self._wholes(queries[~cut])
        return out

    def _wholes(self, queries: Ints) -> Vectors:
        rows = self.joined.rows[queries]
        inside = rows >= 0
        if inside.all():
            return self.searcher.vectors(rows)
        outside = self.joined.outside
        if outside is None:
            raise BadInput(f"the query {self.joined.truth.names[int(queries[np.argmin(inside)])]!r} has no image.")
        out = np.empty((len(rows), outside.vectors.shape[1]), outside.vectors.dtype)
        if inside.any():
            out[inside] = self.searcher.vectors(rows[inside])
        out[~inside] = outside.vectors[[outside.place[int(at)] for at in queries[~inside]]]
        return out

    def _check(self, found: Candidates, queries: Ints) -> None:
        if np.isnan(found.scores).any():
            query, slot = np.argwhere(np.isnan(found.scores))[0]
            raise BadInput(
                f"the search gave a score that is NaN, at place {slot + 1} of {self._name(queries, int(query))}.",
                hint="Look for NaN or zero vectors in what was searched.",
            )

    def _check_whole(self, queries: Ints, found: Ints, totals: Ints, base: Base) -> None:
        missing = found < totals
        if missing.any():
            first = int(np.argmax(missing))
            raise BadInput(
                f"the search was asked for all {base.size} images and left out {totals[first] - found[first]} that are "
                f"relevant to {self._name(queries, first)}.",
                hint="An approximate index does not rank everything: give --cut, or search exactly. If images have no "
                "vector, index them again.",
            )

    def _name(self, queries: Ints, at: int) -> str:
        return f"the query {self.joined.ids[int(queries[at])]!r}"


def _places(rows: Ints, owner: Ints, ignored: Ints) -> npt.NDArray[np.int32]:
    """Return (q, k): the rank of each result among those that count, from 1; 0 for ignored ones and empty slots."""
    counts = rows >= 0
    if len(owner) == len(rows) and (owner == np.arange(len(rows))).all():
        counts &= rows != ignored[:, None]  # one each, the query itself: the common case needs no search
    elif len(owner):
        stride = int(max(rows.max(initial=0), ignored.max())) + 1
        keys = owner * stride + ignored  # ascending, as they came
        for start in range(0, len(rows), step := max(1, _BLOCK // max(rows.shape[1], 1) // 4)):
            part = rows[start : start + step]
            mine = np.arange(start, start + len(part))[:, None] * stride + part
            at = np.minimum(np.searchsorted(keys, mine), len(keys) - 1)
            counts[start : start + step] &= keys[at] != mine
    place = np.cumsum(counts, axis=1, dtype=np.int32)
    place[~counts] = 0
    return place


def _totals(relevance: Relevance, queries: Ints, owner: Ints, ignored: Ints) -> tuple[Ints, Floats]:
    """Return how many relevant items each query can find (q,), and their grades by query where they are graded."""
    if not relevance.listed:
        gone = relevance.pair_grades(queries[owner], ignored) > 0
        return relevance.totals(queries) - np.bincount(owner[gone], minlength=len(queries)), np.empty(0, np.float32)
    mine, rows, grades = relevance.items(queries)
    if len(owner):
        stride = int(max(rows.max(initial=0), ignored.max())) + 1
        kept = ~np.isin(mine * stride + rows, owner * stride + ignored)
        mine, grades = mine[kept], grades[kept]
    return np.bincount(mine, minlength=len(queries)), grades


def _expected(relevance: Relevance, queries: Ints, owner: Ints, ignored: Ints) -> list[Ints]:
    starts = np.searchsorted(owner, np.arange(len(queries) + 1))
    out = []
    for at, query in enumerate(queries.tolist()):
        gone = ignored[starts[at] : starts[at + 1]]
        some = relevance.some(query, EXPECTED + len(gone))
        if len(gone) == 1:
            some = some[some != gone[0]]
        elif len(gone):
            some = some[~np.isin(some, gone)]
        out.append(some[:EXPECTED])
    return out


def _gathered(run: _Run, blocks: list[_Block], *, cut: int | None, largest: int) -> Evaluation:
    """Put the blocks together, and say what was done."""
    joined, plan = run.joined, run.plan
    queries = np.concatenate([block.queries for block in blocks])
    starts = np.cumsum([0, *(len(block.queries) for block in blocks)])
    owner = np.concatenate([block.owner + start for block, start in zip(blocks, starts[:-1], strict=True)])
    total = np.concatenate([block.total for block in blocks])
    lone = total == 0
    kept = np.flatnonzero(~lone) if plan.drop_lone else np.arange(len(queries))
    if not (~lone).any():
        raise BadInput(
            f"none of the {len(queries)} queries has anything to find in the base.",
            hint="Leave-one-out needs at least two images of one label; other protocols a relevant image in the base.",
        )
    number = np.full(len(queries), -1, np.int64)
    number[kept] = np.arange(len(kept))
    ids = np.array([joined.ids[at] for at in queries[kept].tolist()], dtype=object)
    if plan.tags is not None:
        ids = np.array([f"{plan.tags[at]}{id}" for at, id in zip(kept.tolist(), ids, strict=True)], dtype=object)
    listed = plan.relevance.listed
    ideal = np.concatenate([block.ideal for block in blocks]) if listed else None
    judged = Judged.from_ranks(
        number[owner],  # a query without anything to find owns nothing
        np.concatenate([block.ranks for block in blocks]),
        grades=np.concatenate([block.grades for block in blocks]),
        total=total[kept],
        ideal=None if ideal is None or (ideal == 1).all() else ideal,
        cut=run.cut,
        scores=np.concatenate([block.scores for block in blocks])[kept],
        classes=_classes(joined, queries[kept]),
        query_ids=ids,
    )
    expected = [rows for block in blocks for rows in block.expected]
    facts: dict[str, object] = {
        "name": plan.name,
        "truth": joined.truth.format,
        "queries": len(judged),
        "base": largest,
        "cut": run.cut,
        **plan.facts,
    }
    if notes := _notes(run, cut, largest, judged):
        facts["notes"] = notes
    reason = "no_other_of_its_label" if plan.drop_lone else "nothing_relevant"
    return Evaluation(
        protocol=facts,
        judged=judged,
        query_rows=joined.rows[queries[kept]],
        query_sources=tuple(_source(run, at) for at in queries[kept].tolist()),
        shown=np.concatenate([block.rows for block in blocks])[kept],
        shown_scores=np.concatenate([block.scores for block in blocks])[kept][:, : run.shown],
        shown_grades=np.concatenate([block.row_grades for block in blocks])[kept],
        expected=tuple(expected[at] for at in kept.tolist()),
        skipped=_skipped(joined, reason, int(lone.sum())),
        query_boxes=_boxes(joined, queries[kept]),
    )


def _boxes(joined: Joined, queries: Ints) -> tuple[Box | None, ...]:
    """Return the box that was applied to each query; nothing where none was."""
    if joined.parts is None:
        return ()
    return tuple(joined.truth.boxes[at] if at in joined.parts.place else None for at in queries.tolist())


def _skipped(joined: Joined, reason: str, lone: int) -> dict[str, int]:
    found = 0 if joined.outside is None else len(joined.outside.place)
    some = {"unmatched": len(joined.unmatched) - found, reason: lone}
    rarer = {"ambiguous": joined.ambiguous, "queries_without_image": joined.absent}
    return some | {key: count for key, count in rarer.items() if count}


def _notes(run: _Run, cut: int | None, largest: int, judged: Judged) -> list[str]:
    notes = [*run.joined.truth.notes, *run.joined.notes]
    if cut is not None and cut > largest:
        notes.append(f"The cut {cut} is above the {largest} images that are searched: all of them are ranked.")
    if judged.scores is not None and judged.scores.shape[1] < (run.cut or largest):
        notes.append(f"Metrics of pooled pairs see the first {judged.scores.shape[1]} results of each query.")
    return notes


def _classes(joined: Joined, queries: Ints) -> npt.NDArray[np.object_] | None:
    """Return the label of each query (Q,); None where they have none, or some have several."""
    labels = joined.truth.labels
    if labels is None or (labels.sizes[queries] != 1).any():
        return None
    return np.array(labels.names, dtype=object)[labels.codes[labels.starts[queries]]]


def _source(run: _Run, query: int) -> str:
    outside = run.joined.outside
    if outside is not None and query in outside.place:
        return outside.sources[outside.place[query]]
    return run.joined.sources[query]

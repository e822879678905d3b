"""Learns how much each vector space and each metadata column should count, from images known to belong together.

The weights maximise the mean average precision itself, by coordinate ascent: one weight at a time is tried smaller and
larger, and as nothing, until no step helps. They start from 1 over the standard deviation of each column of scores, so
the steps mean the same for each; the scale itself is a part of the weight, so searching needs no other.

What they are worth is measured on queries whose whole class was held out, through the search of the user, and compared
by the paired test of ``paired`` with equal weights and with the best single space (chosen on the same training part).

Source: coordinate ascent on a retrieval measure, Metzler and Croft, "Linear feature-based models for information
retrieval", Information Retrieval 10, 2007.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from ..collection import Collection
from ..collection.learned_weights import LearnedWeights
from ..collection.likeness import Likenesses, Liking
from ..errors import BadInput, BadQuery
from ..protocols import Searcher
from .evaluation import Evaluation
from .intervals import bootstrap_means
from .paired import Verdict, holm, sign_flip
from .protocols import plan_of
from .protocols.engine import run_plan
from .protocols.plan import Part, Plan
from .protocols.relevance import Base
from .summary import per_query
from .truth.base import Ints
from .truth.joining import Joined

__all__ = ["Gain", "Searching", "Weighed", "average_precision", "climb", "weigh"]

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

METRIC = "map"
MOST = 500  # queries that teach; with so few weights, more change them little
DEPTH = 1000  # the first of each space are candidates, as in the search
FOLDS = 5
_STEPS = (0.0, 0.25, 0.5, 0.7, 1.4, 2.0, 4.0)
_LEAST = 1e-4  # a step that gains less is noise
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Gain:
    """Learned weights against something simpler, on held-out queries.

    Attributes:
        value: of the simpler one.
        difference: learned minus simpler; low, high: the ends of its 95% interval.
        p: of the paired test, corrected for two comparisons (Holm).
        verdict: on the learned weights.
    """

    value: float
    difference: float
    low: float
    high: float
    p: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What was learned, and what it is worth.

    Attributes:
        weights: learned from all queries.
        value: the mean average precision of held-out queries, with weights that were learned without them.
        low, high: the ends of its 95% interval.
        equal, single: against equal weights of the spaces, and against the best single space.
        best_single: the space that is best on all queries.
        queries: how many there were.
    """

    weights: LearnedWeights
    value: float
    low: float
    high: float
    equal: Gain
    single: Gain
    best_single: str
    queries: int


def weigh(
    photos: Collection,
    joined: Joined,
    spaces: Sequence[str],
    columns: Sequence[Liking] = (),
    *,
    protocol: str | None = None,
    most: int = MOST,
    folds: int = FOLDS,
    seed: int = 0,
) -> Weighed:
    """Learn the weights of spaces and columns.

    Args:
        photos: the collection.
        joined: the truth, joined to it.
        spaces: names of its spaces.
        columns: metadata columns; their weights are not looked at.
        protocol: who searches what; None: what the truth asks for.
        most: queries that teach, drawn at random where there are more.
        folds: how many parts the classes (the queries, where there are no classes) are held out in.
        seed: of the sample, the folds and the intervals.

    Raises:
        BadInput: fewer than two things to weigh, no queries with anything to find, or queries that are not stored.
    """
    if len(spaces) + len(columns) < 2 or not spaces:
        raise BadInput(
            f"there is nothing to weigh against one another: {', '.join(spaces) or 'no space'} alone.",
            hint="Name two vector spaces or more (--spaces A,B), or a column (--metadata price).",
        )
    plan = _sampled(plan_of(joined, protocol, seed=seed), joined, most, seed)
    runs = _Runs(photos, joined, plan)
    equal = runs.judge(dict.fromkeys(spaces, 1.0), ())
    singles = {name: runs.values(runs.judge({name: 1.0}, ())) for name in spaces}
    ids, units = _ids(equal), _units(equal)
    features = _Features.of(photos, joined, plan, equal.query_rows, spaces, columns)
    fold_of = np.random.default_rng(seed).permutation(int(units.max()) + 1)[units] % folds
    learned = np.full(len(ids), np.nan)
    best = np.full(len(ids), np.nan)
    for fold in range(folds):
        out = fold_of == fold
        if not out.any() or out.all():
            continue
        found = runs.values(
            runs.judge(*features.weights(climb(*features.some(~out)), spaces, columns), only=equal.query_rows[out])
        )
        learned[out] = [found[name] for name in ids[out]]
        single = max(spaces, key=lambda name: float(np.mean([singles[name][each] for each in ids[~out]])))
        best[out] = [singles[single][name] for name in ids[out]]
    weights, liked = features.weights(climb(*features.some(np.ones(len(ids), np.bool_))), spaces, columns)
    plain = runs.values(equal)
    table = np.stack([learned, [plain[name] for name in ids], best], axis=1)
    known = np.isfinite(table).all(axis=1)
    table = table[known]
    if len(table) < 2:
        raise BadInput("one class alone cannot be held out: nothing would be left to learn from.")
    clusters = np.unique(units[known], return_inverse=True)[1].astype(np.int64)
    value, low, high = bootstrap_means(table[:, :1], clusters, seed=seed)
    gains = _gains(table, clusters, seed)
    fingerprints = {name: photos.store.spaces()[name].fingerprint for name in spaces}
    facts = {
        "metric": METRIC,
        "value": float(value[0]),
        "queries": len(table),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Weighed(
        LearnedWeights(spaces=weights, metadata=liked, fingerprints=fingerprints, facts=facts),
        float(value[0]),
        float(low[0]),
        float(high[0]),
        *gains,
        max(spaces, key=lambda name: float(np.mean(list(singles[name].values())))),
        len(table),
    )


def average_precision(scores: Doubles, relevant: Flags, there: Flags) -> Doubles:
    """Return (Q,) average precisions of (Q, C) scores; equal ones by lower column, NaN where nothing is relevant."""
    order = np.argsort(-np.where(there, scores, -np.inf), axis=1, kind="stable")
    found = np.take_along_axis(relevant & there, order, axis=1)
    ranks = np.arange(1, scores.shape[1] + 1)
    sums = (np.cumsum(found, axis=1) / ranks * found).sum(axis=1)
    total = found.sum(axis=1)
    return np.asarray(np.divide(sums, total, out=np.full(len(sums), np.nan), where=total > 0))


def climb(values: npt.NDArray[np.float32], relevant: Flags, there: Flags, pictures: int) -> Doubles:
    """Return the weights (F,) of features that maximise the mean average precision, by coordinate ascent.

    Args:
        values: (Q, C, F) features of C candidates a query.
        relevant: (Q, C). there: (Q, C), which candidates there are.
        pictures: the first so many features are spaces, of which one at least keeps a weight.
    """

    def mean(weights: Doubles) -> float:
        found = average_precision(values @ weights, relevant, there)
        return float(np.nanmean(found)) if np.isfinite(found).any() else 0.0

    spread = values[there].std(axis=0).astype(np.float64)
    weights = 1 / np.where(spread > 0, spread, 1.0)
    # Or from one space alone: where the others only disturb, single steps may not find the way down to it.
    alone = [np.where(np.arange(len(weights)) == at, weights, 0.0) for at in range(pictures)]
    best, weights = max(((mean(start), start) for start in [weights, *alone]), key=lambda pair: pair[0])
    scale = 1 / np.where(spread > 0, spread, 1.0)
    for _ in range(_ROUNDS):
        before = best
        for at in range(len(weights)):
            steps = (
                [weights[at] * step for step in _STEPS] if weights[at] else [scale[at] * step for step in _STEPS[1:]]
            )
            for tried in steps:
                trial = weights.copy()
                trial[at] = tried
                if not trial[:pictures].any():
                    continue
                reached = mean(trial)
                if reached > best + _LEAST:
                    best, weights = reached, trial
        if best <= before:
            break
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """Scores of the candidates of each query: one column a space, then one a metadata column."""

    values: npt.NDArray[np.float32]  # (Q, C, F)
    relevant: Flags  # (Q, C)
    there: Flags  # (Q, C)
    pictures: int

    @classmethod
    def of(
        cls,
        photos: Collection,
        joined: Joined,
        plan: Plan,
        query_rows: Ints,
        spaces: Sequence[str],
        columns: Sequence[Liking],
    ) -> _Features:
        position = {int(row): at for at, row in enumerate(joined.rows.tolist()) if row >= 0}
        searchers = [photos.in_space(name).searcher for name in spaces]
        likenesses = Likenesses(photos.store)
        bases = {int(at): Base(part.base, len(photos)) for part in plan.parts for at in part.queries.tolist()}
        tables = []
        for row in query_rows.tolist():
            at = np.array([position[row]], np.int64)
            base = bases[int(at[0])]
            liked = [_liked(likenesses, each, photos, row) for each in columns]
            rows, scores = _candidates(searchers, row, base)
            rows = rows[~np.isin(rows, plan.ignored.rows(at, base)[1])]
            facts = [scores[place][0][np.searchsorted(scores[place][1], rows)] for place in range(len(spaces))]
            facts += [_look_up(rows, *each).astype(np.float32) for each in liked]
            tables.append((np.stack(facts, axis=1), plan.relevance.within(base).grades(at, rows[None])[0] > 0))
        most = max(len(right) for _, right in tables)
        values = np.zeros((len(tables), most, len(spaces) + len(columns)), np.float32)
        relevant, there = np.zeros((len(tables), most), np.bool_), np.zeros((len(tables), most), np.bool_)
        for place, (facts_, right) in enumerate(tables):
            values[place, : len(right)], relevant[place, : len(right)] = facts_, right
            there[place, : len(right)] = True
        return cls(values, relevant, there, len(spaces))

    def some(self, kept: Flags) -> tuple[npt.NDArray[np.float32], Flags, Flags, int]:
        """Return what ``climb`` takes, of some queries."""
        return self.values[kept], self.relevant[kept], self.there[kept], self.pictures

    def weights(
        self, found: Doubles, spaces: Sequence[str], columns: Sequence[Liking]
    ) -> tuple[dict[str, float], tuple[Liking, ...]]:
        """Return weights as the search takes them: of spaces with the sum 1, of columns beside them."""
        total = found[: self.pictures].sum()
        named = {name: float(w / total) for name, w in zip(spaces, found, strict=False) if w > 0}
        beside = zip(columns, found[self.pictures :], strict=True)
        return named, tuple(replace(each, weight=float(w / total), optional=True) for each, w in beside if w > 0)


@dataclass(frozen=True, slots=True, eq=False)
class Searching:
    """A search of so many images, as ``run_protocol`` takes it."""

    searcher: Searcher
    size: int

    def __len__(self) -> int:
        return self.size


class _Runs:
    """The user's search under a plan, with one set of weights after another."""

    def __init__(self, photos: Collection, joined: Joined, plan: Plan) -> None:
        self._photos = photos
        self._joined = joined
        self._plan = plan

    def judge(self, spaces: Mapping[str, float], columns: Sequence[Liking], *, only: Ints | None = None) -> Evaluation:
        """Search and judge; of all queries, or of those stored under some rows."""
        plan = self._plan
        if only is not None:
            kept = np.flatnonzero(np.isin(self._joined.rows, only))
            plan = replace(plan, parts=tuple(_only(part, kept) for part in plan.parts))
        searcher: Searcher = self._photos.searching(spaces=spaces, metadata=columns)
        return run_plan(searcher, len(self._photos), self._joined, plan, shown=0)

    def values(self, evaluation: Evaluation) -> dict[str, float]:
        """Return the average precision of each query by its name."""
        found = per_query(evaluation.judged, [METRIC])[METRIC]
        return {str(name): float(value) for name, value in zip(_ids(evaluation), found, strict=True)}


def _only(part: Part, kept: Ints) -> Part:
    return replace(part, queries=part.queries[np.isin(part.queries, kept)])


def _sampled(plan: Plan, joined: Joined, most: int, seed: int) -> Plan:
    if plan.tags is not None:
        raise BadInput(f"the protocol {plan.name!r} asks with one image several times.", hint="Use leave-one-out.")
    queries = np.concatenate([part.queries for part in plan.parts])
    if (joined.rows[queries] < 0).any():
        raise BadInput("weights are learned from stored images; some queries are not in the collection.")
    if len(queries) > most:
        queries = np.random.default_rng(seed).choice(queries, most, replace=False)
    return replace(plan, drop_lone=True, parts=tuple(_only(part, queries) for part in plan.parts))


def _candidates(
    searchers: Sequence[Searcher], row: int, base: Base
) -> tuple[Ints, list[tuple[npt.NDArray[np.float32], Ints]]]:
    """Return the first of each space together, ascending, and for each space the scores of all of them, by row."""
    vectors = [searcher.vectors(np.array([row], np.int64)) for searcher in searchers]
    depth = min(DEPTH, base.size)
    firsts = [
        searcher.search(vector, depth, allowed=base.rows).rows[0]
        for searcher, vector in zip(searchers, vectors, strict=True)
    ]
    rows = np.unique(np.concatenate(firsts))
    rows = rows[rows >= 0]
    out = []
    for searcher, vector in zip(searchers, vectors, strict=True):
        found = searcher.search(vector, max(len(rows), 1), allowed=rows)
        there = found.rows[0] >= 0
        # An image without a vector has the lowest score of the candidates there, as in the search.
        scores = np.full(len(rows), found.scores[0][there].min(initial=np.inf) if there.any() else 0.0, np.float32)
        scores[np.searchsorted(rows, found.rows[0][there])] = found.scores[0][there]
        out.append((scores, rows))
    return rows, out


def _liked(likenesses: Likenesses, column: Liking, photos: Collection, row: int) -> tuple[Ints, Doubles]:
    (record,) = photos.store.get_rows([row])
    try:
        rows, amounts, _ = likenesses.of([replace(column, weight=1.0)], {} if record is None else record.metadata)
    except BadQuery:  # this query has no value
        return np.empty(0, np.int64), np.empty(0)
    return rows, amounts


def _look_up(rows: Ints, liked: Ints, amounts: Doubles) -> Doubles:
    if not len(liked):
        return np.zeros(len(rows))
    at = np.minimum(np.searchsorted(liked, rows), len(liked) - 1)
    return np.where(liked[at] == rows, amounts[at], 0.0)


def _ids(evaluation: Evaluation) -> npt.NDArray[Any]:
    names = evaluation.judged.query_ids
    return np.arange(len(evaluation)).astype(str) if names is None else names


def _units(evaluation: Evaluation) -> Ints:
    """Return what is held out and drawn together (Q,): classes where there are several, else single queries."""
    if evaluation.judged.classes is not None:
        codes = np.unique(evaluation.judged.classes, return_inverse=True)[1].astype(np.int64)
        if codes.max(initial=0) > 0:
            return codes
    return np.arange(len(evaluation), dtype=np.int64)


def _gains(table: Doubles, clusters: Ints, seed: int) -> tuple[Gain, Gain]:
    """Return the first column of (Q, 3) against the second and against the third."""
    differences = table[:, :1] - table[:, 1:]
    means, low, high = bootstrap_means(differences, clusters, seed=seed)
    p = holm(sign_flip(differences, clusters, seed=seed).tolist())
    out = []
    for at in range(2):
        verdict: Verdict = "cannot tell"
        if p[at] < 0.05 and (low[at] > 0 or high[at] < 0):
            verdict = "better" if means[at] > 0 else "worse"
        out.append(
            Gain(
                float(table[:, at + 1].mean()), float(means[at]), float(low[at]), float(high[at]), float(p[at]), verdict
            )
        )
    return out[0], out[1]

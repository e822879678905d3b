"""Two evaluations of the same queries, joined by id and compared by a paired test.

What can be compared is: queries that both have, to which as many images are relevant in both. The others are named,
not left out in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .evaluation import Evaluation
from .intervals import Method
from .judged import Judged
from .metrics import parse_metric
from .paired import Comparison, compare
from .summary import Average, Unit, per_query

__all__ = ["COMPARED_METRICS", "Compared", "compare_evaluations", "computable", "take", "verdict_in_words"]

COMPARED_METRICS = ("map", "hit_rate@1", "precision@10", "recall@10", "mrr")
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Compared:
    """The second system against the first.

    Attributes:
        first, second: the evaluations of the queries that were compared, Q of them in one order.
        metrics: key -> values, difference, interval, p and verdict; Holm's correction is over all of them.
        order: the metric that ``differences`` is of.
        differences: (Q,), second minus first; NaN where a query has nothing to find.
        only_first, only_second: ids of queries that the other one lacks.
        other_truth: ids of queries to which a different number of images is relevant in the two, so that a difference
            would say more about the base than about the search.
    """

    first: Evaluation
    second: Evaluation
    metrics: Mapping[str, Comparison]
    order: str
    differences: npt.NDArray[np.float64]
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()
    other_truth: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.first)

    @property
    def left_out(self) -> dict[str, int]:
        """How many queries were not compared, by reason."""
        lists = {"only_first": self.only_first, "only_second": self.only_second, "other_truth": self.other_truth}
        return {why: len(ids) for why, ids in lists.items()}


def compare_evaluations(
    first: Evaluation,
    second: Evaluation,
    keys: Sequence[str] | None = None,
    *,
    average: Average = "micro",
    by: Unit | None = None,
    resamples: int = 1000,
    permutations: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
    method: Method = "bca",
) -> Compared:
    """Join two evaluations by query id and test every metric.

    Args:
        first, second: of the same protocol and truth; ``judged.query_ids`` are names that both share.
        keys: names of metrics; None takes ``COMPARED_METRICS``, as far as both rankings were judged.
        average, by, resamples, permutations, seed, confidence, method: as in ``compare``.

    Raises:
        BadInput: the protocols differ, no query is in both, an id comes twice, or a metric cannot be computed.
    """
    names = [str(side.protocol.get("name", "")) for side in (first, second)]
    if names[0] != names[1]:
        raise BadInput(
            f"the first was evaluated by {names[0]!r} and the second by {names[1]!r}.",
            hint="Evaluate both by one protocol.",
        )
    left, right = _positions(first, "first"), _positions(second, "second")
    both = [id for id in left if id in right]
    if not both:
        some = " and ".join(repr(next(iter(ids), "nothing")) for ids in (left, right))
        raise BadInput(
            f"no query is in both: {len(left)} in the first and {len(right)} in the second, beginning with {some}.",
            hint="Queries are joined by id; index both with the same root, or give the same ids.",
        )
    totals = [(first.judged.total[left[id]], second.judged.total[right[id]]) for id in both]
    same = [id for id, (one, two) in zip(both, totals, strict=True) if one == two]
    other = tuple(id for id, (one, two) in zip(both, totals, strict=True) if one != two)
    if not same:
        one, two = totals[0]
        raise BadInput(
            f"to none of the {len(both)} queries that both have are as many images relevant in the one as in the "
            f"other; to {both[0]!r} there are {one} and {two}.",
            hint="Compare two searches of the same images.",
        )
    one, two = (take(side, [ids[id] for id in same]) for side, ids in ((first, left), (second, right)))
    # The test compares the ids again: as text, since two collections may type them differently.
    shared = np.array(same)
    one, two = (replace(side, judged=replace(side.judged, query_ids=shared)) for side in (one, two))
    chosen = list(keys) if keys else _default_keys(one.judged, two.judged)
    settings: dict[str, Any] = {"resamples": resamples, "permutations": permutations, "seed": seed}
    metrics = compare(
        one.judged, two.judged, chosen, average=average, by=by, confidence=confidence, method=method, **settings
    )
    single = [key for key in chosen if parse_metric(key)[0].kind == "query"]
    order = single[0] if single else _default_keys(one.judged, two.judged)[0]
    values = [per_query(side.judged, [order])[order] for side in (one, two)]
    return Compared(
        first=one,
        second=two,
        metrics=metrics,
        order=order,
        differences=values[1] - values[0],
        only_first=tuple(id for id in left if id not in right),
        only_second=tuple(id for id in right if id not in left),
        other_truth=other,
    )


def verdict_in_words(comparison: Comparison, second: str = "B") -> str:
    """Return ``B is better``, ``B is worse`` or ``cannot tell``."""
    return comparison.verdict if comparison.verdict == "cannot tell" else f"{second} is {comparison.verdict}"


def computable(judged: Judged, keys: Sequence[str]) -> list[str]:
    """Return the metrics that the ranking was judged deep enough for."""
    out = []
    for key in keys:
        try:
            per_query(judged, [key])
        except BadInput:
            continue
        out.append(key)
    return out


def take(evaluation: Evaluation, positions: Sequence[int] | Ints) -> Evaluation:
    """Return the evaluation of some of the queries, in the order given."""
    at = np.asarray(positions, np.int64)
    return replace(
        evaluation,
        judged=_take(evaluation.judged, at),
        query_rows=evaluation.query_rows[at],
        query_sources=tuple(evaluation.query_sources[each] for each in at.tolist()),
        shown=evaluation.shown[at],
        shown_scores=evaluation.shown_scores[at],
        shown_grades=evaluation.shown_grades[at],
        expected=tuple(evaluation.expected[each] for each in at.tolist()),
        query_boxes=tuple(evaluation.query_boxes[each] for each in at.tolist()) if evaluation.query_boxes else (),
    )


def _take(judged: Judged, at: Ints) -> Judged:
    found = _spans(judged.starts[:-1][at], judged.found[at])
    first = np.concatenate([[0], np.cumsum(judged.total)])[:-1]
    parts = {name: getattr(judged, name) for name in ("scores", "classes", "query_ids")}
    return replace(
        judged,
        starts=np.concatenate([[0], np.cumsum(judged.found[at])]).astype(np.int64),
        ranks=judged.ranks[found],
        grades=judged.grades[found],
        total=judged.total[at],
        ideal=None if judged.ideal is None else judged.ideal[_spans(first[at], judged.total[at])],
        **{name: None if part is None else part[at] for name, part in parts.items()},
    )


def _spans(first: Ints, lengths: Ints) -> Ints:
    """Return the positions first[0] .. first[0] + lengths[0] - 1, first[1] .. and so on, in one array."""
    ends = np.cumsum(lengths)
    out: Ints = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(first - (ends - lengths), lengths)
    return out


def _positions(evaluation: Evaluation, which: str) -> dict[str, int]:
    ids = evaluation.judged.query_ids
    if ids is None:
        raise BadInput(f"the queries of the {which} evaluation have no ids to join them by.")
    out: dict[str, int] = {}
    for position, id in enumerate(ids.tolist()):
        if out.setdefault(str(id), position) != position:
            raise BadInput(f"the {which} evaluation has the query {str(id)!r} twice.", hint="Give each query one id.")
    return out


def _default_keys(first: Judged, second: Judged) -> list[str]:
    """Return the usual metrics; average precision goes as deep as both were judged."""
    keys = computable(second, computable(first, COMPARED_METRICS))
    cuts = [judged.cut for judged in (first, second) if judged.cut is not None]
    return keys if "map" in keys or not cuts else [f"map@{min(cuts)}", *keys]

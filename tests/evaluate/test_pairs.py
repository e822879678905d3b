from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, precision_recall_curve

from lookalike.errors import BadInput
from lookalike.evaluate.curve import group_pairs, pool
from lookalike.evaluate.intervals import pooled_replicates
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.metrics.pairs import micro_average_precision, recall_at_precision
from lookalike.evaluate.summary import summarise

# Scores of few values, so that ties are everywhere, within a query and between queries.
cases = st.integers(1, 6).flatmap(
    lambda q: st.integers(1, 8).flatmap(
        lambda n: st.tuples(
            hnp.arrays(np.float32, (q, n), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])),
            hnp.arrays(np.bool_, (q, n)),
        )
    )
)


@given(cases)
@settings(deadline=None)
def test_equal_scikit_learn_over_all_pairs(case: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]) -> None:
    scores, relevant = case
    curve = pool(Judged.from_scores(scores, relevant))
    if not relevant.any():
        assert np.isnan(micro_average_precision(curve))
        return
    expected = average_precision_score(relevant.ravel(), scores.ravel())
    assert float(micro_average_precision(curve)) == pytest.approx(expected)
    precision, recall, _ = precision_recall_curve(relevant.ravel(), scores.ravel())
    best = max(r for p, r in zip(precision, recall, strict=True) if p >= 0.9)
    assert float(recall_at_precision(curve)) == pytest.approx(best)


def test_by_hand_with_an_item_never_found_and_a_query_with_nothing_to_find() -> None:
    # Pairs by score: .9 right, .8 wrong (of the query with nothing to find), .7 right; 3 relevant, one not returned.
    judged = Judged.from_ranked(
        [[1, 1], [0, 0]], total=[3, 0], scores=np.array([[0.9, 0.7], [0.8, -np.inf]], np.float32)
    )
    found = summarise(judged, ["micro_ap", "recall_at_p90", "map@2"])
    assert found["micro_ap"].value == pytest.approx((1 / 1 + 2 / 3) / 3)
    assert found["recall_at_p90"].value == pytest.approx(1 / 3)
    assert (found["micro_ap"].n, found["map@2"].n) == (2, 1)


def test_a_precision_of_exactly_nine_tenths_counts() -> None:
    judged = Judged.from_scores([np.arange(10, 0, -1)], [[0] + [1] * 9])  # wrong, then nine right: 9 of 10 in the end
    assert float(recall_at_precision(pool(judged))) == 1


def test_a_threshold_takes_equal_scores_together() -> None:
    judged = Judged.from_scores([[0.5, 0.5, 0.5, 0.5]], [[1, 0, 0, 0]])
    assert float(micro_average_precision(pool(judged))) == 1 / 4  # one step: 1 of 4
    assert float(recall_at_precision(pool(judged))) == 0


def random_run(rng: np.random.Generator, queries: int, k: int) -> Judged:
    scores = -np.sort(-rng.random((queries, k), dtype=np.float32), axis=1)
    relevant = rng.random((queries, k)) < scores**4
    return Judged.from_ranked(relevant, total=relevant.sum(axis=1) + 1, scores=scores)


def test_weights_are_repeated_queries() -> None:
    rng = np.random.default_rng(5)
    judged = random_run(rng, 12, 9)
    assert judged.scores is not None
    weights = rng.integers(0, 3, size=12)
    grouped = group_pairs(judged, np.arange(12)).weighted(weights[None].astype(np.float64))
    grades = np.zeros((12, 9))
    grades[judged.owner, judged.ranks - 1] = 1
    rows = np.repeat(np.arange(12), weights)
    repeated = pool(Judged.from_ranked(grades[rows], total=judged.total[rows], scores=judged.scores[rows]))
    for metric in (micro_average_precision, recall_at_precision):
        assert metric(grouped)[0] == pytest.approx(float(metric(repeated)))


def test_few_thresholds_stay_close() -> None:
    judged = random_run(np.random.default_rng(6), 3000, 20)
    exact = float(micro_average_precision(pool(judged)))
    rough = group_pairs(judged, np.zeros(3000, np.int64)).weighted(np.ones((1, 1)))
    assert rough.hits.shape == (1, 2048)
    assert micro_average_precision(rough)[0] == pytest.approx(exact, abs=1e-3)


def test_groups_and_thresholds_give_the_spread_of_the_plain_bootstrap() -> None:
    rng = np.random.default_rng(7)
    judged = random_run(rng, 2500, 10)
    assert judged.scores is not None
    grades = np.zeros((2500, 10))
    grades[judged.owner, judged.ranks - 1] = 1
    plain = []
    for _ in range(300):
        rows = rng.integers(0, 2500, size=2500)
        again = Judged.from_ranked(grades[rows], total=judged.total[rows], scores=judged.scores[rows])
        plain.append(float(micro_average_precision(pool(again))))
    quick = pooled_replicates(judged, [micro_average_precision], seed=1)
    assert quick.resampled.std() == pytest.approx(np.std(plain), rel=0.2)
    assert quick.resampled.mean() == pytest.approx(np.mean(plain), abs=float(np.std(plain)) / 2)


def test_scores_are_needed() -> None:
    with pytest.raises(BadInput, match="needs the scores of all results"):
        summarise(Judged.from_ranked([[1, 0]], whole=True), ["micro_ap"])
    unused = Judged.from_ranked([[0, 1]], whole=True, scores=[[0.5, -np.inf]])
    with pytest.raises(BadInput, match="unused slot"):
        summarise(unused, ["micro_ap"])


def test_nothing_relevant_anywhere() -> None:
    judged = Judged.from_ranked([[0, 0], [0, 0]], whole=True, scores=[[0.5, 0.4], [0.5, 0.4]])
    found = summarise(judged, ["micro_ap"])["micro_ap"]
    assert np.isnan([found.value, found.low, found.high]).all()

"""The engine against slow loops over whole score tables: ranks, totals, what is ignored, what is kept for pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.evaluate.judged import Judged
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.summary import per_query
from lookalike.evaluate.truth.base import LabelSets, Pairs, Truth
from lookalike.evaluate.truth.joining import join
from lookalike.evaluate.vector_files import VectorSet

KEYS = ["map", "map@3", "precision@2", "recall@5", "hit_rate@1", "ndcg@4", "r_precision", "mrr", "minp"]


def vectors(count: int, seed: int, *, ties: bool = False) -> VectorSet:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 2, (count, 3)) if ties else rng.standard_normal((count, 6))
    return VectorSet(table.astype(np.float32))


def labelled(labels: list[str]) -> Truth:
    names = tuple(str(at) for at in range(len(labels)))
    return Truth(
        path=Path("t.csv"), format="labels", names=names, labels=LabelSets.of([text.split("|") for text in labels])
    )


def as_pairs(truth: Truth) -> Truth:
    """The same relevance, said pair by pair."""
    assert truth.labels is not None
    sets = [set(truth.labels.of_item(at)) for at in range(len(truth))]
    pairs = [
        (a, b, len(sets[a] & sets[b]) / len(sets[a] | sets[b]))
        for a in range(len(sets))
        for b in range(len(sets))
        if a != b and sets[a] & sets[b]
    ]
    return Truth(path=truth.path, format="pairs", names=truth.names, pairs=Pairs.of(pairs))


def loop(base: VectorSet, grade: npt.NDArray[np.float64]) -> Judged:
    """Leave-one-out, query by query; ``grade`` (N, N) is by row."""
    scores, grades = [], []
    for row in range(len(base)):
        if not any(grade[row, other] > 0 for other in range(len(base)) if other != row):
            continue
        found = base.search(base.vectors(np.array([row])), len(base)).pairs(0)
        scores.append([score for other, score in found if other != row])
        grades.append([grade[row, other] for other, _ in found if other != row])
    return Judged.from_ranked(np.array(grades), whole=True, scores=np.array(scores))


labels = st.lists(st.sampled_from(["", "a", "b", "c", "a|b", "b|c|d"]), min_size=3, max_size=12).filter(
    lambda some: any(
        set(one.split("|")) & set(other.split("|")) - {""} for at, one in enumerate(some) for other in some[:at]
    )
)


@settings(max_examples=60, deadline=None)
@given(labels=labels, seed=st.integers(0, 99), ties=st.booleans(), cut=st.sampled_from([None, 2, 5, 50]))
def test_labels_pairs_and_a_loop_agree(labels: list[str], seed: int, ties: bool, cut: int | None) -> None:
    base = vectors(len(labels), seed, ties=ties)
    truth = labelled(labels)
    pairs = as_pairs(truth)
    one = run_protocol(base, join(truth, base), "leave-one-out", cut=cut)
    two = run_protocol(base, join(pairs, base), "leave-one-out", cut=cut)
    for name in ("starts", "ranks", "grades", "total", "scores"):
        np.testing.assert_array_equal(getattr(one.judged, name), getattr(two.judged, name), err_msg=name)
    assert one.judged.query_ids is not None
    assert two.judged.query_ids is not None
    assert one.judged.query_ids.tolist() == two.judged.query_ids.tolist()
    np.testing.assert_array_equal(one.shown, two.shown)
    np.testing.assert_array_equal(one.shown_grades, two.shown_grades)
    for first, second in zip(one.expected, two.expected, strict=True):
        assert set(first) == set(second)

    grade = np.zeros((len(base), len(base)))
    assert pairs.pairs is not None
    grade[pairs.pairs.query, pairs.pairs.item] = pairs.pairs.grades
    slow = loop(base, grade)
    keys = KEYS if cut is None else ["precision@2", "ndcg@2"]
    fast = per_query(one.judged, keys)
    for key, values in per_query(slow, keys).items():
        np.testing.assert_allclose(fast[key], values, rtol=1e-6, err_msg=key)

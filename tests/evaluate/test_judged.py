from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike.errors import BadInput, BadShape
from lookalike.evaluate.judged import Judged


def test_ranks_in_any_order_are_sorted_by_query_and_rank() -> None:
    judged = Judged.from_ranks([2, 0, 2, 0], [7, 4, 1, 2], grades=[1, 2, 3, 4], total=[2, 0, 2])
    assert judged.ranks.tolist() == [2, 4, 1, 7]
    assert judged.grades.tolist() == [4, 2, 3, 1]
    assert judged.starts.tolist() == [0, 2, 2, 4]
    assert judged.owner.tolist() == [0, 0, 2, 2]
    assert judged.nth.tolist() == [1, 2, 1, 2]
    assert judged.defined.tolist() == [True, False, True]
    assert judged.ideal is not None
    assert judged.ideal.tolist() == [4, 2, 3, 1]


@given(hnp.arrays(np.int8, st.tuples(st.integers(0, 5), st.integers(1, 8)), elements=st.integers(0, 2)))
def test_a_table_of_grades_and_its_ranks_are_the_same_thing(grades: np.ndarray[Any, Any]) -> None:
    judged = Judged.from_ranked(grades, whole=True)
    again = np.zeros_like(grades)
    again[judged.owner, judged.ranks - 1] = judged.grades
    np.testing.assert_array_equal(again, grades)
    assert judged.total.tolist() == (grades > 0).sum(axis=1).tolist()


def test_equal_scores_rank_by_lower_column() -> None:
    judged = Judged.from_scores([[0.5, 0.9, 0.5, 0.9]], [[1, 0, 0, 1]])
    # 0.9: columns 1, 3; then 0.5: columns 0, 2. Relevant are 3 (rank 2) and 0 (rank 3).
    assert judged.ranks.tolist() == [2, 3]
    # Wide enough that an unstable sort would shuffle: 1000 scores of 3 values.
    scores = np.random.default_rng(0).integers(0, 3, size=1000)
    order = sorted(range(1000), key=lambda column: (-scores[column], column))
    chosen = np.arange(1000) == 700
    assert Judged.from_scores(scores[None], chosen[None]).ranks.tolist() == [order.index(700) + 1]


def test_ignored_items_leave_the_ranking_before_ranks_are_counted() -> None:
    judged = Judged.from_scores([[0.9, 0.8, 0.7]], [[0, 1, 1]], ignored=[[True, False, False]])
    assert judged.ranks.tolist() == [1, 2]
    junk_relevant = Judged.from_scores([[0.9, 0.8, 0.7]], [[1, 0, 1]], ignored=[[True, False, False]])
    assert junk_relevant.total.tolist() == [1]
    assert junk_relevant.ranks.tolist() == [2]


def test_what_lies_beyond_the_cut_is_not_taken_for_irrelevant() -> None:
    judged = Judged.from_ranked([[1, 0], [1, 1]], total=[1, 3], query_ids=["cat.jpg", "dog.jpg"])
    assert judged.within(2).tolist() == [True, True, True]
    with pytest.raises(BadInput, match=r"first 2 results .* query dog.jpg has 1 relevant items beyond"):
        judged.within(3)
    with pytest.raises(BadInput, match="at most 2"):
        judged.within(None)
    everything_found = Judged.from_ranked([[1, 0], [1, 1]], total=[1, 2])
    assert everything_found.within(None).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"query": [0, 0], "ranks": [3, 3], "total": [2]}, "has rank 3 out of order or twice"),
        ({"query": [0], "ranks": [0], "total": [1]}, "has rank 0"),
        ({"query": [0, 1], "ranks": [1, 0], "total": [1, 1]}, "query 1 has rank 0"),
        ({"query": [1], "ranks": [1], "total": [1]}, r"query must be in 0\.\.0, got 1\.\.1"),
        ({"query": [0, 0], "ranks": [1, 2], "total": [1]}, "has 1 relevant items in the base, but 2 were found"),
        ({"query": [0], "ranks": [1], "total": [2]}, "only 1 of its 2 relevant items are in it"),
        ({"query": [0], "ranks": [9], "total": [1], "cut": 5}, r"must lie in 1\.\.5"),
        ({"query": [0], "ranks": [1], "total": [1], "grades": [0]}, "finite and above 0"),
        ({"query": [0], "ranks": [1], "total": [1], "grades": [np.nan]}, "finite and above 0"),
        ({"query": [0], "ranks": [1], "total": [1], "grades": [1, 2]}, "grades must have the shape"),
        ({"query": [0], "ranks": [1.5], "total": [1]}, "ranks must be whole numbers"),
        ({"query": [0], "ranks": [1, 2], "total": [1]}, "must share a shape"),
        ({"query": [0], "ranks": [1], "total": [1], "classes": ["a", "b"]}, r"classes of shape \(1,\)"),
        ({"query": [0], "ranks": [1], "total": [1], "ideal": [2, 1]}, "ideal needs the 1 grades"),
        ({"query": [0], "ranks": [1], "total": [1], "ideal": [-1]}, "ideal grades must be"),
        ({"query": [0], "ranks": [1], "total": [1], "scores": [0.5]}, "scores of shape"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(BadShape, match=says):
        Judged.from_ranks(**arguments)


def test_nan_scores_are_named() -> None:
    with pytest.raises(BadInput, match="1 scores are NaN, the first at rank 2 of query b"):
        Judged.from_ranked([[1, 0], [1, 0]], whole=True, scores=[[1, 0.5], [1, np.nan]], query_ids=["a", "b"])
    with pytest.raises(BadInput, match="NaN"):
        Judged.from_scores([[1, np.nan]], [[1, 0]])


def test_graded_relevance_needs_the_grades_of_what_was_not_found() -> None:
    with pytest.raises(BadInput, match="best order is not known"):
        Judged.from_ranked([[2, 0]], total=[2])
    judged = Judged.from_ranked([[2, 0]], total=[2], ideal=[1, 3])
    assert judged.ideal is not None
    assert judged.ideal.tolist() == [3, 1]


def test_a_table_needs_the_number_of_relevant_items() -> None:
    with pytest.raises(BadInput, match="number of relevant items in the base is missing"):
        Judged.from_ranked([[1, 0]])
    with pytest.raises(BadShape, match=r"\(Q, K\)"):
        Judged.from_ranked([1, 0], whole=True)
    with pytest.raises(BadShape, match="not negative"):
        Judged.from_ranked([[1, -1]], whole=True)

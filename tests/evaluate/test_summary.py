from __future__ import annotations

import json

import numpy as np
import pytest

from lookalike.errors import BadInput
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.summary import Estimate, per_class, per_query, summarise

# Query 0 finds its two items at ranks 1 and 3, query 1 its one at rank 2, query 2 has nothing to find.
THREE = Judged.from_ranked([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], whole=True, classes=["a", "b", "b"])


def test_values_of_single_queries_by_hand() -> None:
    values = per_query(THREE, ["map", "hit_rate@1"])
    # AP of query 0: (1/1 + 2/3) / 2 = 5/6; of query 1: (1/2) / 1
    np.testing.assert_allclose(values["map"], [5 / 6, 1 / 2, np.nan])
    np.testing.assert_allclose(values["hit_rate@1"], [1, 0, np.nan])


def test_a_query_with_nothing_to_find_is_counted_and_not_averaged() -> None:
    found = summarise(THREE, ["map"])["map"]
    assert found.value == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert (found.n, found.undefined) == (2, 1)


def test_micro_weighs_queries_and_macro_weighs_classes() -> None:
    judged = Judged.from_ranked([[1, 0]] * 3 + [[0, 1]], whole=True, classes=["a", "a", "a", "b"])
    assert summarise(judged, ["hit_rate@1"])["hit_rate@1"].value == pytest.approx(3 / 4)  # 3 hits of 4 queries
    assert summarise(judged, ["hit_rate@1"], average="macro")["hit_rate@1"].value == pytest.approx(1 / 2)  # (1 + 0) / 2


def test_a_class_without_a_defined_query_is_left_out_of_the_macro_average() -> None:
    judged = Judged.from_ranked([[1, 0], [0, 1], [0, 0]], whole=True, classes=["a", "a", "b"])
    assert summarise(judged, ["hit_rate@1"], average="macro")["hit_rate@1"].value == pytest.approx(1 / 2)


def test_values_by_class() -> None:
    classes, values = per_class(THREE, ["map"])
    assert classes.tolist() == ["a", "b"]
    np.testing.assert_allclose(values["map"], [5 / 6, 1 / 2])


def test_intervals_draw_classes_where_they_are_known() -> None:
    rng = np.random.default_rng(3)
    level = np.repeat(rng.random(10) < 0.5, 100)  # ten classes, each wholly right or wholly wrong
    judged = Judged.from_ranked(np.stack([level, ~level], axis=1), whole=True, classes=np.repeat(np.arange(10), 100))
    by_class, by_query = (summarise(judged, ["hit_rate@1"], by=by)["hit_rate@1"] for by in (None, "query"))
    assert by_class.value == by_query.value
    # sd of the mean: sqrt(p q / 10) against sqrt(p q / 1000), ten times narrower
    assert (by_class.high - by_class.low) > 5 * (by_query.high - by_query.low)


def test_json_has_no_nan() -> None:
    nothing = summarise(Judged.from_ranked([[0, 0]], whole=True), ["map"])["map"]
    assert nothing.undefined == 1
    assert json.dumps(nothing.as_json(), allow_nan=False) == '{"value": null, "low": null, "high": null, "n": 0}'
    assert Estimate(0.5, 0.25, 0.75, 9).as_json() == {"value": 0.5, "low": 0.25, "high": 0.75, "n": 9}


def test_an_average_by_class_needs_classes() -> None:
    judged = Judged.from_ranked([[1, 0]], whole=True)
    with pytest.raises(BadInput, match="needs the class of each query"):
        summarise(judged, ["map"], average="macro")
    with pytest.raises(BadInput, match="needs the class of each query"):
        per_class(judged, ["map"])


def test_no_queries_and_no_keys() -> None:
    none = Judged.from_ranked(np.zeros((0, 5)), whole=True)
    assert np.isnan(summarise(none, ["map"])["map"].value)
    assert summarise(none, []) == {}
    assert summarise(THREE, []) == {}

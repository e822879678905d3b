from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike.errors import BadInput, UnknownName
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.metrics import METRICS, Metric, parse_metric
from lookalike.evaluate.metrics.ndcg import ndcg
from lookalike.evaluate.summary import per_query

PER_QUERY = [key.replace("@K", "@3") for key, metric in METRICS.items() if metric.kind == "query"]

# One query over a base of 8. Relevant: ranks 1, 3 and 6, with grades 1, 3 and 2.
ONE = Judged.from_ranked([[1, 0, 3, 0, 0, 2, 0, 0]], whole=True)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("map", (1 / 1 + 2 / 3 + 3 / 6) / 3),
        ("map@3", (1 / 1 + 2 / 3) / 3),  # min(3, 3) relevant items can be in the first 3
        ("map@2", (1 / 1) / 2),  # min(3, 2)
        ("map_at_r", (1 / 1 + 2 / 3) / 3),  # R = 3: rank 6 is not looked at
        ("precision@1", 1.0),
        ("precision@3", 2 / 3),
        ("precision@20", 3 / 20),  # a base of 8 leaves 12 empty slots
        ("recall@3", 2 / 3),
        ("recall@6", 1.0),
        ("hit_rate@1", 1.0),
        ("cmc@1", 1.0),
        ("r_precision", 2 / 3),
        ("mp5", 2 / 3),  # 2 of the first 5; 3 relevant items
        ("mrr", 1.0),
        ("mrr@5", 1.0),
        ("minp", 3 / 6),
        # got 1/log2(2) + 3/log2(4) = 1 + 1.5; best 3/log2(2) + 2/log2(3) + 1/log2(4) = 3 + 1.26186 + 0.5
        ("ndcg@3", 2.5 / (3.5 + 2 / np.log2(3))),
        # got adds 2/log2(7); the best order is as before
        ("ndcg@8", (2.5 + 2 / np.log2(7)) / (3.5 + 2 / np.log2(3))),
        ("ndcg@1", 1 / 3),
    ],
)
def test_by_hand(key: str, expected: float) -> None:
    assert per_query(ONE, [key])[key].tolist() == pytest.approx([expected])


def test_late_first_hit_by_hand() -> None:
    judged = Judged.from_ranked([[0, 0, 0, 1]], whole=True)
    values = per_query(judged, ["mrr", "mrr@3", "hit_rate@3", "cmc@4", "minp", "map"])
    assert {key: value.tolist() for key, value in values.items()} == {
        "mrr": [1 / 4],
        "mrr@3": [0],
        "hit_rate@3": [0],
        "cmc@4": [1],
        "minp": [1 / 4],
        "map": [1 / 4],
    }


def test_exponential_gain_by_hand() -> None:
    # Gains 2**1 - 1 = 1 and 2**3 - 1 = 7 at ranks 1 and 3; best 7, 3, 1 at ranks 1, 2, 3.
    expected = (1 + 7 / 2) / (7 + 3 / np.log2(3) + 1 / 2)
    assert ndcg(ONE, 3, gain="exponential").tolist() == pytest.approx([expected])


tables = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 6), st.integers(1, 12)), elements=st.sampled_from([0, 0, 0, 1, 2, 3])
)


@given(grades=tables, hidden=st.integers(0, 4), k=st.integers(1, 15))
@settings(deadline=None)
def test_equals_trec_eval(grades: np.ndarray[Any, Any], hidden: int, k: int) -> None:
    """The ranks are fed as scores, because trec_eval orders equal scores by name; ``hidden`` items are never found."""
    queries, depth = grades.shape
    run = {f"q{q}": {f"d{r}": float(depth - r) for r in range(depth)} for q in range(queries)}
    truth = {
        f"q{q}": {f"d{r}": int(grades[q, r]) for r in range(depth)} | {f"hidden{h}": 2 for h in range(hidden)}
        for q in range(queries)
    }
    kinds = {f"{name}.{k}" for name in ("P", "recall", "success", "ndcg_cut", "map_cut")}
    theirs = pytrec_eval.RelevanceEvaluator(truth, kinds | {"map", "Rprec", "recip_rank"}).evaluate(run)

    total = (grades > 0).sum(axis=1) + hidden
    ideal = np.concatenate([[*row[row > 0], *[2] * hidden] for row in grades])
    # trec_eval counts what is not returned as never found, so here the base ends in irrelevant results until then.
    far = 10**9
    query, slot = np.nonzero(grades)
    ours = Judged.from_ranks(
        np.concatenate([query, np.repeat(np.arange(queries), hidden)]),
        np.concatenate([slot + 1, np.tile(far + np.arange(hidden), queries)]),
        grades=np.concatenate([grades[query, slot], np.full(queries * hidden, 2)]),
        total=total,
        ideal=ideal,
    )
    pairs = {
        f"precision@{k}": f"P_{k}",
        f"recall@{k}": f"recall_{k}",
        f"hit_rate@{k}": f"success_{k}",
        f"ndcg@{k}": f"ndcg_cut_{k}",
        "map": "map",
        "r_precision": "Rprec",
        "mrr": "recip_rank",
    }
    values = per_query(ours, [*pairs, f"map@{k}"])
    for q in np.flatnonzero(total):
        for key, name in pairs.items():
            assert values[key][q] == pytest.approx(theirs[f"q{q}"][name], abs=1e-6), key
        # trec_eval divides by all relevant items, we by as many as fit
        by_total = values[f"map@{k}"][q] * min(total[q], k) / total[q]
        assert by_total == pytest.approx(theirs[f"q{q}"][f"map_cut_{k}"], abs=1e-6)
    for key in pairs:
        assert np.isnan(values[key][total == 0]).all()


def loop(row: np.ndarray[Any, Any], k: int) -> dict[str, float]:
    """Metrics that trec_eval does not have, item by item."""
    relevant = [bool(grade) for grade in row]
    total = sum(relevant)
    hits = [sum(relevant[: i + 1]) for i in range(len(relevant))]
    return {
        "map_at_r": sum(hits[i] / (i + 1) for i in range(total) if relevant[i]) / total,
        "mp5": sum(relevant[:5]) / min(total, 5),
        "minp": total / (max(i for i, good in enumerate(relevant) if good) + 1),
        f"mrr@{k}": next((1 / (i + 1) for i, good in enumerate(relevant[:k]) if good), 0.0),
        f"cmc@{k}": float(any(relevant[:k])),
    }


@given(grades=tables, k=st.integers(1, 15))
def test_equals_a_loop(grades: np.ndarray[Any, Any], k: int) -> None:
    judged = Judged.from_ranked(grades, whole=True)
    values = per_query(judged, ["map_at_r", "mp5", "minp", f"mrr@{k}", f"cmc@{k}"])
    for q, row in enumerate(grades):
        if row.any():
            assert {key: value[q] for key, value in values.items()} == pytest.approx(loop(row, k))
        else:
            assert all(np.isnan(value[q]) for value in values.values())


@given(grades=tables)
def test_the_best_order_is_the_best_value(grades: np.ndarray[Any, Any]) -> None:
    best = Judged.from_ranked(-np.sort(-grades, axis=1), whole=True)
    given_order = Judged.from_ranked(grades, whole=True)
    for key in PER_QUERY:
        high, value = (per_query(judged, [key])[key] for judged in (best, given_order))
        assert (np.nan_to_num(value) <= np.nan_to_num(high) + 1e-12).all(), key
        assert (np.nan_to_num(value) >= METRICS.get(key, METRICS.get(key.replace("@3", "@K"))).worst).all()  # type: ignore[union-attr]
        assert (np.nan_to_num(high) <= 1 + 1e-12).all(), key
    for key in ("map", "map@3", "map_at_r", "r_precision", "mrr", "minp", "ndcg@3", "mp5", "hit_rate@3"):
        high = per_query(best, [key])[key]
        np.testing.assert_allclose(high[best.defined], 1, err_msg=key)


@given(grades=tables, cut=st.integers(1, 12))
def test_a_short_list_gives_the_same_values_or_refuses(grades: np.ndarray[Any, Any], cut: int) -> None:
    whole = Judged.from_ranked(grades > 0, whole=True)
    short = Judged.from_ranked(grades[:, :cut] > 0, total=whole.total)
    for key in PER_QUERY:
        try:
            value = per_query(short, [key])[key]
        except BadInput:
            assert (short.found < short.total).any()
        else:
            np.testing.assert_array_equal(value, per_query(whole, [key])[key], err_msg=key)


def test_the_table_is_complete() -> None:
    contract = "map map@K map_at_r precision@K recall@K hit_rate@K r_precision ndcg@K mrr minp micro_ap"
    assert set(contract.split()) <= set(METRICS)
    for key, metric in METRICS.items():
        assert metric.key == key
        assert metric.definition.endswith(".")
        assert metric.source
        assert metric.higher_is_better
        assert parse_metric(key.replace("@K", "@7")) == (metric, 7 if metric.takes_cut else 0)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("precision", r"needs a cut. Write for example precision@10"),
        ("precision@0", "above 0, got '0'"),
        ("precision@-1", "above 0"),
        ("precision@1.5", "above 0"),
        ("precision@", "above 0"),
        ("precision@ 5", "above 0"),
        ("minp@5", "takes no cut"),
        ("micro_ap@5", "takes no cut"),
    ],
)
def test_a_bad_cut_is_named(key: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_metric(key)


@pytest.mark.parametrize(("key", "near"), [("precisn@10", "precision@K"), ("MAP", "map"), ("hit_rte@1", "hit_rate@K")])
def test_an_unknown_metric_offers_the_nearest(key: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean '{near}'"):
        parse_metric(key)


def test_a_metric_has_one_function() -> None:
    with pytest.raises(BadInput, match="exactly one"):
        Metric(key="nothing", definition="Nothing.", source="nobody")


def test_a_pooled_metric_has_no_value_of_one_query() -> None:
    with pytest.raises(BadInput, match="no value for one of them"):
        per_query(ONE, ["micro_ap"])

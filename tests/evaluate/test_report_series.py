from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from lookalike.evaluate.evaluation import Evaluation
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.report.choice import choose, most_changed
from lookalike.evaluate.report.plots import Axis, Line, interval, line_chart, share_chart
from lookalike.evaluate.report.series import (
    by_cut,
    distributions,
    interpolated_precision,
    pooled_precision,
    query_weights,
)
from lookalike.evaluate.summary import summarise


def rankings(seed: int, queries: int, base: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (rng.random((queries, base)) < rng.random((queries, 1)) * 0.4).astype(np.float32)


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(1, 40), st.booleans())
def test_interpolated_precision_equals_trec_eval(seed: int, queries: int, base: int, cut: bool) -> None:
    grades = rankings(seed, queries, base)
    grades[:, 0] = np.maximum(grades[:, 0], grades.sum(axis=1) == 0)  # trec_eval gives no value without a relevant item
    missing = np.random.default_rng(seed).integers(0, 5, queries) if cut else np.zeros(queries, np.int64)
    total = (grades > 0).sum(axis=1) + missing
    judged = Judged.from_ranked(grades, total=total, whole=not cut)
    qrels, run = {}, {}
    for q in range(queries):
        found = {f"d{d}": int(grades[q, d]) for d in range(base)}
        qrels[str(q)] = found | {f"m{n}": 1 for n in range(int(missing[q]))}
        run[str(q)] = {f"d{d}": float(base - d) for d in range(base)}
    measured = pytrec_eval.RelevanceEvaluator(qrels, {"iprec_at_recall"}).evaluate(run)
    ours = interpolated_precision(judged)
    for tenth in range(11):
        if any(int(tenth / 10 * n + 0.9) != (tenth * n + 9) // 10 for n in total.tolist()):
            continue  # trec_eval's floating point takes 2 of 3 for a recall of 0.7
        theirs = np.mean([measured[q][f"iprec_at_recall_{tenth / 10:.2f}"] for q in measured])
        assert ours[tenth] == pytest.approx(theirs, abs=1e-9)


def test_interpolated_precision_by_hand() -> None:
    # Right at ranks 1, 3 and 6 of 3: precisions 1, 2/3, 1/2; recall 1/3 holds up to 0.3, 2/3 up to 0.6.
    judged = Judged.from_ranked([[1, 0, 1, 0, 0, 1]], whole=True)
    assert interpolated_precision(judged).tolist() == pytest.approx([1] * 4 + [2 / 3] * 3 + [1 / 2] * 4)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_recall_and_precision_by_k_equal_the_figures(average: str) -> None:
    grades = rankings(3, 30, 50)
    grades[4] = 0  # nothing to find: no value, in no average
    classes = np.arange(30) % 7
    judged = Judged.from_ranked(grades, whole=True, classes=classes)
    recall, precision = by_cut(judged, 20, average)  # type: ignore[arg-type]
    for k in (1, 5, 10, 20):
        figures = summarise(judged, [f"recall@{k}", f"precision@{k}"], average=average, resamples=10)  # type: ignore[arg-type]
        assert recall[k - 1] == pytest.approx(figures[f"recall@{k}"].value, abs=1e-12)
        assert precision[k - 1] == pytest.approx(figures[f"precision@{k}"].value, abs=1e-12)


def test_weights_by_class_by_hand() -> None:
    # Class a has two queries with something to find, b one, and one without: a third of a half is not counted.
    judged = Judged.from_ranked([[1], [1], [1], [0]], whole=True, classes=["a", "a", "b", "b"])
    assert query_weights(judged).tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert query_weights(judged, "macro").tolist() == pytest.approx([1 / 4, 1 / 4, 1 / 2, 0])


def test_pooled_precision_by_hand() -> None:
    # By score: 0.9 right, 0.8 wrong, 0.7 right, 0.6 wrong, 0.5 right, of 3 relevant.
    judged = Judged.from_ranked(
        [[1, 0, 1], [0, 1, 0]], whole=True, scores=[[0.9, 0.8, 0.5], [0.75, 0.7, 0.6]], classes=None
    )
    pooled = pooled_precision(judged)
    assert pooled is not None
    recall, precision = pooled
    # thresholds 0.9, 0.7, 0.5: 1 of 1, 2 of 4, 3 of 6
    assert recall.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert precision.tolist() == pytest.approx([1, 2 / 4, 3 / 6])
    assert pooled_precision(Judged.from_ranked([[1, 0]], whole=True)) is None


def shown(scores: list[list[float]], grades: list[list[float]]) -> Evaluation:
    judged = Judged.from_ranked(grades, whole=True)
    count = len(grades)
    return Evaluation(
        protocol={},
        judged=judged,
        query_rows=np.full(count, -1),
        query_sources=("",) * count,
        shown=np.where(np.isneginf(scores), -1, 1),
        shown_scores=np.array(scores, np.float32),
        shown_grades=np.array(grades, np.float32),
        expected=(np.empty(0, np.int64),) * count,
    )


def test_distributions_count_what_is_shown_and_nothing_else() -> None:
    spread = distributions(shown([[1.0, 0.5, 0.0], [0.75, 0.25, -np.inf]], [[1, 0, 0], [1, 0, 0]]), bins=4)
    assert spread is not None
    assert spread.counts == (2, 3)
    assert spread.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert spread.relevant.tolist() == [0, 0, 0, 1]  # 0.75 and 1.0: the last bin is closed at both ends
    assert spread.other.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


@pytest.mark.parametrize("scores", [[[-np.inf, -np.inf]], [[]]])
def test_no_scores_have_no_distribution(scores: list[list[float]]) -> None:
    assert distributions(shown(scores, [[0.0] * len(scores[0])])) is None


def test_equal_scores_have_a_distribution() -> None:
    spread = distributions(shown([[0.3, 0.3]], [[1, 0]]))
    assert spread is not None
    assert spread.relevant.sum() == spread.other.sum() == 1


def test_points_of_a_plot_are_those_of_the_curve() -> None:
    x, y = Axis("recall"), Axis("precision")
    line = Line("a", np.linspace(0, 1, 11), np.linspace(1, 0.25, 11))
    drawn = re.findall(r'<polyline[^>]*points="([^"]*)"', line_chart([line], name="n", x=x, y=y))
    assert len(drawn) == 1
    points = np.array([[float(n) for n in point.split(",")] for point in drawn[0].split()])
    # The plot's own ends, read back from its ticks, turn pixels into values again.
    back = (points[:, 0] - x.across(0)) / (x.across(1) - x.across(0))
    up = (points[:, 1] - y.up(0)) / (y.up(1) - y.up(0))
    assert back == pytest.approx(line.x, abs=0.001)
    assert up == pytest.approx(line.y, abs=0.001)


def test_equal_ratios_are_equal_steps_on_a_log_axis() -> None:
    axis = Axis("k", 1, 100, log=True)
    assert axis.place(1) == 0
    assert axis.place(10) == pytest.approx(0.5)
    assert axis.place(100) == 1


def test_names_in_plots_are_escaped() -> None:
    bad = "<script>&"
    line = Line(bad, np.array([0.0]), np.array([0.0]))
    plots = line_chart([line], name=bad, x=Axis(bad), y=Axis(bad)) + share_chart(
        np.array([0.0, 1.0]), [np.array([1.0])], [bad], name=bad, label=bad
    )
    assert "<script" not in plots
    assert plots.count("&lt;script&gt;&amp;") == 7  # twice the plot, three axes, two legends


def test_an_interval_without_ends_draws_none() -> None:
    assert "span" in interval(0.5, 0.4, 0.6, axis=Axis(""))
    assert "span" not in interval(0.5, np.nan, np.nan, axis=Axis(""))
    assert "circle" not in interval(np.nan, np.nan, np.nan, axis=Axis(""))


def test_worst_median_and_best_by_hand() -> None:
    values = np.array([0.5, 0.1, np.nan, 0.9, 0.3, 0.7, 0.2, 0.8])
    chosen = choose(values, 1)
    # Sorted: .1 .2 .3 .5 .7 .8 .9; the middle of seven is .5.
    assert chosen.worst.tolist() == [1]
    assert chosen.median.tolist() == [0]
    assert chosen.best.tolist() == [3]
    two = choose(values, 2)
    assert [values[part].tolist() for part in (two.worst, two.median, two.best)] == [[0.1, 0.2], [0.3, 0.5], [0.9, 0.8]]


@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=40), st.integers(0, 10))
def test_no_query_is_chosen_twice(values: list[float], count: int) -> None:
    array = np.array(values, np.float64)
    chosen = choose(array, count)
    parts = [part.tolist() for part in (chosen.worst, chosen.median, chosen.best)]
    every = [at for part in parts for at in part]
    known = int((~np.isnan(array)).sum())
    assert len(set(every)) == len(every) == min(known, 3 * count)
    assert not np.isnan(array[every]).any()
    if parts[0] and parts[2]:
        assert array[parts[0]].max() <= array[parts[2]].min()


def test_equal_queries_are_drawn_by_seed() -> None:
    values = np.zeros(1000)
    first = choose(values, 8).worst.tolist()
    assert first == choose(values, 8).worst.tolist()
    assert first != choose(values, 8, seed=1).worst.tolist()
    assert max(first) > 100  # not simply the first eight


def test_most_changed_by_hand() -> None:
    lost, gained = most_changed(np.array([0.0, -0.2, np.nan, 0.4, -0.6, 0.1]), 1)
    assert (lost.tolist(), gained.tolist()) == ([4], [3])
    lost, gained = most_changed(np.array([0.0, -0.2, np.nan, 0.4, -0.6, 0.1]), 5)
    assert (lost.tolist(), gained.tolist()) == ([4, 1], [3, 5])

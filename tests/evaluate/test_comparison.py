from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from lookalike.errors import BadInput
from lookalike.evaluate.comparison import compare_evaluations, computable, take, verdict_in_words
from lookalike.evaluate.evaluation import Evaluation
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.paired import compare
from lookalike.evaluate.runs import evaluate_run, read_run
from lookalike.evaluate.summary import per_query
from lookalike.evaluate.truth import read_truth


def system(ranks: dict[str, int], *, base: int = 50, name: str = "leave-one-out", cut: int | None = None) -> Evaluation:
    """A system that finds the one relevant image of each query at the rank given."""
    grades = np.zeros((len(ranks), base), np.float32)
    for q, rank in enumerate(ranks.values()):
        grades[q, rank - 1] = 1
    judged = Judged.from_ranked(
        grades[:, :cut],
        total=np.ones(len(ranks), np.int64),
        whole=cut is None,
        query_ids=list(ranks),
        scores=np.tile(np.linspace(1, 0, base, dtype=np.float32), (len(ranks), 1))[:, :cut],
    )
    return Evaluation(
        protocol={"name": name},
        judged=judged,
        query_rows=np.arange(len(ranks)),
        query_sources=tuple(ranks),
        shown=np.tile(np.arange(5), (len(ranks), 1)),
        shown_scores=np.zeros((len(ranks), 5), np.float32),
        shown_grades=grades[:, :5],
        expected=tuple(np.array([rank]) for rank in ranks.values()),
    )


def test_two_systems_by_hand() -> None:
    # The second finds all of twelve queries first, the first finds them at rank 2: every reciprocal rank gains 1/2.
    first = system({f"q{n}": 2 for n in range(12)})
    second = system({f"q{n}": 1 for n in reversed(range(12))})  # in another order: queries are joined by id
    compared = compare_evaluations(first, second, ["mrr", "hit_rate@1", "hit_rate@5"])
    mrr = compared.metrics["mrr"]
    assert (mrr.first, mrr.second, mrr.difference, mrr.n) == (0.5, 1.0, 0.5, 12)
    assert mrr.p == pytest.approx(2 / 2**12)  # of all signs only all + and all - reach the sum
    assert mrr.p_adjusted == pytest.approx(3 * 2 / 2**12)  # Holm, the smallest of three
    assert [one.verdict for one in compared.metrics.values()] == ["better", "better", "cannot tell"]
    assert [verdict_in_words(one) for one in compared.metrics.values()] == ["B is better"] * 2 + ["cannot tell"]
    back = compare_evaluations(second, first, ["mrr", "hit_rate@1", "hit_rate@5"])
    assert verdict_in_words(back.metrics["mrr"]) == "B is worse"
    assert back.metrics["mrr"].difference == -0.5


def test_two_systems_that_trade_queries_cannot_be_told_apart() -> None:
    first = system({f"q{n}": 1 + n % 2 for n in range(20)})
    second = system({f"q{n}": 2 - n % 2 for n in range(20)})
    compared = compare_evaluations(first, second, ["mrr"])
    assert compared.metrics["mrr"].verdict == "cannot tell"
    assert compared.differences.tolist() == [-0.5, 0.5] * 10


def test_queries_of_one_side_only_are_named_and_left_out() -> None:
    first = system({"a": 1, "b": 2, "c": 4})
    second = system({"c": 2, "d": 1, "b": 1})
    compared = compare_evaluations(first, second, ["mrr"])
    assert (compared.only_first, compared.only_second) == (("a",), ("d",))
    assert [str(id) for id in compared.first.judged.query_ids] == ["b", "c"]  # type: ignore[union-attr]
    assert compared.differences.tolist() == [0.5, 0.25]
    assert compared.left_out == {"only_first": 1, "only_second": 1, "other_truth": 0}
    assert compared.second.query_sources == ("b", "c")


def test_queries_with_another_truth_are_named_and_left_out() -> None:
    first, second = system({"a": 1, "b": 2}), system({"a": 1, "b": 2})
    more = Judged.from_ranked([[1, 1, 0], [0, 1, 0]], whole=True, query_ids=["a", "b"])
    compared = compare_evaluations(first, replace(second, judged=more), ["mrr"])
    assert compared.other_truth == ("a",)
    assert len(compared) == 1


def test_rankings_that_were_cut_are_compared_as_deep_as_both_go() -> None:
    first, second = system({"a": 20, "b": 2}, cut=10), system({"a": 1, "b": 1})
    compared = compare_evaluations(first, second)
    assert computable(first.judged, ["map", "hit_rate@1"]) == ["hit_rate@1"]
    assert list(compared.metrics) == ["map@10", "hit_rate@1", "precision@10", "recall@10"]
    assert compared.differences.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (system({"a": 1}), system({"b": 1}), "no query is in both: 1 in the first and 1 in the second"),
        (system({"a": 1}), system({"a": 1}, name="split"), "by 'leave-one-out' and the second by 'split'"),
        (
            system({"a": 1}),
            replace(system({"a": 1}), judged=Judged.from_ranked([[1, 1]], whole=True, query_ids=["a"])),
            "to 'a' there are 1 and 2",
        ),
        (
            replace(system({"a": 1, "b": 1}), judged=Judged.from_ranked([[1], [1]], whole=True, query_ids=["a", "a"])),
            system({"a": 1}),
            "the query 'a' twice",
        ),
        (
            replace(system({"a": 1}), judged=Judged.from_ranked([[1]], whole=True)),
            system({"a": 1}),
            "no ids to join them by",
        ),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(first: Evaluation, second: Evaluation, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        compare_evaluations(first, second, ["mrr"])


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 30))
def test_taking_queries_keeps_their_values(seed: int, queries: int, base: int) -> None:
    rng = np.random.default_rng(seed)
    grades = rng.integers(0, 3, (queries, base)).astype(np.float32)
    judged = Judged.from_ranked(
        grades, whole=True, scores=np.sort(rng.random((queries, base)))[:, ::-1], query_ids=np.arange(queries)
    )
    whole = Evaluation(
        protocol={},
        judged=judged,
        query_rows=np.arange(queries),
        query_sources=tuple(map(str, range(queries))),
        shown=np.zeros((queries, 0), np.int64),
        shown_scores=np.zeros((queries, 0), np.float32),
        shown_grades=np.zeros((queries, 0), np.float32),
        expected=tuple(np.array([q]) for q in range(queries)),
    )
    at = rng.permutation(queries)[: rng.integers(0, queries + 1)]
    part = take(whole, at)
    assert part.query_rows.tolist() == at.tolist()
    assert [int(rows[0]) for rows in part.expected] == at.tolist()
    for key, values in per_query(judged, ["map", "ndcg@5", "mrr"]).items():
        np.testing.assert_array_equal(per_query(part.judged, [key])[key], values[at])
    assert part.judged.scores is not None
    assert judged.scores is not None
    np.testing.assert_array_equal(part.judged.scores, judged.scores[at])


def test_the_comparison_is_that_of_compare_on_aligned_rankings() -> None:
    rng = np.random.default_rng(0)
    ranks = {f"q{n}": int(rank) for n, rank in enumerate(rng.integers(1, 20, 40))}
    better = {query: max(1, rank - int(rng.integers(0, 5))) for query, rank in ranks.items()}
    first, second = system(ranks), system(better)
    expected = compare(first.judged, second.judged, ["map", "micro_ap"], seed=3)
    assert compare_evaluations(first, second, ["map", "micro_ap"], seed=3).metrics == expected


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_run_is_judged_as_trec_eval_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    documents = [f"d{n}.png" for n in range(30)]
    qrels = {f"q{q}": {d: int(rng.random() < 0.3) for d in documents} for q in range(12)}
    run = {
        query: {d: float(s) for d, s in zip(rng.permutation(documents)[:20], rng.random(20), strict=True)}
        for query in qrels
    }
    truth = write(
        tmp_path / "qrels.txt",
        "".join(f"{q} 0 {d} {grade}\n" for q, judged in qrels.items() for d, grade in judged.items()),
    )
    lines = [f"{q} Q0 {d} 0 {score!r} tag\n" for q, found in run.items() for d, score in found.items()]
    file = write(tmp_path / "a.run", "".join(rng.permutation(lines)))
    evaluation, _ = evaluate_run(read_run(file), read_truth(truth))
    measured = pytrec_eval.RelevanceEvaluator(qrels, {"recall_10", "P_5", "P_20"}).evaluate(run)
    ours = per_query(evaluation.judged, ["recall@10", "precision@5", "precision@20"])
    ids = [str(id) for id in np.asarray(evaluation.judged.query_ids)]
    assert sorted(ids) == sorted(query for query, judged in qrels.items() if any(judged.values()))
    for at, query in enumerate(ids):
        theirs = measured[query]
        assert ours["recall@10"][at] == pytest.approx(theirs["recall_10"])
        assert ours["precision@5"][at] == pytest.approx(theirs["P_5"])
        assert ours["precision@20"][at] == pytest.approx(theirs["P_20"])


def test_equal_scores_of_a_run_keep_the_order_of_its_ranks(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "a.run", "q Q0 b 2 0.5 t\nq Q0 a 1 0.5 t\nq Q0 c 3 0.9 t\n"))
    assert run.ranked == {"q": (["c", "a", "b"], [0.9, 0.5, 0.5])}
    found = run.search(run.vectors(np.array([0])), 5)
    assert [run.names[row] for row in found.rows[0] if row >= 0] == ["c", "a", "b"]
    assert [record.id for record in run] == list(run.names)


def test_queries_that_a_run_does_not_answer_are_counted_not_scored_0(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", "file,label\na,x\nb,x\nc,y\nd,y\n")
    run = read_run(write(tmp_path / "a.run", "a Q0 b 1 0.9 t\nb Q0 c 1 0.9 t\n"))
    evaluation, over = evaluate_run(run, read_truth(truth))
    assert evaluation.skipped["unanswered"] == 2  # c and d
    ids = [str(id) for id in np.asarray(evaluation.judged.query_ids)]
    values = per_query(evaluation.judged, ["hit_rate@1"])["hit_rate@1"].tolist()
    assert dict(zip(ids, values, strict=True)) == {"a": 1.0, "b": 0.0}
    assert set(over.names) == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("q Q0 a 1 0.5\n", "line 1 .* has 5 fields"),
        ("q Q0 a 1 nan t\n", "line 1 .* the score 'nan'"),
        ("q Q0 a one 0.5 t\n", "the rank 'one'"),
        ("q Q0 a 1 0.5 t\nq Q0 a 2 0.4 t\n", "line 2 .* names 'a' for the query 'q' again"),
        ("", "has no lines"),
    ],
)
def test_a_broken_run_is_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_run(write(tmp_path / "a.run", text))


def test_a_run_of_other_queries_is_a_sentence(tmp_path: Path) -> None:
    truth = read_truth(write(tmp_path / "t.csv", "file,label\na,x\nb,x\n"))
    with pytest.raises(BadInput, match="answers none of the 2 queries"):
        evaluate_run(read_run(write(tmp_path / "a.run", "other Q0 b 1 0.9 t\n")), truth)

"""Runs on disk, read back by trec_eval's own reader and scored by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pytrec_eval

from lookalike.errors import BadInput
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.summary import per_query
from lookalike.evaluate.trec_run import write_run
from lookalike.evaluate.truth import join, read_truth
from lookalike.evaluate.vector_files import VectorSet, load_set
from lookalike.types import Candidates


def test_trec_eval_reads_the_run_and_agrees(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"d{at}" for at in range(30)] + [f"q{at}" for at in range(4)]
    base = VectorSet(rng.standard_normal((34, 4)), names)
    qrels = {f"q{q}": {f"d{d}": int(rng.integers(0, 3)) for d in range(30)} for q in range(4)}
    text = "".join(f"{query} 0 {item} {grade}\n" for query, some in qrels.items() for item, grade in some.items())
    (tmp_path / "qrels.txt").write_text(text)
    joined = join(read_truth(tmp_path / "qrels.txt"), base)
    evaluation = run_protocol(base, joined, shown=100)
    lines = write_run(evaluation, tmp_path / "out.run", names=dict(enumerate(names)), tag="ours")
    assert lines == 4 * 30
    assert (tmp_path / "out.run").read_text().splitlines()[0].split()[::5] == ["q0", "ours"]
    with (tmp_path / "out.run").open() as file:
        run = pytrec_eval.parse_run(file)
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"map", "ndcg_cut", "P"}).evaluate(run)
    ours = per_query(evaluation.judged, ["map", "ndcg@10", "precision@5"])
    for at, query in enumerate(qrels):
        found = [theirs[query][key] for key in ("map", "ndcg_cut_10", "P_5")]
        np.testing.assert_allclose([ours[key][at] for key in ours], found, rtol=1e-6)


def test_candidates_and_names_with_spaces(tmp_path: Path) -> None:
    found = Candidates(np.array([[4, 2, -1]]), np.array([[0.5, 0.25, -np.inf]], np.float32))
    write_run(found, tmp_path / "a.run", names={4: "a b.jpg"}, queries=["my query"])
    assert (tmp_path / "a.run").read_text() == (
        "my%20query Q0 a%20b.jpg 1 0.5 lookalike\nmy%20query Q0 2 2 0.25 lookalike\n"
    )
    with pytest.raises(BadInput, match="1 queries need as many names"):
        write_run(found, tmp_path / "b.run", names={})
    with pytest.raises(BadInput, match="one word"):
        write_run(found, tmp_path / "b.run", names={}, queries=["q"], tag="two words")


def test_vectors_of_two_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    np.save(tmp_path / "q.npy", rng.standard_normal((3, 4)))
    np.save(tmp_path / "b.npy", rng.standard_normal((5, 4)))
    (tmp_path / "q.txt").write_text("x\ny\nz\n")
    (tmp_path / "b.txt").write_text("a\nb\nc\nd\ne\n")
    (tmp_path / "t.csv").write_text(
        "file,label\n" + "".join(f"{n},{of}\n" for n, of in zip("xyabcde", "1212121", strict=True))
    )
    truth = read_truth(tmp_path / "t.csv")
    both = [tmp_path / "q.npy", tmp_path / "b.npy"]
    base, split = load_set(both, [tmp_path / "q.txt", tmp_path / "b.txt"], truth)
    evaluation = run_protocol(base, join(split, base))
    assert evaluation.protocol["name"] == "query-gallery"
    assert (evaluation.protocol["queries"], evaluation.protocol["base"]) == (2, 5)
    with pytest.raises(BadInput, match="8 vectors cannot be told to be of the 7 images"):
        load_set(both, [], truth)
    with pytest.raises(BadInput, match="holds 3 vectors, and there are 5 names"):
        load_set(both, [tmp_path / "b.txt", tmp_path / "b.txt"], truth)
    np.save(tmp_path / "nan.npy", np.full((7, 4), np.nan))
    with pytest.raises(BadInput, match="vector 0 holds NaN"):
        load_set([tmp_path / "nan.npy"], [], truth)
    np.save(tmp_path / "object.npy", np.array([object()], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match="cannot be read as"):
        load_set([tmp_path / "object.npy"], [], truth)

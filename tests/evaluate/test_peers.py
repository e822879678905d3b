"""Our values beside those of torchmetrics, pytorch-metric-learning and open-metric-learning."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.evaluate.judged import Judged
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.summary import per_query
from lookalike.evaluate.truth.base import LabelSets, Truth
from lookalike.evaluate.truth.joining import join
from lookalike.evaluate.vector_files import VectorSet

pytestmark = pytest.mark.torch

torch: Any = None  # imported when the first test runs: seconds that no other run should pay

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@pytest.fixture(autouse=True, scope="module")
def libraries() -> None:
    global torch
    torch = import_module("torch")


def scattered(count: int, seed: int) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) // 8).astype(np.int64)
    vectors = rng.standard_normal((count // 8 + 1, 32))[labels] + 1.2 * rng.standard_normal((count, 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def judged(vectors: Floats, labels: Ints) -> Judged:
    searched = VectorSet(vectors)
    sets = LabelSets(np.arange(len(labels) + 1), labels, tuple(map(str, range(int(labels.max()) + 1))))
    truth = Truth(path=Path("labels"), format="labels", names=searched.names, labels=sets)
    return run_protocol(searched, join(truth, searched), "leave-one-out").judged


def means(result: Judged, *keys: str) -> list[float]:
    return [float(np.nanmean(values)) for values in per_query(result, keys).values()]


@pytest.mark.parametrize("seed", range(3))
def test_pytorch_metric_learning(seed: int) -> None:
    module = import_module("pytorch_metric_learning.utils.accuracy_calculator")
    vectors, labels = scattered(2000, seed)
    names = ("precision_at_1", "mean_average_precision_at_r", "r_precision", "mean_reciprocal_rank")
    calculator = module.AccuracyCalculator(include=names, k=len(labels) - 1, device=torch.device("cpu"))
    theirs = calculator.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(labels))
    ours = means(judged(vectors, labels), "precision@1", "map_at_r", "r_precision", "mrr")
    assert ours == pytest.approx([float(theirs[name]) for name in names], abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_open_metric_learning(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it imports warns of its own
        knn, metrics = import_module("oml.functional.knn"), import_module("oml.functional.metrics")
    vectors, labels = scattered(1000, seed)
    every = torch.arange(len(labels))
    _, retrieved, relevant = knn.batched_knn(
        torch.from_numpy(vectors), every, every, top_n=100, labels_gt=torch.from_numpy(labels)
    )
    theirs = metrics.calc_retrieval_metrics(
        retrieved, relevant, cmc_top_k=(1, 5), precision_top_k=(5,), map_top_k=(5,), verbose=False
    )
    result = judged(vectors, labels)
    ours = means(result, "hit_rate@1", "hit_rate@5", "precision@5")
    expected = [float(theirs["cmc"][1]), float(theirs["cmc"][5]), float(theirs["precision"][5])]
    assert ours == pytest.approx(expected, abs=1e-6)
    # Its map@5 divides by the relevant items found among the first five, ours by those that there are (at most five).
    values = per_query(result, ["map@5", "precision@5"])
    found, capped = values["precision@5"] * 5, np.minimum(result.total, 5)
    scaled = np.divide(values["map@5"] * capped, found, out=np.zeros(len(found)), where=found > 0)
    assert float(scaled.mean()) == pytest.approx(float(theirs["map"][5]), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_torchmetrics(seed: int) -> None:
    retrieval = import_module("torchmetrics.retrieval")
    rng = np.random.default_rng(seed)
    queries, base = 40, 60
    grades = rng.integers(0, 4, (queries, base)) * (rng.random((queries, base)) < 0.15)
    grades[:, 0] |= 1  # each query has something to find
    scores = rng.permuted(
        np.linspace(0.1, 1, base, dtype=np.float32)[None].repeat(queries, 0), axis=1
    )  # no ties, and no 0, which torchmetrics takes for not relevant
    ranked = np.take_along_axis(grades, np.argsort(-scores, axis=1), axis=1)
    flat = (torch.from_numpy(scores.ravel()), torch.from_numpy(grades.ravel()))
    of = torch.arange(queries).repeat_interleave(base)
    binary = {
        "map": retrieval.RetrievalMAP(),
        "mrr": retrieval.RetrievalMRR(),
        "precision@5": retrieval.RetrievalPrecision(top_k=5),
        "recall@10": retrieval.RetrievalRecall(top_k=10),
        "hit_rate@3": retrieval.RetrievalHitRate(top_k=3),
        "r_precision": retrieval.RetrievalRPrecision(),
    }
    ours = Judged.from_ranked((ranked > 0).astype(np.float32), whole=True)
    for key, metric in binary.items():
        theirs = float(metric(flat[0], (flat[1] > 0).long(), indexes=of))
        assert means(ours, key) == pytest.approx([theirs], abs=1e-6), key
    # torchmetrics' gain is the grade itself (Järvelin and Kekäläinen), as is ours by default.
    graded = Judged.from_ranked(ranked.astype(np.float32), whole=True)
    theirs = float(retrieval.RetrievalNormalizedDCG(top_k=10)(*flat, indexes=of))
    assert means(graded, "ndcg@10") == pytest.approx([theirs], abs=1e-6)

"""Judging costs little beside the search itself, and no more than the evaluators of PML and OML.

100k queries × 100k images, 128 components, k = 100, each query left out of its own base: the evaluator's time is set
against the blocked float32 matrix product and top-k alone, and against the exact search alone, and its peak memory is
read. Beside it, pytorch-metric-learning's AccuracyCalculator and open-metric-learning's batched_knn and
calc_retrieval_metrics (what its RetrievalResults and calc_retrieval_metrics_rr run) at the largest size that each ends
within two minutes and 24 GB; their values must equal ours to 1e-6. Then the intervals of 20 metrics over 100k queries.

Every measurement is a process of its own, so that its peak memory is its own. The peers come with the extra `peers`
and `pip install --no-deps open-metric-learning` (its own requirements hold numpy below 2).
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import arguments, interleave, ratios, row, write_result

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

DIM, K = 128, 100
A_CLASS = 20  # images
SIZES = (50_000, 100_000)
LIMIT_S, LIMIT_BYTES = 120, 24 << 30
BLOCK = 16_384  # queries
METRICS = ("hit_rate@1", "precision@1", "precision@5", "map@5", "map@10", "map_at_r", "r_precision")
TWENTY = (
    *(f"{name}@{k}" for name in ("precision", "recall", "hit_rate", "map", "ndcg") for k in (1, 5, 10)),
    *("map_at_r", "r_precision", "mp5", "mrr@10", "mrr@100"),
)


def data(count: int, seed: int) -> tuple[Floats, Ints]:
    """Return unit vectors (N, 128) about the centres of their classes, and the classes (N,)."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) // A_CLASS)
    centres = rng.standard_normal((count // A_CLASS + 1, DIM), np.float32)
    vectors = centres[labels] + 2.4 * rng.standard_normal((count, DIM), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


def product_alone(vectors: Floats, k: int) -> Ints:
    """Return the k best of each row: the matrix product in blocks, a partition and a sort, and nothing else."""
    out = np.empty((len(vectors), k), np.int64)
    step = max(1, (128 << 20) // (4 * len(vectors)))
    for start in range(0, len(vectors), step):
        scores = vectors[start : start + step] @ vectors.T
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        out[start : start + step] = np.take_along_axis(best, order, axis=1)
    return out


def searched_alone(vectors: Floats, k: int) -> None:
    """Run the exact search that the evaluator runs, block by block, and keep nothing."""
    from lookalike.evaluate.vector_files import VectorSet

    searched = VectorSet(vectors)
    for start in range(0, len(vectors), BLOCK):
        searched.search(vectors[start : start + BLOCK], k)


def evaluated(vectors: Floats, labels: Ints) -> dict[str, float]:
    """Evaluate as `lookalike evaluate --vectors --cut 100` does: leave-one-out, and the averages of the metrics."""
    from lookalike.evaluate.protocols import run_protocol
    from lookalike.evaluate.summary import per_query
    from lookalike.evaluate.truth import join
    from lookalike.evaluate.truth.base import LabelSets, Truth
    from lookalike.evaluate.vector_files import VectorSet

    searched = VectorSet(vectors)
    sets = LabelSets(np.arange(len(labels) + 1), labels, tuple(map(str, range(int(labels.max()) + 1))))
    truth = Truth(path=Path("labels"), format="labels", names=searched.names, labels=sets)
    judged = run_protocol(searched, join(truth, searched), "leave-one-out", cut=K).judged
    values = per_query(judged, METRICS)
    # OML divides by the relevant items found among the first k, not by those that there are.
    found, capped = values["precision@5"] * 5, np.minimum(judged.total, 5)
    values["oml_map@5"] = np.divide(values["map@5"] * capped, found, out=np.zeros(len(found)), where=found > 0)
    return {key: float(np.nanmean(each)) for key, each in values.items()}


def with_pml(vectors: Floats, labels: Ints) -> dict[str, float]:
    """Evaluate by AccuracyCalculator; its own choice of neighbours is faiss."""
    import torch
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    names = {"precision_at_1": "precision@1", "mean_average_precision_at_r": "map_at_r", "r_precision": "r_precision"}
    calculator = AccuracyCalculator(include=tuple(names), k=K, device=torch.device("cpu"))
    found = calculator.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(labels))
    return {ours: float(found[theirs]) for theirs, ours in names.items()}


def with_oml(vectors: Floats, labels: Ints) -> dict[str, float]:
    """Evaluate by batched_knn and calc_retrieval_metrics; classes are larger than 5, so its precision@5 is ours."""
    import torch
    from oml.functional.knn import batched_knn
    from oml.functional.metrics import calc_retrieval_metrics

    every = torch.arange(len(labels))
    _, retrieved, relevant = batched_knn(
        torch.from_numpy(vectors), every, every, top_n=K, labels_gt=torch.from_numpy(labels)
    )
    tops = {"cmc_top_k": (1,), "precision_top_k": (5,), "map_top_k": (5,)}
    found = calc_retrieval_metrics(retrieved, relevant, verbose=False, **tops)
    ours = {"hit_rate@1": ("cmc", 1), "precision@5": ("precision", 5), "oml_map@5": ("map", 5)}
    return {key: float(found[name][k]) for key, (name, k) in ours.items()}


def intervals(count: int, seed: int) -> None:
    """Summarise 20 metrics over ``count`` judged queries, with their intervals."""
    from lookalike.evaluate.summary import summarise

    figures = summarise(_judged(count, seed), TWENTY, seed=seed)
    if len(figures) != len(TWENTY):
        raise SystemExit("some metrics are missing")


@lru_cache
def _judged(count: int, seed: int) -> Any:
    from lookalike.evaluate.judged import Judged

    rng = np.random.default_rng(seed)
    grades = rng.random((count, K)) < 0.1
    return Judged.from_ranked(grades, total=grades.sum(axis=1) + 1, classes=rng.integers(0, count // A_CLASS, count))


TASKS: dict[str, Callable[[Floats, Ints], Any]] = {
    "ours": evaluated,
    "product": lambda vectors, labels: product_alone(vectors, K),
    "search": lambda vectors, labels: searched_alone(vectors, K + 1),
    "PML": with_pml,
    "OML": with_oml,
}
PEERS = ("PML", "OML")


def measured(task: str, size: int, seed: int) -> dict[str, Any]:
    """Run one task in a process of its own; return its seconds, peak memory (MB) and values, or why it did not end."""
    command = [sys.executable, __file__, "--task", task, str(size), str(seed)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=5 * LIMIT_S, check=False, preexec_fn=_limited
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"over {5 * LIMIT_S} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))


def _task(name: str, size: int, seed: int) -> None:
    """Be the process of one task: data and a small first run, then the clock."""
    vectors, labels = data(size, seed)
    TASKS[name](*data(2 * A_CLASS * K, seed + 1))  # libraries are loaded and warm
    base = _peak_mb()
    begin, worked = time.perf_counter(), time.process_time()
    values = TASKS[name](vectors, labels)
    seconds, worked = time.perf_counter() - begin, time.process_time() - worked
    answer = {"seconds": seconds, "of_all_cores_s": worked, "peak_mb": _peak_mb(), "of_which_before_mb": base}
    print(json.dumps(answer | ({"values": values} if isinstance(values, dict) else {})))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def against_the_search(size: int, repeats: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Measure ours, the product and the search in turn."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ("product", "search", "ours")}
    for _ in range(repeats):
        for name, each in found.items():
            each.append(measured(name, size, seed))
            if "failed" in each[-1]:
                raise SystemExit(f"{name}: {each[-1]['failed']}")
            print(f"  {name}: {each[-1]['seconds']:.1f} s, {each[-1]['peak_mb']:.0f} MB", flush=True)
    return found


def against_peers(sizes: Sequence[int], repeats: int, seed: int) -> dict[str, dict[str, Any]]:
    """Find the largest size that each peer ends within the limits, and measure ours beside it, in turn."""
    out: dict[str, dict[str, Any]] = {}
    for peer in PEERS:
        last: dict[str, Any] = {"failed": "not tried"}
        for size in sizes:
            theirs = measured(peer, size, seed)
            ended = "failed" not in theirs and theirs["seconds"] <= LIMIT_S
            print(f"  {peer}, {size}: {theirs.get('failed') or round(theirs['seconds'], 1)}", flush=True)
            if not ended:
                last["stopped_at"] = {"size": size, **theirs}
                break
            pairs = [(measured("ours", size, seed), theirs)]
            last = {"size": size, "pairs": pairs}
        for _ in range(repeats - 1 if "size" in last else 0):
            last["pairs"].append((measured("ours", last["size"], seed), measured(peer, last["size"], seed)))
        out[peer] = last
    return out


def _peer_rows(peer: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    if "pairs" not in found:
        return []
    pairs, where = found["pairs"], f"{found['size']:,} images"
    ours, theirs = pairs[0]
    worst = max(abs(ours["values"][key] - value) for key, value in theirs["values"].items())
    beside = f"{peer} {theirs['seconds']:.1f} s, {theirs['peak_mb']:.0f} MB; ours {ours['peak_mb']:.0f} MB"
    return [
        row(f"time beside {peer}, {where}", [a["seconds"] / b["seconds"] for a, b in pairs], unit="x", at_most=1,
            beside=beside),
        row(f"peak memory beside {peer}, {where}", [a["peak_mb"] / b["peak_mb"] for a, b in pairs], unit="x",
            at_most=1),
        row(f"largest difference from {peer}'s values, times a million", [worst / 1e-6], unit="x", at_most=1),
    ]  # fmt: skip


def main() -> None:
    options = arguments(__doc__ or "")
    size, repeats = (10_000, 1) if options.quick else (100_000, 1)
    found = against_the_search(size, repeats, options.seed)
    peers = against_peers((5_000, 10_000) if options.quick else SIZES, repeats, options.seed)
    clock = interleave({"20 metrics": lambda: intervals(size, options.seed)}, repeats)["20 metrics"]
    seconds = {name: [each["seconds"] for each in runs] for name, runs in found.items()}
    rows = [
        row("evaluation beside the matrix product and top-k alone", ratios(seconds, "ours", "product"), unit="x",
            at_most=1.3, beside=f"numpy {statistics.median(seconds['product']):.1f} s"),
        row("evaluation beside our exact search alone", ratios(seconds, "ours", "search"), unit="x", at_most=1.3,
            beside=f"search {statistics.median(seconds['search']):.1f} s"),
        row("peak memory of the evaluation", [each["peak_mb"] for each in found["ours"]], unit="MB", at_most=2048),
        *(line for peer, each in peers.items() for line in _peer_rows(peer, each)),
        row("intervals of 20 metrics", clock, unit="s", at_most=5),
    ]  # fmt: skip
    figures = {"against_the_search": found, "peers": peers, "intervals_s": clock}
    write_result("evaluation_speed", __doc__ or "", figures, n=size, seed=options.seed, rows=rows, quick=options.quick)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--task"]:
        _task(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()

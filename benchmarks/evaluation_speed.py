"""Judging costs little beside the search itself, and no more than the evaluators of PML and OML.

100k queries × 100k images, 128 components, k = 100, each query left out of its own base: the evaluator's time is set
against the blocked float32 matrix product and top-k alone, and against the exact search alone, and its peak memory is
read. Beside it, pytorch-metric-learning's AccuracyCalculator and open-metric-learning's batched_knn and
calc_retrieval_metrics (what its RetrievalResults and calc_retrieval_metrics_rr run) at the largest size that each ends
within two minutes and 24 GB; their values must equal ours to 1e-6. Then the intervals of 20 metrics over 100k queries.

A peer adds float32 numbers in another order, so two images whose scores are equal to seven digits may change places. Of
each query whose first five results differ, float64 says whose order is right; values are compared over the others, and
the difference over all of them is told too.

Every measurement is a process of its own, so that its peak memory is its own. The peers come with the extra `peers`
and `pip install --no-deps open-metric-learning` (its own requirements hold numpy below 2). `--only search PML OML`
measures one round of some of it and keeps that in results/evaluation_speed.part, `--assemble` makes the result of what
was kept: so that each round can be a short one, on a machine that is quiet.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import RESULTS, arguments, interleave, row, write_result

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

DIM, K = 128, 100
A_CLASS = 20  # images
SIZE = 100_000
ROUNDS = 3
FIRST = 5  # results whose order is compared
PART = RESULTS / "evaluation_speed.part"
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


Values = dict[str, npt.NDArray[Any]]
Found = tuple[dict[str, float], Callable[[], Values]]  # averages; and by query, with the first results, on demand


def evaluated(vectors: Floats, labels: Ints) -> Found:
    """Evaluate as `lookalike evaluate --vectors --cut 100` does: leave-one-out, and the averages of the metrics."""
    from lookalike.evaluate.protocols import run_protocol
    from lookalike.evaluate.summary import per_query
    from lookalike.evaluate.truth import join
    from lookalike.evaluate.truth.base import LabelSets, Truth
    from lookalike.evaluate.vector_files import VectorSet

    searched = VectorSet(vectors)
    sets = LabelSets(np.arange(len(labels) + 1), labels, tuple(map(str, range(int(labels.max()) + 1))))
    truth = Truth(path=Path("labels"), format="labels", names=searched.names, labels=sets)
    evaluation = run_protocol(searched, join(truth, searched), "leave-one-out", cut=K)
    judged = evaluation.judged
    values = per_query(judged, METRICS)
    # OML divides by the relevant items found among the first k, not by those that there are.
    found, capped = values["precision@5"] * 5, np.minimum(judged.total, 5)
    values["oml_map@5"] = np.divide(values["map@5"] * capped, found, out=np.zeros(len(found)), where=found > 0)
    averages = {key: float(np.nanmean(each)) for key, each in values.items()}
    return averages, lambda: {**values, "first": evaluation.shown[:, :FIRST]}


def with_pml(vectors: Floats, labels: Ints) -> Found:
    """Evaluate by AccuracyCalculator; its own choice of neighbours is faiss."""
    import torch
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    names = {"precision_at_1": "precision@1", "mean_average_precision_at_r": "map_at_r", "r_precision": "r_precision"}
    calculator = AccuracyCalculator(include=tuple(names), k=K, device=torch.device("cpu"))
    found = calculator.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(labels))
    return {ours: float(found[theirs]) for theirs, ours in names.items()}, dict


def with_oml(vectors: Floats, labels: Ints) -> Found:
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

    def by_query() -> Values:
        each = calc_retrieval_metrics(retrieved, relevant, verbose=False, reduce=False, **tops)
        values = {key: each[name][k].numpy() for key, (name, k) in ours.items()}
        return {**values, "first": np.stack([some[:FIRST].numpy() for some in retrieved])}

    return {key: float(found[name][k]) for key, (name, k) in ours.items()}, by_query


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


def measured(task: str, size: int, seed: int, kept: Path | None = None) -> dict[str, Any]:
    """Run one task in a process of its own; return its seconds, peak memory (MB) and values, or why it did not end.

    ``kept``: where it leaves its values by query (.npz).
    """
    command = [sys.executable, __file__, "--task", task, str(size), str(seed), *([str(kept)] if kept else [])]
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


def _task(name: str, size: int, seed: int, kept: str = "") -> None:
    """Be the process of one task: data and a small first run, then the clock."""
    vectors, labels = data(size, seed)
    TASKS[name](*data(2 * A_CLASS * K, seed + 1))  # libraries are loaded and warm
    base = _peak_mb()
    begin, worked = time.perf_counter(), time.process_time()
    values = TASKS[name](vectors, labels)
    seconds, worked = time.perf_counter() - begin, time.process_time() - worked
    answer = {"seconds": seconds, "of_all_cores_s": worked, "peak_mb": _peak_mb(), "of_which_before_mb": base}
    if isinstance(values, tuple):
        answer["values"] = values[0]
        if kept:
            np.savez(kept, **values[1]())
    print(json.dumps(answer))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def against_the_search(size: int, seed: int) -> dict[str, Any]:
    """Measure the product, the search and ours once each."""
    found = {}
    for name in ("product", "search", "ours"):
        each = found[name] = measured(name, size, seed)
        if "failed" in each:
            raise SystemExit(f"{name}: {each['failed']}")
        print(f"  {name}: {each['seconds']:.1f} s, {each['peak_mb']:.0f} MB", flush=True)
    clock = interleave({"20 metrics": lambda: intervals(size, seed)}, 1)["20 metrics"]
    return {"size": size, **found, "intervals_s": clock[0]}


def against_peer(peer: str, size: int, seed: int) -> dict[str, Any]:
    """Measure a peer and ours beside it once, at this size or, where it does not end, at half of it."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}.npz" for name in ("ours", "theirs")]
        theirs = measured(peer, size, seed, paths[1])
        print(f"  {peer}, {size}: {theirs.get('failed') or round(theirs['seconds'], 1)}", flush=True)
        if "failed" in theirs or theirs["seconds"] > LIMIT_S:
            return {**against_peer(peer, size // 2, seed), "stopped_at": {"size": size, **theirs}}
        ours = measured("ours", size, seed, paths[0])
        out = {"size": size, "ours": ours, "theirs": theirs, "largest_difference": _largest(ours, theirs)}
        with np.load(paths[0]) as mine, np.load(paths[1]) as others:
            if "first" in others:
                out["order"] = order_of({**mine}, {**others}, size, seed)
    return out


def _largest(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    return float(max(abs(ours["values"][key] - value) for key, value in theirs["values"].items()))


def order_of(mine: Values, others: Values, size: int, seed: int) -> dict[str, Any]:
    """Say whose order float64 has, of queries whose first results differ, and how the values of all others differ."""
    differ = np.flatnonzero((mine["first"] != others["first"]).any(axis=1))
    base = data(size, seed)[0].astype(np.float64)
    right = {"ours": 0, "theirs": 0}
    gaps = []
    for query in differ.tolist():
        scores = base @ base[query]
        scores[query] = -np.inf
        order = np.lexsort((np.arange(len(scores)), -scores))[: FIRST + 1]
        gaps.append(float(np.abs(np.diff(scores[order])).min()))
        for name, side in (("ours", mine), ("theirs", others)):
            right[name] += bool((side["first"][query] == order[:FIRST]).all())
    alike = np.setdiff1d(np.arange(size), differ)
    keys = [key for key in others if key != "first"]
    rest = max(abs(float(np.mean(mine[key][alike])) - float(np.mean(others[key][alike], dtype=float))) for key in keys)
    return {
        "queries_that_differ": len(differ),
        "ours_is_that_of_float64": right["ours"],
        "theirs_is_that_of_float64": right["theirs"],
        "closest_scores_in_each": gaps[:20],
        "largest_difference_of_the_others": rest,
    }


def _peer_rows(peer: str, rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    where = f"{rounds[0]['size']:,} images"
    pairs = [(each["ours"], each["theirs"]) for each in rounds]
    middle = {name: statistics.median(each["theirs"][name] for each in rounds) for name in ("seconds", "peak_mb")}
    mine = statistics.median(each["ours"]["peak_mb"] for each in rounds)
    beside = f"{peer} {middle['seconds']:.1f} s, {middle['peak_mb']:.0f} MB; ours {mine:.0f} MB"
    out = [
        row(f"Time of evaluation beside {peer}, {where}", [a["seconds"] / b["seconds"] for a, b in pairs], unit="x",
            at_most=1, beside=beside),
        row(f"Peak memory of evaluation beside {peer}, {where}", [a["peak_mb"] / b["peak_mb"] for a, b in pairs],
            unit="x", at_most=1),
    ]  # fmt: skip
    worst = [each["largest_difference"] / 1e-6 for each in rounds]
    what = f"Largest difference of values from {peer}'s, times a million"
    orders = [each["order"] for each in rounds if "order" in each]
    if not orders:
        return [*out, row(what, worst, unit="x", at_most=1)]
    count, right, wrong = (
        orders[0][key] for key in ("queries_that_differ", "ours_is_that_of_float64", "theirs_is_that_of_float64")
    )
    rest = [each["largest_difference_of_the_others"] / 1e-6 for each in orders]
    near = f"over all of them {max(worst):.2g}: {peer} orders {count} of {rounds[0]['size']:,} queries otherwise; "
    near += f"float64 orders {right} of them as ours, {wrong} as {peer}"
    return [*out, row(f"{what}, over queries in one order", rest, unit="x", at_most=1, beside=near)]


def _rows(rounds: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    search = rounds["search"]

    def times(name: str) -> list[float]:
        return [each["ours"]["seconds"] / each[name]["seconds"] for each in search]

    def middle(name: str) -> float:
        return float(statistics.median(each[name]["seconds"] for each in search))

    return [
        row("Evaluation of 100,000 queries and images: time beside the matrix product and top-k alone",
            times("product"), unit="x", at_most=1.3, beside=f"numpy {middle('product'):.1f} s"),
        row("The same, beside our exact search alone", times("search"), unit="x", at_most=1.3,
            beside=f"search {middle('search'):.1f} s"),
        row("Peak memory of that evaluation", [each["ours"]["peak_mb"] for each in search], unit="MB", at_most=2048),
        *(line for peer in PEERS if rounds[peer] for line in _peer_rows(peer, rounds[peer])),
        row("Intervals of 20 metrics over 100,000 queries", [each["intervals_s"] for each in search], unit="s",
            at_most=5),
    ]  # fmt: skip


def main() -> None:
    flags = {"--assemble": "make the result of the rounds that were kept"}
    options = arguments(__doc__ or "", only="parts", flags=flags)
    size = 10_000 if options.quick else SIZE
    kept: list[dict[str, Any]] = []
    if options.assemble:
        kept = [json.loads(line) for line in PART.read_text(encoding="utf-8").splitlines()]
    for _ in range(0 if options.assemble else 1 if options.quick or options.only else ROUNDS):
        for part in options.only or ("search", *PEERS):
            measure = against_the_search if part == "search" else partial(against_peer, part)
            kept.append({"part": part, **measure(size, options.seed)})
            if options.only:
                with PART.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(kept[-1]) + "\n")
    if options.only:
        return
    rounds = {part: [each for each in kept if each["part"] == part] for part in ("search", *PEERS)}
    figures = {"rounds": kept}
    rows = _rows(rounds)
    write_result("evaluation_speed", __doc__ or "", figures, n=size, seed=options.seed, rows=rows, quick=options.quick)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--task"]:
        _task(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
    else:
        main()

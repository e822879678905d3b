"""How good each embedder is on the benchmarks that are at hand: mAP and accuracy, on classes that no constant saw.

The same path as `lookalike evaluate --benchmark NAME --embedder NAME`, one cell after another. Classes are the
held-out ones where a benchmark has such; intervals are 95%, bootstrapped by class. Embedders that learn a basis learn
it from the images of the benchmark, without labels. A cell that was measured with the same embedder (by its
fingerprint) on the same images and truth is not measured again, unless `--again` asks for it; results are kept after
each embedder, so that a run which was stopped goes on.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import lookalike
from harness import RESULTS, SHARED, arguments, commit, write_result
from lookalike.embed import create
from lookalike.evaluate.benchmarks import Material, Run, read_benchmark
from lookalike.evaluate.benchmarks.running import index_benchmark, prepare, run_benchmark, taught_by
from lookalike.evaluate.summary import summarise
from lookalike.evaluate.truth.base import LabelSets, Truth
from lookalike.protocols import Embedder, Learns
from table_rows import Row, chosen_rows

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Set:
    """A benchmark as it is measured here.

    Attributes:
        name: what ``--benchmark`` calls it.
        queries, base: how many images of each are drawn, by the seed; None: all.
    """

    name: str
    queries: int | None = None
    base: int | None = None


SETS = (
    Set("emoji"),
    Set("logos"),
    Set("scenes"),
    Set("grocery"),
    Set("coco"),
    Set("near_dup"),
    Set("fashion-mnist", queries=500, base=1500),  # of 10,000 and 20,000
    Set("omniglot"),
)


def main() -> None:
    options = arguments(
        __doc__ or "", only="rows of the table", flags={"--again": "also what was measured before and has not changed"}
    )
    if not (SHARED / "data").is_dir():
        raise SystemExit("this benchmark needs the shared data, a folder `shared` beside the checkout; it is not there")
    rows = chosen_rows(options.only or (["builtin-1", "eigenfaces", "dhash"] if options.quick else ()))
    sets = [some for some in SETS if some.name in ("near_dup", "scenes")] if options.quick else SETS
    materials = {some.name: _material(some, options.seed) for some in sets}
    digests = {name: _digest(material) for name, material in materials.items()}
    known = {} if options.again or options.quick else _measured_before()
    figures: Json = {"sets": {}, "embedders": {} if not options.only else dict(known)}
    for row in rows:
        made = create(row.embedder)
        line = {"spec": row.spec, "fingerprint": made.fingerprint, **_facts(row, made), "sets": {}}
        before = known.get(row.name, {})
        for name, material in materials.items():
            if before.get("fingerprint") == made.fingerprint and _is_known(before, material, name, digests[name]):
                line["sets"] |= {key: before["sets"][key] for key in _keys(name, material)}
                continue
            answer = _measure(row.embedder, name, material, options.seed)
            facts = {"digest": digests[name], "date": datetime.date.today().isoformat(), "commit": commit()}
            line["sets"] |= {key: cell | facts for key, cell in answer.items()}
            _print(row.name, answer)
        figures["embedders"][row.name] = line
        figures["sets"] = {
            key: {"queries": cell["queries"], "images": cell["images"], "metric": cell["metric"]}
            for key, cell in line["sets"].items()
        }
        everything = {**known, **figures["embedders"]}  # until the end, what was there stays
        _write({**figures, "embedders": everything}, materials, options.seed, quick=options.quick)
    _write(figures, materials, options.seed, quick=options.quick)


def _write(figures: Mapping[str, Any], materials: Mapping[str, Material], seed: int, *, quick: bool) -> None:
    images = sum(len(material.names) for material in materials.values())
    write_result("quality", __doc__ or "", figures, n=images, seed=seed, quick=quick)


def _measured_before() -> Json:
    path = RESULTS / "quality.json"
    if not path.is_file():
        return {}
    found: Json = json.loads(path.read_text(encoding="utf-8"))["figures"].get("embedders", {})
    return found


def _keys(name: str, material: Material) -> list[str]:
    """Return what the cells of a benchmark are called: its own name, with its runs' where there are several."""
    return [f"{name}, {run.name}" if len(material.runs) > 1 else name for run in material.runs]


def _is_known(before: Json, material: Material, name: str, digest: str) -> bool:
    return all(before["sets"].get(key, {}).get("digest") == digest for key in _keys(name, material))


def _facts(row: Row, made: Embedder) -> Json:
    """Return dimension and sizes: bytes of a stored vector, and of the weights (0 for a formula)."""
    return {
        "dim": made.space.dim,
        "kind": made.space.kind,
        "vector_bytes": made.space.width * made.space.dtype.itemsize,
        "weights_bytes": sum(file.stat().st_size for file in row.files),
        "learns": isinstance(made, Learns),
    }


def _material(some: Set, seed: int) -> Material:
    material = read_benchmark(some.name, SHARED / "data")
    if some.queries is None or some.base is None:
        return material
    runs = tuple(_sampled(run, some.queries, some.base, seed) for run in material.runs)
    return replace(material, runs=runs)


def _sampled(run: Run, queries: int, base: int, seed: int) -> Run:
    """Return the run with a random part of its queries and of what they search."""
    truth, rng = run.truth, np.random.default_rng(seed)
    if truth.queries is None or truth.base is None or truth.labels is None:
        raise ValueError("only a truth of labels, with queries and base, can be sampled")
    asked = np.sort(rng.choice(truth.queries, queries, replace=False))
    searched = np.sort(rng.choice(truth.base, base, replace=False))
    kept = [*asked.tolist(), *searched.tolist()]
    sample = Truth(
        path=truth.path,
        format=truth.format,
        names=tuple(truth.names[at] for at in kept),
        labels=LabelSets.of(truth.labels.of_item(at) for at in kept),
        queries=np.arange(queries, dtype=np.int64),
        base=np.arange(queries, len(kept), dtype=np.int64),
    )
    note = f"A random part, drawn by the seed {seed}: {queries} queries, {base} searched."
    return replace(run, truth=sample, notes=(*run.notes, note))


def _digest(material: Material) -> str:
    """Return what changes when the images that are searched, their labels or the protocol do."""
    digest = hashlib.sha256()
    for run in material.runs:
        truth = run.truth
        digest.update(repr((run.name, run.protocol, run.cut, truth.names, truth.overlap)).encode())
        digest.update(repr([truth.text(at) for at in range(len(truth))]).encode())
        for positions in (truth.queries, truth.base):
            digest.update(b"-" if positions is None else positions.tobytes())
    return digest.hexdigest()[:16]


def _measure(embedder: str, name: str, material: Material, seed: int) -> dict[str, Json]:
    """Index one benchmark with one embedder and evaluate it, as the command does; an answer for each run."""
    answers: dict[str, Json] = {}
    with tempfile.TemporaryDirectory() as temporary:
        taught = taught_by(embedder, material, seed=seed)
        with lookalike.open(Path(temporary) / "collection", embedder=taught) as photos:
            index_benchmark(photos, material)
            for key, run in zip(_keys(name, material), material.runs, strict=True):
                answers[key] = _judge(photos, run, seed)
    return answers


def _judge(photos: lookalike.Collection, run: Run, seed: int) -> Json:
    evaluation = run_benchmark(photos, prepare(photos, run, seed=seed), shown=1)
    keys = list(dict.fromkeys(["map", "hit_rate@1", *run.metrics]))
    figures = summarise(evaluation.judged, keys, seed=seed)
    return {
        "metrics": {key: estimate.as_json() for key, estimate in figures.items()},
        "metric": "map" if "map" in run.metrics else run.metrics[0],
        "queries": len(evaluation.judged),
        "images": len(photos),
    }


def _print(name: str, answer: Mapping[str, Json]) -> None:
    for key, cell in answer.items():
        figure = cell["metrics"][cell["metric"]]
        low, high = figure["low"], figure["high"]
        print(f"{name:28} {key:26} {cell['metric']} {figure['value']:.3f} [{low:.3f}, {high:.3f}]", flush=True)


if __name__ == "__main__":
    main()

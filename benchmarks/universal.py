"""One embedder for all kinds of pictures: mP@5 over all sets in one base, as it is and in 64 dimensions.

The images of emoji, logos, scenes, groceries, coco, fashion, handwriting and photographs search one another in one
collection, with one embedder and no setting for any set: `lookalike evaluate --benchmark universal`. The axes of 64
dimensions are learned by `recipes/universal64/learn.py` from classes that are not held out. Intervals are 95%,
bootstrapped by class; the differences to `builtin-1` and to the whole ensemble are tested in pairs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import lookalike
from harness import SHARED, arguments, write_result
from lookalike.collection import Collection
from lookalike.embed.reduce import read_whitening
from lookalike.evaluate.benchmarks import Material, read_benchmark
from lookalike.evaluate.benchmarks.running import index_benchmark
from lookalike.evaluate.benchmarks.universal import SETS, set_of
from lookalike.evaluate.intervals import bootstrap_means
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.paired import compare
from lookalike.evaluate.protocols import plan_of
from lookalike.evaluate.protocols.engine import run_plan
from lookalike.evaluate.summary import per_query, summarise
from lookalike.evaluate.truth import join
from lookalike.evaluate.vector_files import VectorSet

METRICS = ("mp5", "map", "hit_rate@1")
RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "universal64" / "learn.py"
NETWORKS = {
    "MobileNet v1 1.0 224": "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
    "MobileNet v2 1.0 224": "tf2_mobilenet_v2_1.0_224_ptq.tflite",
}


def main() -> None:
    """Measure every model."""
    options = arguments(__doc__ or "", only="models")
    if not (SHARED / "data").is_dir():
        raise SystemExit("this benchmark needs the shared data, a folder `shared` beside the checkout; it is not there")
    judged: dict[str, Judged] = {}
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(os.environ.get("LOOKALIKE_BENCH_WORK", temporary))  # to go on after an interruption
        networks = {name: f"tflite:{SHARED / 'weights' / file}" for name, file in NETWORKS.items()}
        together = "ensemble:builtin-1:2+" + "+".join(networks.values())
        bases = {"builtin-1": "builtin-1"} | ({} if options.quick else {**networks, "all three": together})
        for name, spec in bases.items():
            with lookalike.open(work / name.replace(" ", "-"), embedder=spec) as photos:
                index_benchmark(photos, material())
                judged[name], figures[name] = measure(photos, options.seed)
                show(name, figures[name])
                for short, axes in reductions(name, work).items():
                    judged[short], figures[short] = measure(reduced(photos, axes), options.seed)
                    show(short, figures[short])
    for other in ("builtin-1", "all three"):
        for name in figures:
            if other in judged and name != other:
                found = compare(judged[other], judged[name], ["mp5"], seed=options.seed)["mp5"]
                figures[name][f"against {other}"] = {
                    "difference": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "p": found.p,
                    "verdict": found.verdict,
                }
                interval = f"[{found.low:+.3f}, {found.high:+.3f}]"
                print(f"{name} against {other}: {found.difference:+.3f} {interval} {found.verdict}")
    n = next(iter(figures.values()))["images"]
    write_result("universal", __doc__ or "", {"models": figures}, n=n, seed=options.seed, quick=options.quick)


def material() -> Material:
    """Return the images of all sets, held-out classes."""
    return read_benchmark("universal", SHARED / "data")


def reductions(name: str, work: Path) -> dict[str, Path]:
    """Return name -> file of axes, learned for what is measured under a name."""
    if name == "builtin-1":
        return {"builtin-1, 64": learn(work, "--builtin")}
    if name == "all three":
        return {
            "all three, 64 by principal components": learn(work, "--no-labels"),
            "universal64": learn(work),
        }
    return {}


def learn(work: Path, *how: str) -> Path:
    """Run the recipe and return the file of axes; the training images are embedded once for each embedder."""
    out = work / f"axes{''.join(how)}.npz"
    keep = work / ("teaching-builtin" if "--builtin" in how else "teaching-networks")
    where = ["--data", SHARED / "data", "--weights", SHARED / "weights", "--out", out, "--keep", keep]
    subprocess.run([sys.executable, str(RECIPE), *map(str, where), *how], check=True)
    return out


def reduced(photos: Collection, axes: Path) -> VectorSet:
    """Return the collection's vectors with the axes applied, which is what `reduce:AXES:...` gives of every image."""
    records = list(photos)
    rows = photos.searcher.vectors(np.array([record.row for record in records], np.int64))
    return VectorSet(read_whitening(axes).apply(rows), [record.id for record in records])


def measure(searched: Collection | VectorSet, seed: int) -> tuple[Judged, dict[str, Any]]:
    """Judge the search; per set too."""
    run = material().runs[0]
    joined = join(run.truth, searched)
    evaluation = run_plan(searched.searcher, len(searched), joined, plan_of(joined, run.protocol, seed=seed), shown=0)
    names = evaluation.judged.query_ids
    assert names is not None
    assert run.classes is not None
    classes = np.array([run.classes[str(name)] for name in names])
    judged = evaluation.judged.with_classes(classes)
    space = searched.space
    answer: dict[str, Any] = {"dim": space.dim, "bytes": space.row_bytes, "images": len(searched)}
    answer["queries"] = len(judged)
    answer["metrics"] = {key: each.as_json() for key, each in summarise(judged, METRICS, seed=seed).items()}
    values = per_query(judged, ["mp5"])["mp5"]
    sets = np.array([set_of(label) for label in classes.tolist()])
    answer["sets"] = {}
    for name in SETS:
        mine = sets == name
        clusters = np.unique(classes[mine], return_inverse=True)[1].astype(np.int64)
        value, low, high = bootstrap_means(values[mine, None], clusters, seed=seed)
        ends = [None if np.isnan(end[0]) else float(end[0]) for end in (low, high)]
        answer["sets"][name] = {"value": float(value[0]), "low": ends[0], "high": ends[1], "n": int(mine.sum())}
    answer["mean_of_sets"] = float(np.mean([each["value"] for each in answer["sets"].values()]))
    return judged, answer


def show(name: str, found: dict[str, Any]) -> None:
    mp5 = found["metrics"]["mp5"]
    figure = f"{mp5['value']:.3f} [{mp5['low']:.3f}, {mp5['high']:.3f}]"
    sets = "  ".join(f"{key} {each['value']:.2f}" for key, each in found["sets"].items())
    print(f"{name:38} {found['dim']:5}  mP@5 {figure}  {sets}", flush=True)


if __name__ == "__main__":
    main()

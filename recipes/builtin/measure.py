"""Measure an exported network on the classes that were held out, alone and in the hybrid, beside what it must beat.

    python recipes/builtin/measure.py --from runs/builtin --data ../shared/data --weights ../shared/weights

The shares of the hybrid are chosen on the validation classes first (``--keep-shares``: those that the model tells).
Then every picture of a held-out class searches the others of its set: mAP and R@1, with intervals bootstrapped by
class, by the evaluator of `lookalike evaluate`. Scenes, which nothing is trained on, are measured on all places too.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from card import write_card
from looks import Looks
from material import read_material
from shares import chosen_shares, write_shares

from lookalike.embed import create
from lookalike.embed.builtin import builtin_1
from lookalike.embed.handcrafted.canvas import Views
from lookalike.embed.hybrid import Shares, hybrid, network_alone, read_shares
from lookalike.errors import ImageError
from lookalike.evaluate.benchmarks import read_benchmark
from lookalike.evaluate.benchmarks.base import Material, Run
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.summary import summarise
from lookalike.evaluate.truth.joining import join, match
from lookalike.evaluate.vector_files import VectorSet
from lookalike.images import Item, read_source, scan
from lookalike.images.decode import decode
from lookalike.protocols import Embedder
from lookalike.types import Image

__all__ = ["main"]

TEACHERS = {
    "MobileNet v2": "tf2_mobilenet_v2_1.0_224_ptq.tflite",
    "MobileNet v1": "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
}
METRICS = ("map", "hit_rate@1")
TIMED = 200


def main() -> None:
    """Choose the shares, measure, and write ``figures.json`` beside the model."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--from", dest="runs", type=Path, required=True, help="what train.py was given as --out")
    options.add_argument("--data", type=Path, required=True, help="the folder that holds those of the sets")
    options.add_argument("--weights", type=Path, help="the folder with the MobileNets, to measure beside")
    options.add_argument("--model", type=Path, help="by default model/ beside the stages")
    options.add_argument("--keep-shares", action="store_true", help="take those that the model tells")
    options.add_argument("--limit", type=int, default=0, help="as train.py had it")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    model: Path = given.model or given.runs / "model"
    if not given.keep_shares:
        looks = Looks(read_material(given.data, given.runs / "cache", limit=given.limit).looks, seed=given.seed)
        shares = tuned(model / "model.onnx", looks)
        write_shares(model, shares)
    else:
        shares = read_shares(model)
    print(f"shares: {asdict(shares)}", flush=True)
    embedders: dict[str, Embedder] = {
        "builtin-1": builtin_1(),
        "network": network_alone(model / "float.onnx", shares),
        "network int8": network_alone(model / "model.onnx", shares),
        "hybrid": hybrid(model / "float.onnx", shares, name="hybrid"),
        "hybrid int8": hybrid(model / "model.onnx", shares, name="builtin-2"),
    }
    if given.weights is not None:
        embedders |= {name: create(f"tflite:{given.weights / file}") for name, file in TEACHERS.items()}
    figures: dict[str, Any] = {"shares": asdict(shares), "sets": {}, "milliseconds": {}}
    for name, material, run in tasks(given.data):
        pictures = read_pictures(material)
        for called, embedder in embedders.items():
            found = measured(embedder, pictures, run, seed=given.seed)
            figures["sets"].setdefault(name, {})[called] = found
            shown = "  ".join(f"{key} {x['value']:.3f} [{x['low']:.3f}, {x['high']:.3f}]" for key, x in found.items())
            print(f"{name:24} {called:14} {shown}", flush=True)
        first = list(pictures.values())[:TIMED]
        if name == "emoji":
            for called, embedder in embedders.items():
                figures["milliseconds"][called] = milliseconds(embedder, first)
                print(f"{called:14} {figures['milliseconds'][called]:.2f} ms an image, one by one", flush=True)
    (model / "figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    write_card(model)


def tuned(model: Path, looks: Looks) -> Shares:
    """Return the shares that are best on the validation pictures."""
    evenly = Shares(0.5, 0.5, 0.5, 0.5)
    prepared = looks.prepared
    learned = network_alone(model, evenly)
    parts: dict[str, list[npt.NDArray[np.floating[Any]]]] = {"builtin": [], "shape": [], "meaning": []}
    flatness = []
    for at in range(0, len(prepared), 32):
        chunk = prepared[at : at + 32]
        views = Views(chunk)
        parts["builtin"].append(builtin_1().describe(chunk))
        for name, part in zip(("shape", "meaning"), learned.parts, strict=True):
            parts[name].append(part.descriptor.describe(views))
        flatness.append(views.flatness)
    rows = {name: np.concatenate(some) for name, some in parts.items()}
    shares, figures = chosen_shares(rows, np.concatenate(flatness), looks.classes, looks.sets)
    print("validation:", {key: round(value, 3) for key, value in figures.items()}, flush=True)
    return shares


def tasks(data: Path) -> list[tuple[str, Material, Run]]:
    """Return what is measured: the name, the pictures and who searches whom."""
    found = []
    for name in ("emoji", "logos", "scenes", "photos"):
        material = read_benchmark(name, data / name)
        found.append((name, material, material.runs[0]))
    whole = read_benchmark("scenes", data / "scenes", part="all")
    found.append(("scenes, all", whole, whole.runs[0]))
    grocery = read_benchmark("grocery", data / "grocery")
    truth = replace(grocery.runs[0].truth, queries=None, base=None)
    found.append(("grocery", grocery, replace(grocery.runs[0], truth=truth, protocol="leave-one-out")))
    found += [(f"grocery, {run.name}", grocery, run) for run in grocery.runs]
    coco = read_benchmark("coco", data / "coco128", part="all")
    found.append(("coco", coco, coco.runs[0]))
    copies = read_benchmark("near_dup", data / "near_dup", part="all")
    found.append(("near_dup", copies, copies.runs[0]))
    return found


def read_pictures(material: Material) -> dict[str, Image]:
    """Return the decoded pictures by the benchmark's names, transparent pixels white, as the product reads them."""
    entries = (entry for source in material.sources for entry in scan(source) if isinstance(entry, Item))
    found, _ = match(material.names, entries)
    pictures = {}
    for at, item in sorted(found.items()):
        try:
            pictures[material.names[at]] = decode(read_source(item.source), input_size=224).pixels
        except ImageError:  # one of near_dup is damaged on purpose
            print(f"left out: {material.names[at]}", flush=True)
    return pictures


def measured(embedder: Embedder, pictures: Mapping[str, Image], run: Run, *, seed: int) -> dict[str, Any]:
    """Return the metrics with their intervals."""
    names = [name for name in run.truth.names if name in pictures]
    rows = np.concatenate(
        [embedder.embed([pictures[name] for name in names[at : at + 64]]) for at in range(0, len(names), 64)]
    )
    vectors = VectorSet(rows, names, cosine=True)
    judged = run_protocol(vectors, join(run.truth, vectors), run.protocol).judged
    return {key: value.as_json() for key, value in summarise(judged, METRICS, seed=seed).items()}


def milliseconds(embedder: Embedder, pictures: Sequence[Image]) -> float:
    """Return the median time of one picture on one core, from decoded pixels to the vector."""
    each = []
    for picture in pictures:
        begun = time.perf_counter()
        embedder.embed([picture])
        each.append(time.perf_counter() - begun)
    return float(np.median(each) * 1e3)


if __name__ == "__main__":
    main()

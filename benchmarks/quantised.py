"""What int8 and bfloat16 cost in quality, on trained weights, and what they gain in speed.

mAP on the held-out classes of the sets, for published MobileNets in float32 and at each lower precision, by the paired
test (95% intervals, bootstrapped by class); beside it the mean cosine to the float32 vectors, and the images a second
of the model alone against float32, run by run in turn. `int8-static` learns its ranges from the set's own images,
without labels. `int8-dynamic` is for products of matrices: there the 1x1 convolutions are written as such, and it is
compared with float32 so written. Weights whose file holds 8 bits are taken as the float32 that these stand for, which
is in favour of int8: they have been rounded before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lookalike
from harness import SHARED, arguments, interleave, ratios, spread, write_result
from lookalike.collection import Collection
from lookalike.embed import create
from lookalike.evaluate.benchmarks import Material, read_benchmark
from lookalike.evaluate.benchmarks.running import index_benchmark, prepare, taught_by
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.paired import compare
from lookalike.evaluate.protocols.engine import run_plan
from lookalike.images.decode import decode
from lookalike.protocols import Learns
from lookalike.types import Vectors
from mobilenet_onnx import write_mobilenet
from photographs import encoded

Json = dict[str, Any]

SETS = ("emoji", "logos", "scenes", "grocery", "photos", "coco128")
NETWORKS = {
    "MobileNet v1 0.25 224": "mobilenet_v1_0.25_224_1_default_1.tflite",
    "MobileNet v1 1.0 224": "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
    "MobileNet v2 1.0 224": "tf2_mobilenet_v2_1.0_224_ptq.tflite",
}
BATCH, TIMED = 32, 128


@dataclass(frozen=True, slots=True)
class Way:
    """A precision.

    Attributes:
        before: what stands before the specification.
        products: of the network whose 1x1 convolutions are products.
        device: what runs it.
    """

    before: str
    products: bool = False
    device: str = "auto"


FULL, PRODUCTS = "float32", "float32, products"
WAYS = {
    FULL: Way(""),
    PRODUCTS: Way("", products=True),
    "int8-static": Way("int8-static:"),
    "int8-static, OpenVINO": Way("int8-static:", device="openvino"),
    "int8-dynamic": Way("int8-dynamic:", products=True),
    "bf16": Way("bf16:"),
}


def main() -> None:
    """Measure every network, first its speed, then each set."""
    options = arguments(__doc__ or "", only="networks")
    if not (SHARED / "data").is_dir():
        raise SystemExit("this benchmark needs the shared data, a folder `shared` beside the checkout; it is not there")
    sets = ("scenes",) if options.quick else SETS
    materials = {name: read_benchmark(name.removesuffix("128"), SHARED / "data" / name) for name in sets}
    figures: Json = {}
    images = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or (list(NETWORKS)[:1] if options.quick else NETWORKS):
            file = SHARED / "weights" / NETWORKS[name]
            plain, products = Path(folder) / name / "plain", Path(folder) / name / "products"
            write_mobilenet(plain, file)
            write_mobilenet(products, file, products=True)
            specs = {key: f"{way.before}onnx:{products if way.products else plain}" for key, way in WAYS.items()}
            line: Json = {"speed": speed(specs, options.seed, quick=options.quick), "sets": {}}
            for key, material in materials.items():
                line["sets"][key], count = quality(specs, material, options.seed)
                images += count
            figures[name] = line
            show(name, line)
    write_result("quantised", __doc__ or "", figures, n=images, seed=options.seed, quick=options.quick)


def speed(specs: Mapping[str, str], seed: int, *, quick: bool) -> Json:
    """Return images/s of the model alone at each precision, and the ratios to float32 in the same layout."""
    pictures = [decode(data).pixels for data in encoded(TIMED, (256, 256), seed=seed)]
    contenders = {}
    for key, spec in specs.items():
        made: Any = create(spec, device=WAYS[key].device)
        if isinstance(made, Learns):
            made = made.fit(pictures, seed)
        prepared = [made.prepare(picture) for picture in pictures]
        batches = [prepared[start : start + BATCH] for start in range(0, TIMED, BATCH)]
        contenders[key] = lambda made=made, batches=batches: [made.embed_prepared(batch) for batch in batches]
    seconds = interleave(contenders, 2 if quick else 7)
    return {
        key: {
            "images_per_s": spread([TIMED / taken for taken in some]),
            "times_float32": spread(ratios(seconds, _beside(key), key)),
        }
        for key, some in seconds.items()
    }


def quality(specs: Mapping[str, str], material: Material, seed: int) -> tuple[Json, int]:
    """Return what each precision changes in mAP against float32, and how many images were indexed."""
    found: dict[str, tuple[Judged, Vectors]] = {}
    answer: Json = {}
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for key, spec in specs.items():
            if key == PRODUCTS:
                continue  # the same vectors
            taught = create(spec, device=WAYS[key].device)
            if isinstance(taught, Learns):
                learned = taught_by(spec, material, seed=seed)
                assert isinstance(learned, Learns)
                taught = taught.from_state(learned.state())
            with lookalike.open(Path(folder) / key, embedder=taught) as photos:
                index_benchmark(photos, material)
                found[key] = judge(photos, material, seed)
                count += len(photos)
            judged, rows = found[key]
            if key == FULL:
                continue
            base, full = found[FULL]
            cosines = (rows * full).sum(1)
            answer[key] = against(base, judged, seed) | {"cosine": float(cosines.mean()), "least": float(cosines.min())}
    return answer, count


def judge(photos: Collection, material: Material, seed: int) -> tuple[Judged, Vectors]:
    """Search and judge; also the vectors, by id."""
    prepared = prepare(photos, material.runs[0], seed=seed)
    judged = run_plan(
        photos.searcher, len(photos), prepared.joined, prepared.plan, cut=prepared.run.cut, shown=0
    ).judged
    records = sorted(photos, key=lambda record: record.id)
    return judged, photos.searcher.vectors(np.array([record.row for record in records], np.int64))


def against(full: Judged, other: Judged, seed: int) -> Json:
    """Return the comparison in mAP as JSON values."""
    found = compare(full, other, ["map"], seed=seed)["map"]
    return {
        "float32": found.first,
        "value": found.second,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "verdict": found.verdict,
        "n": found.n,
    }


def show(name: str, line: Json) -> None:
    """Print what was measured of one network."""
    for key, pace in line["speed"].items():
        gain = f"{pace['times_float32']['median']:.2f} x" if key not in (FULL, PRODUCTS) else ""
        print(f"{name} {key:22} {pace['images_per_s']['median']:7.0f} images/s {gain}")
    for key, found in line["sets"].items():
        for way, each in found.items():
            if way != FULL:
                print(
                    f"{name} {key:8} {way:22} {each['float32']:.3f} {each['difference']:+.4f} "
                    f"[{each['low']:+.4f}, {each['high']:+.4f}] {each['verdict']}; cosine {each['cosine']:.4f}",
                    flush=True,
                )


def _beside(key: str) -> str:
    return PRODUCTS if WAYS[key].products else FULL


if __name__ == "__main__":
    main()

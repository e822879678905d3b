"""An object cut out of a photograph finds its photograph more often where parts are indexed beside the whole.

The photographs of `coco128` are indexed whole and with several detectors, by the published MobileNet-v1 embedding and
by `builtin-1`. Each annotated object of at least 1% of its photograph and 24 pixels a side is cut out 10% wider or
tighter at random, shrunk to 80%, and encoded again as JPEG. Two questions, both through the collection's own search:

- `own`: is its photograph the first of the 128 (R@1)?
- `others`: the mean average precision of the other photographs that show an object of its class (own one left out).

Intervals are 95%, bootstrapped by photograph; `gain` is the paired difference from the same index without parts.
"""

from __future__ import annotations

import csv
import io
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

import lookalike
from harness import SHARED, arguments, write_result
from lookalike.evaluate.intervals import bootstrap_means
from lookalike.images.decode import decode
from lookalike.types import Image, Vectors

MOBILENET = SHARED / "weights" / "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
DEEPLAB = SHARED / "weights" / "deeplabv3_mnv2_dm05_pascal_quant.tflite"
WAYS = ("", "saliency", "grid:2x2", "grid:3x3", "grid:2x2+grid:3x3", f"tflite:{DEEPLAB}", f"grid:3x3+tflite:{DEEPLAB}")
SIZES = {"small": (0.01, 0.08), "medium": (0.08, 0.3), "large": (0.3, 1.01)}  # share of the photograph
LEAST_SIDE = 24  # pixels


@dataclass(frozen=True)
class Object:
    """A query: a piece of a photograph."""

    file: str
    kind: str
    share: float
    pixels: Image


def main() -> None:
    options = arguments(__doc__ or "")
    objects, shown = read_objects(options.seed)
    if options.quick:
        objects = objects[::20]
    figures: dict[str, Any] = {}
    for name, embedder in (("mobilenet", f"tflite:{MOBILENET}"), ("builtin-1", "builtin-1")):
        measured = {way: measure(embedder, way, objects, shown) for way in WAYS}
        figures[name] = table(measured, objects, options.seed)
        for way, line in figures[name].items():
            own, gain = line["own"], line.get("own gain", {}).get("all")
            print(f"{name} {way}: {line['vectors an image']} vectors; own {own}; gain {gain}; others {line['others']}")
    claim = (__doc__ or "").split("\n\n", maxsplit=1)[0]
    write_result("regions", claim, figures, n=len(objects), seed=options.seed, quick=options.quick)


def read_objects(seed: int) -> tuple[list[Object], dict[str, set[str]]]:
    """Return the queries, and the classes that each photograph shows."""
    rng = np.random.default_rng(seed)
    folder = SHARED / "data" / "coco128"
    with tarfile.open(folder / "images.tar") as tar:
        photos = {m.name: decode(tar.extractfile(m).read()).pixels for m in tar if m.isfile()}  # type: ignore[union-attr]
    shown: dict[str, set[str]] = {name: set() for name in photos}
    objects = []
    with (folder / "boxes.csv").open() as lines:
        for row in csv.DictReader(lines):
            if row["file"] not in photos:
                continue
            shown[row["file"]].add(row["class_name"])
            cx, cy, w, h = (float(row[key]) for key in ("cx", "cy", "w", "h"))
            photo = photos[row["file"]]
            height, width = photo.shape[:2]
            edges = np.array([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
            edges += rng.uniform(-0.1, 0.1, 4) * [w, h, w, h]
            x0, y0, x1, y1 = (edges.clip(0, 1) * [width, height, width, height]).round().astype(int).tolist()
            if w * h >= 0.01 and min(x1 - x0, y1 - y0) >= LEAST_SIDE:
                objects.append(Object(row["file"], row["class_name"], w * h, again(photo[y0:y1, x0:x1])))
    return objects, shown


def again(pixels: Image) -> Image:
    """Return the piece shrunk to 80% and encoded again, so that no pixel is the same."""
    picture = Pillow.fromarray(pixels)
    data = io.BytesIO()
    size = max(8, round(picture.width * 0.8)), max(8, round(picture.height * 0.8))
    picture.resize(size, Pillow.Resampling.BICUBIC).save(data, "JPEG", quality=80)
    return decode(data.getvalue()).pixels


def measure(embedder: str, way: str, objects: list[Object], shown: dict[str, set[str]]) -> dict[str, Any]:
    """Index one way, search with every object; return for each R@1 and the average precision."""
    from lookalike.embed.regions import regions_spec

    with tempfile.TemporaryDirectory() as folder:
        spec = regions_spec(way, embedder) if way else embedder
        with lookalike.open(Path(folder) / "c", embedder=spec) as photos:
            photos.add(SHARED / "data" / "coco128" / "images.tar")
            names = {record.row: Path(record.id).name for record in photos}
            parts = photos.store.region_snapshot(photos.space.name)
            queries = embedded(photos, objects)
            found = photos.searcher.search(queries, len(names))
    first, precision = np.empty(len(objects)), np.empty(len(objects))
    for at, wanted in enumerate(objects):
        ranking = [names[row] for row in found.rows[at].tolist() if row >= 0]
        first[at] = ranking[0] == wanted.file
        right = np.array([wanted.kind in shown[name] for name in ranking if name != wanted.file])
        ranks = np.flatnonzero(right) + 1
        precision[at] = (np.arange(1, len(ranks) + 1) / ranks).mean() if len(ranks) else np.nan
    vectors = 1 + (0 if parts is None else len(parts)) / len(names)
    return {"own": first, "others": precision, "vectors": vectors}


def embedded(photos: lookalike.Collection, objects: list[Object]) -> Vectors:
    rows = [photos.embedder.embed([each.pixels for each in objects[at : at + 32]]) for at in range(0, len(objects), 32)]
    return np.concatenate(rows)


def table(measured: dict[str, dict[str, Any]], objects: list[Object], seed: int) -> dict[str, Any]:
    files = sorted({each.file for each in objects})
    photos = np.array([files.index(each.file) for each in objects], np.int64)
    shares = np.array([each.share for each in objects])
    groups = {"all": np.ones(len(objects), bool)} | {
        name: (shares >= low) & (shares < high) for name, (low, high) in SIZES.items()
    }
    out: dict[str, Any] = {}
    for way, line in measured.items():
        name = "whole" if not way else "+".join("deeplab" if "tflite" in part else part for part in way.split("+"))
        out[name] = {"vectors an image": round(line["vectors"], 2)}
        for what in ("own", "others"):
            values, before = line[what], measured[""][what]
            out[name][what] = {g: ends(values[at], photos[at], seed) for g, at in groups.items()}
            if way:
                gained = values - before
                out[name][f"{what} gain"] = {g: ends(gained[at], photos[at], seed) for g, at in groups.items()}
    out["whole"]["objects"] = {name: int(group.sum()) for name, group in groups.items()}
    return out


def ends(values: npt.NDArray[np.float64], photos: npt.NDArray[np.int64], seed: int) -> list[float]:
    """Return the mean and its interval."""
    _, clusters = np.unique(photos, return_inverse=True)
    mean, low, high = bootstrap_means(values[:, None], clusters.astype(np.int64), seed=seed)
    return [round(float(v), 3) for v in (mean[0], low[0], high[0])]


if __name__ == "__main__":
    main()

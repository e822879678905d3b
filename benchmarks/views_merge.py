"""Several photographs of one thing to one vector: a set transformer beside the mean and the generalised mean.

The natural photographs of groceries, by fine class. Half of the classes teach the merging (`train_merge`), the others
are asked, and the other way round; vectors are those of `builtin-1` and of the published MobileNet v1. A question is
the merged vector of `views` photographs of a class; the answers sought are the other photographs of it, one by one,
among all of the asked classes' (mAP). Intervals are 95%, bootstrapped by class; `gain` is the paired difference from
the mean.
"""

from __future__ import annotations

import csv
import tarfile
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import SHARED, arguments, write_result
from lookalike.embed import create
from lookalike.evaluate.intervals import bootstrap_means
from lookalike.images.decode import decode
from lookalike.train.views import SetTransformer, merged, plain_merge, train_merge

Floats = npt.NDArray[np.float32]

MOBILENET = SHARED / "weights" / "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
EMBEDDERS = {"builtin-1": "builtin-1", "MobileNet v1": f"tflite:{MOBILENET}"}
VIEWS, SEEDS, QUESTIONS = (2, 4), 3, 10  # questions of a class


def main() -> None:
    """Measure both embedders with sets of two and of four."""
    options = arguments(__doc__ or "")
    pictures, names = read(quick=options.quick)
    classes = np.unique(names, return_inverse=True)[1]
    figures: dict[str, Any] = {}
    for name, spec in EMBEDDERS.items():
        embedder = create(spec)
        rows = np.concatenate([embedder.embed(pictures[at : at + 32]) for at in range(0, len(pictures), 32)])
        rows = np.asarray(rows, np.float32) / np.linalg.norm(rows, axis=1, keepdims=True)
        figures[name] = {}
        order = np.random.default_rng(options.seed).permutation(np.unique(classes))
        halves = [(taught, learned(rows, classes, taught, quick=options.quick)) for taught in (order[::2], order[1::2])]
        for views in VIEWS:
            line = measure(rows, classes, views, halves, options.seed)
            figures[name][f"{views} views"] = line
            print(name, views, line, flush=True)
    write_result("views_merge", __doc__ or "", figures, n=len(pictures), seed=options.seed, quick=options.quick)


def read(*, quick: bool) -> tuple[list[npt.NDArray[np.uint8]], list[str]]:
    """Return the natural photographs and their fine classes."""
    folder = SHARED / "data" / "grocery"
    with (folder / "labels.csv").open() as lines:
        fine = {line["file"]: line["fine"] for line in csv.DictReader(lines) if line["split"] != "iconic"}
    if quick:
        fine = dict(list(sorted(fine.items(), key=lambda pair: pair[1]))[:200])
    pictures, names = [], []
    with tarfile.open(folder / "images.tar") as tar:
        for member in tar:
            if member.name in fine:
                pictures.append(decode(tar.extractfile(member).read(), input_size=224).pixels)  # type: ignore[union-attr]
                names.append(fine[member.name])
    return pictures, names


def learned(
    rows: Floats, classes: npt.NDArray[np.int64], taught: npt.NDArray[np.int64], *, quick: bool
) -> list[SetTransformer]:
    """Return what some classes teach, once for each seed."""
    known = np.isin(classes, taught)
    steps = 20 if quick else 300
    return [train_merge(rows[known], classes[known], most=max(VIEWS), steps=steps, seed=each) for each in range(SEEDS)]


def measure(
    rows: Floats,
    classes: npt.NDArray[np.int64],
    views: int,
    halves: list[tuple[npt.NDArray[np.int64], list[SetTransformer]]],
    seed: int,
) -> dict[str, dict[str, list[float]]]:
    """Return the mAP of each way of merging, and what it gains over the mean, with intervals."""
    rng = np.random.default_rng(seed)
    values: dict[str, list[float]] = {"one view": [], "mean": [], "gem": [], "set transformer": []}
    of: list[int] = []
    for taught, models in halves:
        asked = np.setdiff1d(classes, taught)
        base = np.flatnonzero(np.isin(classes, asked))
        for kind in asked:
            members = np.flatnonzero(classes == kind)
            if len(members) < views + 2:
                continue
            for _ in range(QUESTIONS):
                chosen = rng.choice(members, views, replace=False)
                some = rows[chosen]
                found = {"one view": [some[0]], "set transformer": [merged(model, [some])[0] for model in models]}
                found |= {how: [plain_merge([some], how)[0]] for how in ("mean", "gem")}
                others = base[~np.isin(base, chosen)]
                for name, queries in found.items():
                    values[name].append(
                        float(np.mean([precision(rows[others] @ q, classes[others] == kind) for q in queries]))
                    )
                of.append(int(kind))
    clusters = np.unique(of, return_inverse=True)[1].astype(np.int64)
    mean = np.array(values["mean"])
    return {
        name: {"map": ends(np.array(some), clusters, seed), "gain": ends(np.array(some) - mean, clusters, seed)}
        for name, some in values.items()
    }


def precision(scores: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Return the average precision."""
    ranks = np.flatnonzero(right[np.argsort(-scores, kind="stable")]) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


def ends(values: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64], seed: int) -> list[float]:
    """Return the mean and its interval."""
    mean, low, high = bootstrap_means(values[:, None], clusters, seed=seed)
    return [round(float(v[0]), 4) for v in (mean, low, high)]


if __name__ == "__main__":
    main()

"""Learn the 64 axes of an embedder for all kinds of pictures, from the classes that are not held out."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import lookalike
from lookalike.embed.reduce import save_whitening
from lookalike.embed.specs import inner
from lookalike.embed.whitening import fit_classes, fit_pca
from lookalike.evaluate.benchmarks.running import index_benchmark
from lookalike.evaluate.benchmarks.universal import set_of, training

DIM = 64
NETWORKS = ("mobilenet_v1_1.0_224_quant_embedding_extractor.tflite", "tf2_mobilenet_v2_1.0_224_ptq.tflite")


def main() -> None:
    """Learn, and say how the result is used."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="the folder that holds those of the sets")
    options.add_argument("--weights", type=Path, help="the folder with the MobileNets")
    options.add_argument("--builtin", action="store_true", help="learn from builtin-1 alone, without neural weights")
    options.add_argument("--no-labels", action="store_true", help="principal components instead")
    options.add_argument("--keep", type=Path, help="a collection of the training images, kept and used again")
    options.add_argument("--out", type=Path, required=True, help="where the axes go (.npz)")
    given = options.parse_args()
    if not given.builtin and given.weights is None:
        options.error("--weights FOLDER is needed, or --builtin.")
    spec = "builtin-1" if given.builtin else ensemble(given.weights)
    rows, classes, sets = teaching(given.data, spec, given.keep)
    if given.no_labels:
        learned = fit_pca(rows, dim=DIM, power=0.25)
    else:
        learned = fit_classes(rows, classes, groups=sets, dim=DIM)
    save_whitening(given.out, learned)
    print(f"{len(rows)} images of {len(np.unique(classes))} classes taught {learned.fingerprint}")
    print(f"lookalike index FOLDER --embedder 'reduce:{given.out}:{inner(spec)}'")


def ensemble(weights: Path) -> str:
    """Return the specification of the members side by side."""
    return "ensemble:builtin-1:2+" + "+".join(f"tflite:{weights.absolute() / name}" for name in NETWORKS)


def teaching(data: Path, spec: str, keep: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the vectors of the training images (N, D), and the class and the set of each, as numbers (N,)."""
    material = training(data)
    truth = material.runs[0].truth
    assert truth.labels is not None
    with tempfile.TemporaryDirectory() as folder, lookalike.open(keep or Path(folder) / "c", embedder=spec) as photos:
        index_benchmark(photos, material)
        records = photos.store.get(truth.names)
        there = [at for at, record in enumerate(records) if record is not None]
        rows = photos.store.vectors(photos.space.name, [record.row for record in records if record is not None])
    labels = np.array([truth.text(at) for at in there])
    sets = np.array([set_of(label) for label in labels])
    return rows, np.unique(labels, return_inverse=True)[1], np.unique(sets, return_inverse=True)[1]


if __name__ == "__main__":
    main()

"""The trained model in int8 beside the float one, and what that costs: the product's own quantisation, measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..embed.neural.onnx import OnnxEmbedder, open_onnx
from ..embed.neural.quantise import calibrate, is_convolutional, quantised_dynamic, quantised_static
from ..evaluate.paired import compare
from .pictures import Pictures
from .validate import Validation

__all__ = ["FOLDER", "Int8", "write_int8"]

FOLDER = "int8"  # inside the model's
ENOUGH = 256  # training images that the ranges are learned from
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Int8:
    """What int8 costs.

    Attributes:
        how: ``static``, with ranges learned from training images, or ``dynamic``.
        megabytes, float_megabytes: of the two files.
        images: that were compared.
        cosine, least_cosine: of the int8 to the float vectors of an image, their mean and the least.
        map, float_map: mean average precision of both on those images; None without labels.
        difference, low, high: int8 - float, and the 95% interval of the paired bootstrap.
    """

    how: str
    megabytes: float
    float_megabytes: float
    images: int
    cosine: float
    least_cosine: float
    map: float | None = None
    float_map: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    def sentence(self) -> str:
        """Return it in words."""
        said = (
            f"In int8 ({self.how}) it takes {self.megabytes:.1f} MB in place of {self.float_megabytes:.1f}; its "
            f"vectors have a cosine of {self.cosine:.4f} to those in float on the mean, {self.least_cosine:.4f} at the "
            f"least, over {self.images} images"
        )
        if self.difference is None:
            return said + "."
        return (
            f"{said}; mAP {self.map:.3f} in place of {self.float_map:.3f}, a difference of {self.difference:+.3f} "
            f"[{self.low:+.3f}, {self.high:+.3f}]."
        )


def write_int8(folder: Path, train: Pictures, measured: Validation | None, *, seed: int) -> Int8:
    """Write ``int8/`` into a model folder that is complete, and say in its card what int8 costs.

    Args:
        folder: of the model.
        train: the images that the ranges are learned from.
        measured: the images to compare on; None takes those of the training, without mAP.
        seed: of the choice of images and of the interval.

    Raises:
        MissingExtra: the package ``onnx`` is not installed. ModelError: the model cannot be made int8.
    """
    full = open_onnx(str(folder))
    chosen = np.random.default_rng([seed, 9]).permutation(len(train.sources))[: 2 * ENOUGH]
    shown = [image for image in map(train.one, chosen.tolist()) if image is not None][:ENOUGH]
    static = is_convolutional(full.session)
    if static:
        prepared = [full.prepare(image) for image in shown]
        feeds = (full.feed(part) for part in _batches(prepared))
        made = quantised_static(full.session, calibrate(full.session, feeds))
    else:
        made = quantised_dynamic(full.session)
    target = folder / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    shutil.copyfile(made, target / "model.onnx")
    shutil.copyfile(folder / "preprocessor_config.json", target / "preprocessor_config.json")
    facts = _measured(full, open_onnx(str(target)), shown, measured, "static" if static else "dynamic", folder, seed)
    _say(folder, target, facts)
    return facts


def _measured(
    full: OnnxEmbedder,
    small: OnnxEmbedder,
    shown: Sequence[Any],
    measured: Validation | None,
    how: str,
    folder: Path,
    seed: int,
) -> Int8:
    there: list[int] = []
    images = shown
    if measured is not None:
        found = [(at, measured.pictures.one(at)) for at in range(len(measured.pictures.sources))]
        there = [at for at, image in found if image is not None]
        images = [image for _, image in found if image is not None]
    before, after = (np.concatenate([each.embed(part) for part in _batches(images)]) for each in (full, small))
    cosines = (before * after).sum(axis=1)
    sizes = [(path / "model.onnx").stat().st_size / 1e6 for path in (folder / FOLDER, folder)]
    facts = Int8(how, sizes[0], sizes[1], len(images), float(cosines.mean()), float(cosines.min()))
    if measured is None or measured.samples.kind == "none":
        return facts
    at: npt.NDArray[np.int64] = np.array(there, np.int64)
    test = compare(measured.judged(before, at), measured.judged(after, at), ["map"], seed=seed)["map"]
    return replace(
        facts,
        map=float(test.second),
        float_map=float(test.first),
        difference=float(test.difference),
        low=float(test.low),
        high=float(test.high),
    )


def _say(folder: Path, target: Path, facts: Int8) -> None:
    name = folder.name
    about = json.loads((folder / "lookalike.json").read_text(encoding="utf-8"))
    small = {"name": f"{name}-int8", "dimension": about["dimension"], "int8": asdict(facts), "of": about["training"]}
    (target / "lookalike.json").write_text(json.dumps(small, indent=1), encoding="utf-8")
    (folder / "lookalike.json").write_text(json.dumps({**about, "int8": asdict(facts)}, indent=1), encoding="utf-8")
    card = folder / "README.md"
    words = f"\n## In int8\n\n{facts.sentence()}\n\n    lookalike index PICTURES --embedder {name}/{FOLDER}/\n"
    card.write_text(card.read_text(encoding="utf-8") + words, encoding="utf-8")
    head = f"# {name}, in int8\n\n{facts.sentence()}\n\nHow it was trained stands in the card of the float model.\n"
    (target / "README.md").write_text(head, encoding="utf-8")


def _batches(images: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(images), _BATCH):
        yield images[start : start + _BATCH]

"""From the best weights to ONNX, in float32 and in int8, with a card.

    python recipes/builtin/export.py --from runs/builtin --stage 1

writes ``runs/builtin/model/``: ``model.onnx`` (int8, calibrated on training pictures), ``float.onnx``,
``lookalike.json`` and ``README.md``.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from batches import Batches
from compact import Compact, ForUse, Shape
from material import read_material

from lookalike import __version__
from lookalike.embed.neural.export import export_tower, libraries, state_hash, write_preprocess
from lookalike.embed.neural.model_file import digest
from lookalike.embed.neural.onnx import open_session
from lookalike.embed.neural.preprocess import Preprocess
from lookalike.embed.neural.quantise import calibrate, quantised_static
from train import STAGES

__all__ = ["export", "main"]

_BATCHES = 4  # of the training, for calibration: about 800 pictures of all kinds
_CHUNK = 16


def main() -> None:
    """Export, and say how large the files are."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--from", dest="runs", type=Path, required=True, help="what train.py was given as --out")
    options.add_argument("--data", type=Path, required=True, help="the folder that holds those of the sets")
    options.add_argument("--stage", choices=list(STAGES), default="1")
    options.add_argument("--out", type=Path, help="the model's folder; by default model/ beside the stages")
    options.add_argument("--limit", type=int, default=0, help="as train.py had it")
    given = options.parse_args()
    folder = given.out or given.runs / "model"
    export(given.runs, folder, given.data, stage=given.stage, limit=given.limit)
    for path in sorted(folder.glob("*.onnx")):
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def export(runs: Path, folder: Path, data: Path, *, stage: str, limit: int = 0, window: int = 200) -> None:
    """Write the folder.

    Args:
        runs: what ``train.py`` was given as ``--out``.
        folder: the model's; made where it is not there.
        data: the folder that holds those of the sets.
        stage: whose best weights.
        limit, window: as the training had them, for quick trials.

    Raises:
        ModelError: ONNX Runtime gives other vectors than torch.
    """
    best = torch.load(runs / f"stage-{stage}" / "best.pt", weights_only=True)
    network = Compact(Shape())
    network.load_state_dict(best["network"])
    folder.mkdir(parents=True, exist_ok=True)
    full = folder / "float.onnx"
    example = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    export_tower(ForUse(network), example, full, reads="pixel_values", gives="embedding", name="the network")
    session = open_session(full, device="cpu")
    material = read_material(data, runs / "cache", limit=limit)
    batches = Batches(material, None, STAGES[stage].mix, seed=0, stage=99, window=window)
    shutil.copyfile(quantised_static(session, calibrate(session, _feeds(batches))), folder / "model.onnx")
    write_preprocess(Preprocess((128, 128), None, None, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)), folder)
    figures = json.loads(best["figures"])
    said = {
        "name": "builtin-2-network",
        "dimension": Shape().shape + Shape().meaning,
        "shape": Shape().to_json(),
        "exported": {
            "weights": state_hash(Shape().to_json(), network.state_dict()),
            "files": {path.name: digest([path]) for path in sorted(folder.glob("*.onnx"))},
            "libraries": libraries("pytorch-metric-learning"),
        },
        "training": {
            "recipe": "recipes/builtin",
            "stage": repr(STAGES[stage]),
            "step": best["step"],
            "data": {
                "sha256": material.digest,
                "symbols": len(material.symbols.pixels),
                "photos": len(material.photos.pixels),
            },
            "validation": figures,
            "lookalike": __version__,
        },
    }
    (folder / "lookalike.json").write_text(json.dumps(said, indent=1), encoding="utf-8")
    (folder / "README.md").write_text(_card(said, figures), encoding="utf-8")


def _feeds(batches: Batches) -> Iterator[Mapping[str, npt.NDArray[Any]]]:
    for step in range(_BATCHES):
        pixels = (batches.at(step).pixels.numpy() - np.float32(0.5)) * np.float32(4)
        for start in range(0, len(pixels), _CHUNK):
            yield {"pixel_values": pixels[start : start + _CHUNK]}


def _card(said: Mapping[str, Any], figures: Mapping[str, float]) -> str:
    shape, data = said["shape"], said["training"]["data"]
    rows = "\n".join(f"| {key} | {value:.3f} |" for key, value in figures.items())
    return f"""# The network of builtin-2

Turns the content of a picture, framed at 128 x 128 pixels, into {said["dimension"]} numbers: {shape["shape"]} that say
who belongs with whom, {shape["meaning"]} that imitate two MobileNets. builtin-2 joins them to handcrafted parts.

## Training

Made by `recipes/builtin`, whose README says what it learned from, what was kept apart, and how to make it again:
{data["symbols"]} symbols (six of the emoji sets, logos, handwritten characters, clothes),
{data["photos"]} photographs, and made-up drawings without end. Best at step {said["training"]["step"]}.

Licences of what it learned from: emoji CC-BY-4.0 (Twemoji, FxEmojis), Apache-2.0 (Noto, Blobmoji), MIT (Fluent);
logos CC0 and MIT, the marks belong to their owners; Omniglot MIT; Fashion-MNIST MIT; Grocery Store MIT; photographs
CC-BY-4.0, CC-BY-2.0, MIT and public domain. The teachers' outputs: MobileNet v1 and v2, Apache-2.0.

## Figures

mAP on validation classes, which were not trained on but chose this checkpoint:

| vector:set | mAP |
|---|---|
{rows}

## Limits

It knows pictograms, and photographs like the few thousand that it saw; faces, documents and medical images it has
never seen. Photographs are squeezed to a square.
"""


if __name__ == "__main__":
    main()

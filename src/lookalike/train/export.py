"""From the best weights to a model folder: ONNX, preprocessing, and a card that says where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from .. import __version__
from ..embed.neural.export import export_tower, libraries, state_hash, write_preprocess
from ..embed.neural.model_file import digest
from ..embed.neural.preprocess import Preprocess
from ..evaluate.summary import Estimate
from .backbones import Backbone
from .network import ForUse, Network

__all__ = ["write_model"]


def write_model(
    folder: Path,
    network: Network,
    backbone: Backbone,
    *,
    about: Mapping[str, Any],
    figures: Mapping[str, Estimate],
    tested: Mapping[str, Estimate] = MappingProxyType({}),
) -> None:
    """Write ``model.onnx``, ``preprocessor_config.json``, ``lookalike.json`` and ``README.md`` into the folder.

    Args:
        folder: that is there.
        network: with the weights to keep; it is moved to the CPU.
        backbone: what it was made of.
        about: what ``lookalike.json`` says of the training: settings, data, seed, loss.
        figures: of the validation; empty where nothing was kept apart.
        tested: of images that nothing was picked by; empty where there are none.

    Raises:
        MissingExtra: the exporter is not installed. ModelError: ONNX Runtime gives other vectors than torch.
    """
    network.to("cpu")
    made = ForUse(network)
    example = torch.randn(2, 3, backbone.side, backbone.side, generator=torch.Generator().manual_seed(0))
    model = folder / "model.onnx"
    export_tower(made, example, model, reads="pixel_values", gives="embedding", name=folder.name)
    preprocess = Preprocess(
        resize=(backbone.side, backbone.side), shortest_edge=None, crop=None, mean=backbone.mean, std=backbone.std
    )
    write_preprocess(preprocess, folder)
    metrics = {key: value.as_json() for key, value in figures.items()}
    said: dict[str, Any] = {
        "name": folder.name,
        "dimension": network.dimension,
        "exported": {
            "weights": state_hash({"backbone": backbone.name, **about["settings"]}, network.state_dict()),
            "files": {path.name: digest([path]) for path in sorted(folder.glob("model.onnx*"))},
            "libraries": libraries("pytorch-metric-learning"),
        },
        "training": {**about, "metrics": metrics, "lookalike": __version__},
    }
    if tested:
        said["training"]["test_metrics"] = {key: value.as_json() for key, value in tested.items()}
    (folder / "lookalike.json").write_text(json.dumps(said, indent=1), encoding="utf-8")
    (folder / "README.md").write_text(_card(folder.name, network, backbone, about, figures, tested), encoding="utf-8")


def _card(
    name: str,
    network: Network,
    backbone: Backbone,
    about: Mapping[str, Any],
    figures: Mapping[str, Estimate],
    tested: Mapping[str, Estimate],
) -> str:
    data, settings = about["data"], about["settings"]
    measured = _measured(data, figures, tested, name)
    of = f", licence {backbone.licence}" if backbone.licence else ""
    return f"""# {name}

Turns an image into a vector of {network.dimension} numbers; alike images get alike vectors (cosine).

    lookalike index PICTURES --embedder {name}/

## Training

- backbone: `{backbone.name}`{" (pretrained" + of + ")" if backbone.pretrained else " (from random weights)"}
- loss: `{about["loss"]}`, sampler `{about["sampler"]}`, miner `{settings["miner"]}`
- data: {data["images"]} images ({data["kind"]}, {data["classes"]} classes), sha256 of their names and labels
  `{data["sha256"]}`
- steps: {about["steps"]}, best at {about["best_step"]}; seed {settings["seed"]}; lookalike {__version__}

## Figures

{measured}
## Limits

It has seen the kinds of images that it was trained on, resized to {backbone.side} x {backbone.side} pixels without
keeping their shape. Measure it on your own with `lookalike evaluate --embedder {name}/`.
"""


def _measured(
    data: Mapping[str, Any], figures: Mapping[str, Estimate], tested: Mapping[str, Estimate], name: str
) -> str:
    """Return the figures, with a plain word on what each is worth."""
    said = []
    if tested:
        said.append(
            f"On the test, {data['test']} images that nothing was picked by (kept apart by {data['test_split']}):"
            f"\n\n{_table(tested)}"
        )
        said += _copied(data, "test")
    if figures:
        said.append(
            f"On the validation, {data['validation']} images that were kept apart (by {data['split']}). It also picked "
            "the best weights of the run, and perhaps your settings, so these figures are a little too "
            f"good{'' if tested else '; no test images were kept apart (`--test 0.2`)'}:\n\n{_table(figures)}"
        )
        said += _copied(data, "validation")
    if not said:
        return "No images were kept apart, so nothing was measured.\n"
    return "\n".join(said)


def _copied(data: Mapping[str, Any], part: str) -> list[str]:
    found = data.get("copies", {}).get(part)
    if not found:
        return []
    if found["kept"]:
        return [f"{found['images']} of these images are copies of images that came before: too good once more.\n"]
    return [f"{found['images']} more images were copies of others, and were left out.\n"]


def _table(figures: Mapping[str, Estimate]) -> str:
    rows = "\n".join(f"| {key} | {_interval(value)} | {value.n} |" for key, value in figures.items())
    return f"| metric | value [95% interval] | queries |\n|---|---|---|\n{rows}\n"


def _interval(value: Estimate) -> str:
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"

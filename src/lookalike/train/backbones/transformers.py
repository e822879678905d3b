"""Backbones of the transformers library: ``hf:ORG/NAME`` or a folder in the hub's layout."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...embed.neural.exported import loading, unreachable
from ...embed.neural.model_file import refuse_pickles
from ...embed.neural.preprocess import from_config, imagenet
from ...errors import ModelError
from . import Backbone, split_name

__all__ = ["open_transformers"]


class _Hidden(nn.Module):
    """The last hidden state: tokens of a transformer, the feature map of a ResNet or ConvNeXt."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        takes = inspect.signature(network.forward).parameters
        # Position embeddings for another side than the weights' own.
        self.options = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in takes else {}

    def forward(self, pixels: Any) -> Any:
        return self.network(pixel_values=pixels, **self.options).last_hidden_state


def open_transformers(name: str, *, side: int = 0) -> Backbone:
    """Return a vision network of transformers, with its weights (safetensors only) or random ones."""
    bare, weights, checkpoint = split_name(name)
    where = checkpoint or bare
    if Path(where).expanduser().is_dir():
        where = str(Path(where).expanduser())
        names = [each.name for each in sorted(Path(where).iterdir())]
        if not any(each.endswith(".safetensors") for each in names) and weights != "none":
            try:
                refuse_pickles(names, where)
            except ModelError as pickled:
                raise ModelError(
                    pickled.message, hint="Save it as safetensors, which save_pretrained of transformers writes."
                ) from pickled
    with loading("transformers"):
        from transformers import AutoConfig, AutoModel
    try:
        config = AutoConfig.from_pretrained(where)
        config = getattr(config, "vision_config", None) or config
        if weights == "none":
            network = AutoModel.from_config(config)
        else:
            network = AutoModel.from_pretrained(where, use_safetensors=True)
            network = getattr(network, "vision_model", None) or network
    except OSError as failed:
        raise unreachable(where, failed) from failed
    except ValueError as wrong:
        raise ModelError(f"hf:{bare} is no network of images that transformers knows: {wrong}") from wrong
    preprocess = _preprocess(where)
    own = (preprocess.crop or preprocess.resize or (224, 224))[0]
    body = _Hidden(network)
    with torch.no_grad():
        example = body.eval()(torch.zeros(1, 3, side or own, side or own))
    tokens = example.ndim == 3
    return Backbone(
        name=f"hf:{name}",
        network=body,
        gives="tokens" if tokens else "map",
        channels=int(example.shape[-1] if tokens else example.shape[1]),
        skip=_skipped(int(example.shape[1]), config, side or own) if tokens else 0,
        side=side or own,
        mean=preprocess.mean,
        std=preprocess.std,
        pretrained=weights != "none",
    )


def _skipped(count: int, config: Any, side: int) -> int:
    """Return how many of the tokens stand before the patches: a class token, registers; none in Swin or SigLIP."""
    patch = getattr(config, "patch_size", None)
    patches = (side // patch) ** 2 if isinstance(patch, int) and patch > 0 else count
    return max(0, count - patches)


def _preprocess(where: str) -> Any:
    from transformers.utils import cached_file

    try:
        file = cached_file(where, "preprocessor_config.json")
    except OSError:
        file = None
    if file is None:
        return imagenet((224, 224))
    return from_config(json.loads(Path(file).read_text(encoding="utf-8")), source=str(file))

"""Models by the names of torchvision, such as ``torchvision:resnet50``: exported once (extra ``models``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ModelError, UnknownName
from ...nearest_name import choices
from .exported import Made, Wanted, loading, open_exported, parse_exported, unreachable
from .onnx import OnnxEmbedder
from .preprocess import Preprocess

__all__ = ["create", "open_torchvision"]

_FILTERS = {"nearest": 0, "nearest-exact": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
_AUXILIARY = ("aux", "AuxLogits")
# What torchvision sets by itself when it loads the published weights.
_AS_PUBLISHED: dict[str, dict[str, Any]] = {
    name: {"transform_input": True, "init_weights": False} for name in ("googlenet", "inception_v3")
}


def open_torchvision(name: str, *, device: str = "auto", threads: int | None = None) -> OnnxEmbedder:
    """Open a model of torchvision by its name, exported to ONNX at the first use and kept.

    The vectors are what its last layer, the classifier, reads. Preprocessing is that of the weights' own transforms.
    The weights come from where torchvision publishes them, or from a file: ``NAME?checkpoint=PATH``.

    Args:
        name: ``NAME``, with its best weights, ``NAME/WEIGHTS`` such as ``resnet50/IMAGENET1K_V1``, or either with
            ``?checkpoint=PATH``, whose preprocessing is then that of the named weights.
        device: as ``open_onnx`` takes it.
        threads: as ``open_onnx`` takes it.

    Raises:
        UnknownName: torchvision has no such model of whole images, or no such weights. NoSuchFile: no such checkpoint.
        MissingExtra: not exported yet, and torch or torchvision is not installed.
        ModelError: weights that cannot be fetched or do not fit, or a model that cannot be exported.
    """
    return open_exported(parse_exported("torchvision", name), _export, device=device, threads=threads)


def create(wanted: Wanted, *, weights: bool = True) -> tuple[str, Any, Preprocess]:
    """Return the full name of a network, the network without its last layer, and the preprocessing of its weights.

    Args:
        wanted: the name.
        weights: load its published weights, or those of a file; False leaves them random.

    Raises:
        UnknownName: torchvision has no such model or weights. MissingExtra: torch or torchvision is not installed.
        ModelError: weights that cannot be fetched or do not fit.
    """
    with loading("torchvision"):
        from torchvision import models

        from .checkpoint import fit, read_state
        from .export import quiet
    architecture, published = _find(models, wanted.name)
    full = f"{architecture}/{published.name}"
    with quiet():
        model = models.get_model(architecture, weights=None, **_AS_PUBLISHED.get(architecture, {}))
    last = cut(model, architecture)
    if not weights:
        return architecture, model, _preprocess(published.transforms(), full)
    if wanted.checkpoint is not None:
        source, state = str(wanted.checkpoint), read_state(wanted.checkpoint)
    else:
        source, state = str(published.url), _download(published)
    for part in ("weight", "bias"):
        state.pop(f"{last}.{part}", None)  # of as many classes as it was trained for
    names = model.state_dict().keys()
    # Heads that only training needs (Inception's, GoogLeNet's) may be left out of published weights, or be in them.
    auxiliary = {name for name in {*names, *state} if name.startswith(_AUXILIARY)}
    for name in auxiliary & set(names):
        state.setdefault(name, model.state_dict()[name])
    state = {name: value for name, value in state.items() if name in names or name not in auxiliary}
    fit(model, state, what=source, name=architecture)
    return full, model, _preprocess(published.transforms(), full)


def _export(wanted: Wanted, folder: Path) -> Made:
    with loading("torchvision"):
        import torch

        from .export import export_tower, libraries, state_hash, write_preprocess
    full, model, preprocess = create(wanted)
    write_preprocess(preprocess, folder)
    kept = {name: value for name, value in model.state_dict().items() if not name.startswith(_AUXILIARY)}
    weights = state_hash({"library": "torchvision", "architecture": full.partition("/")[0]}, kept)
    example = torch.randn(2, 3, *(preprocess.crop or ()), generator=torch.Generator().manual_seed(0))
    path = folder / "model.onnx"
    export_tower(model, example, path, reads="pixel_values", gives="pooler_output", name=f"torchvision:{full}")
    return Made(full, weights, libraries("torchvision"))


def _find(models: Any, name: str) -> tuple[str, Any]:
    """Return the architecture and the entry of its published weights."""
    architecture, _, tag = name.partition("/")
    architecture = architecture.lower()
    known = models.list_models(module=models)
    if architecture not in known:
        raise UnknownName(
            f"torchvision has no model of whole images {architecture!r}.",
            hint=choices(architecture, known, near=3, shown=12),
        )
    weights = models.get_model_weights(architecture)
    if not tag:
        return architecture, weights.DEFAULT
    if tag not in weights.__members__:
        raise UnknownName(
            f"torchvision has no weights {tag!r} of {architecture}.",
            hint=choices(tag, weights.__members__, near=3, shown=12),
        )
    return architecture, weights[tag]


def cut(model: Any, architecture: str) -> str:
    """Replace the last layer of a classifier by nothing, and return what it was called."""
    from torch import nn

    if architecture.startswith("squeezenet"):  # a convolution and its ReLU, before the mean
        model.classifier[1] = model.classifier[2] = nn.Identity()
        return "classifier.1"
    linear = [str(name) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ModelError(f"{architecture} has no last layer that could be taken off.", hint="Take another model.")
    parent, _, child = linear[-1].rpartition(".")
    setattr(model.get_submodule(parent), child, nn.Identity())
    return linear[-1]


def _download(published: Any) -> dict[str, Any]:
    import os

    from .exported import exported_folder

    own = {"model_dir": str(exported_folder().parent / "torchvision")} if os.environ.get("LOOKALIKE_CACHE") else {}
    try:
        safe = {"progress": False, "check_hash": True, "weights_only": True, "map_location": "cpu"}
        return dict(published.get_state_dict(**safe, **own))
    except (OSError, RuntimeError) as failed:  # RuntimeError: the download's hash is not the one in its name
        raise unreachable(str(published.url), failed) from failed


def _preprocess(transforms: Any, name: str) -> Preprocess:
    """Translate torchvision's ``ImageClassification`` preset."""
    try:
        (shortest,), (side,) = transforms.resize_size, transforms.crop_size
        resample = _FILTERS[transforms.interpolation.value]
        mean, std = tuple(transforms.mean), tuple(transforms.std)
    except (AttributeError, ValueError, KeyError) as unknown:
        raise ModelError(f"the preprocessing of torchvision:{name} is not known here: {transforms}.") from unknown
    return Preprocess(None, shortest, (side, side), resample=resample, mean=mean, std=std, crop_rounding="even")

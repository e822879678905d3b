"""Models by the names of timm, such as ``timm:resnet50.a1_in1k``: exported once (extra ``models``)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, ModelError, UnknownName
from ...nearest_name import choices, did_you_mean
from .exported import Made, Wanted, loading, open_exported, parse_exported, unreachable
from .onnx import OnnxEmbedder
from .preprocess import Preprocess

if TYPE_CHECKING:
    from .repository import Repository

__all__ = ["create", "open_timm"]

_FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
_HUB = "hf-hub:"
_FILES = ["model.safetensors", "pytorch_model.bin"]


def open_timm(name: str, *, device: str = "auto", threads: int | None = None) -> OnnxEmbedder:
    """Open a model of timm by its name, exported to ONNX at the first use and kept.

    The vectors are the pooled features that its classifier reads. Preprocessing is that of the model's own
    configuration (input size, share of the crop, filter, mean and deviation). The weights come from the hub
    (``$HF_ENDPOINT``), or from a file: ``NAME?checkpoint=PATH``.

    Args:
        name: ``ARCHITECTURE``, with its first weights, ``ARCHITECTURE.TAG``, or either with ``?checkpoint=PATH``; or
            ``hf-hub:ORG/NAME``, a repository of the hub that timm has saved.
        device: as ``open_onnx`` takes it.
        threads: as ``open_onnx`` takes it.

    Raises:
        UnknownName: timm has no such model or tag. NoSuchFile: no such checkpoint.
        MissingExtra: not exported yet, and torch or timm is not installed.
        ModelError: weights that cannot be fetched or do not fit, or a model that cannot be exported.
    """
    return open_exported(parse_exported("timm", name), _export, device=device, threads=threads)


def create(wanted: Wanted, *, weights: bool = True, side: int = 0) -> tuple[str, Any, dict[str, Any]]:
    """Return the full name of a network, the network without its classifier, and timm's configuration of its input.

    Args:
        wanted: the name.
        weights: load its published weights, or those of a file; False leaves them random.
        side: pixels of the input, where the network is made for one size; 0 takes its own.

    Raises:
        UnknownName: timm has no such model or tag. MissingExtra: torch or timm is not installed.
        ModelError: weights that cannot be fetched or do not fit.
    """
    with loading("timm"):
        import timm
        import timm.data

        from .checkpoint import misfit
        from .export import quiet
    if weights:
        full, source, options = _source(timm, wanted)
    else:
        _check_name(timm, wanted.name)
        full, source, options = wanted.name, "", {"model_name": wanted.name}
    if side:
        options = _sized(timm, options, side)
    try:
        with quiet():
            model = timm.create_model(pretrained=weights, **options)
    except RuntimeError as wrong:
        raise misfit(source, full, wrong) from wrong
    except OSError as failed:
        raise unreachable(source, failed) from failed
    except (AssertionError, KeyError, TypeError, ValueError) as wrong:
        raise ModelError(f"the configuration of {full} cannot be used: {type(wrong).__name__}: {wrong}.") from wrong
    model.reset_classifier(0)
    return full, model, timm.data.resolve_model_data_config(model)


def _sized(timm: Any, options: dict[str, Any], side: int) -> dict[str, Any]:
    """Ask for another size of input where the network must know it: vision transformers do, convolutions do not."""
    published = timm.models.get_pretrained_cfg(options["model_name"])
    fixed = published is not None and published.fixed_input_size
    return {**options, "img_size": side} if fixed else options


def _export(wanted: Wanted, folder: Path) -> Made:
    with loading("timm"):
        import torch

        from .export import export_tower, libraries, state_hash, write_preprocess
    full, model, config = create(wanted)
    write_preprocess(_preprocess(config, full), folder)
    architecture = {"library": "timm", "architecture": model.pretrained_cfg.get("architecture")}
    weights = state_hash(architecture, model.state_dict())
    example = torch.randn(2, *config["input_size"], generator=torch.Generator().manual_seed(0))
    path = folder / "model.onnx"
    export_tower(model, example, path, reads="pixel_values", gives="pooler_output", name=f"timm:{full}")
    return Made(full, weights, libraries("timm"), str(model.pretrained_cfg.get("license") or ""))


def _source(timm: Any, wanted: Wanted) -> tuple[str, str, dict[str, Any]]:
    """Return the full name, where its weights are from, and what ``create_model`` takes to load all of them."""
    from .checkpoint import read_state
    from .repository import Repository

    name = wanted.name
    if name.startswith(_HUB) and wanted.checkpoint is None:
        repository = Repository(*name.removeprefix(_HUB).split("@", 1))
        file, config = _fetch(repository, _FILES), repository.file("config.json")
        if config is None:
            raise ModelError(f"{repository} has no config.json, so it is no repository of timm.")
        read_state(file)  # refuses a pickle in our words
        return name, str(repository), {"model_name": f"local-dir:{config.parent}"}
    _check_name(timm, name)
    published = timm.models.get_pretrained_cfg(name)
    if wanted.checkpoint is not None:
        state = read_state(wanted.checkpoint)
        classes = _classes(published, state)
        own = {"state_dict": state, "custom_load": False, "label_offset": 0, "num_classes": classes}
        options = {"model_name": name, "pretrained_cfg_overlay": own, "num_classes": classes}
        return name, str(wanted.checkpoint), options
    full = f"{name}.{published.tag}" if "." not in name and published.tag else name
    if published.hf_hub_id:
        repository = Repository(*published.hf_hub_id.split("@", 1))
        file = _fetch(repository, [published.hf_hub_filename] if published.hf_hub_filename else _FILES)
        own = {"file": str(file)} if published.custom_load == "hf" else {"state_dict": read_state(file)}
        own["custom_load"] = published.custom_load == "hf"
        return full, str(repository), {"model_name": name, "pretrained_cfg_overlay": own}
    if not published.has_weights:
        raise ModelError(
            f"timm has no published weights of {name}.", hint=f"Give your own: timm:{name}?checkpoint=PATH."
        )
    return full, str(published.url or published.file), {"model_name": name}


def _fetch(repository: Repository, names: list[str]) -> Path:
    file = repository.first(names)
    if file is None:
        raise ModelError(f"{repository} has no weights of timm ({', '.join(names)}).")
    repository.check(file)
    return file


def _check_name(timm: Any, name: str) -> None:
    architecture, _, tag = name.partition(".")
    if "/" in name or "\\" in name:
        raise BadInput(f"'timm:{name}' is no name of timm.", hint="Write timm:hf-hub:ORG/NAME for a repository.")
    if not timm.is_model(architecture):
        close = did_you_mean(architecture, timm.list_models(), near=3)
        raise UnknownName(
            f"timm has no model {architecture!r}.", hint=f"{close} timm.list_models() names them all.".lstrip()
        )
    tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{architecture}.*")] if tag else []
    if tag and tag not in tags:
        known = [f"{architecture}.{each}" for each in tags]
        raise UnknownName(
            f"timm has no weights {tag!r} of {architecture}.", hint=choices(name, known, near=3, shown=12)
        )


def _classes(published: Any, state: dict[str, Any]) -> int:
    """Return how many classes a checkpoint's classifier has; 0 of one without."""
    names = [published.classifier] if isinstance(published.classifier, str) else list(published.classifier or [])
    shapes = [state[f"{name}.weight"].shape for name in names if f"{name}.weight" in state]
    return int(shapes[0][0]) if shapes else 0


def _preprocess(config: dict[str, Any], name: str) -> Preprocess:
    """Translate timm's own evaluation transform: timm/data/transforms_factory.py, transforms_imagenet_eval."""
    channels, height, width = config["input_size"]
    mode, share = config["crop_mode"], config["crop_pct"]
    if channels != 3 or mode not in ("center", "squash") or (mode == "center" and height != width):
        raise ModelError(
            f"timm:{name} takes images of {channels} channels, {height} x {width}, in the mode {mode!r}; that "
            "preprocessing is not known here.",
            hint="Take another model.",
        )
    scaled = (math.floor(height / share), math.floor(width / share))
    return Preprocess(
        resize=scaled if mode == "squash" else None,
        shortest_edge=scaled[0] if mode == "center" else None,
        crop=(height, width),
        resample=_FILTERS.get(config["interpolation"], 3),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        crop_rounding="even",
    )

"""From a torch module to an ONNX file that gives the same vectors. Imports torch."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import MissingExtra, ModelError
from .onnx import first_line
from .preprocess import Preprocess

__all__ = ["export_tower", "libraries", "quiet", "state_hash", "write_preprocess"]

LIMIT = 1_900_000_000  # bytes of weights that go into the file itself; protobuf ends at 2 GiB
ALIKE = 0.9999


def export_tower(module: Any, example: Any, path: Path, *, reads: str, gives: str, name: str) -> None:
    """Write an ONNX file of a module with one input and one row an item, and compare the two.

    The batch is open, or one where the module cannot be exported so.

    Args:
        module: a torch module; it is put into evaluation mode.
        example: (2, ...) what it reads.
        path: of the file; weights over 1.9 GB go into another beside it.
        reads, gives: the names of input and output.
        name: of the model, for messages.

    Raises:
        MissingExtra: the exporter's package is not installed.
        ModelError: it cannot be exported, its output is not finite, or ONNX Runtime gives other vectors.
    """
    module = module.eval()
    size = sum(value.numel() * value.element_size() for value in module.state_dict().values())
    options: dict[str, Any] = {
        "input_names": [reads],
        "output_names": [gives],
        "dynamo": True,
        "external_data": size > LIMIT,
        "verbose": False,
    }
    with quiet(), torch.inference_mode(False), torch.no_grad():
        try:
            dynamic = ({0: torch.export.Dim("batch")},)
            torch.onnx.export(module, (example,), str(path), dynamic_shapes=dynamic, **options)
        except ModuleNotFoundError as missing:
            raise MissingExtra(
                f"exporting {name} needs the package {missing.name!r}, which is not installed.",
                hint="Try: pip install 'lookalike[models]'",
            ) from missing
        except Exception as first:  # the exporter's errors share no base
            try:
                torch.onnx.export(module, (example[:1],), str(path), **options)
            except Exception:
                raise ModelError(
                    f"{name} cannot be exported to ONNX: {first_line(first)}", hint="Take another model."
                ) from first
        _compare(module, example, path, reads, name)


def _compare(module: Any, example: Any, path: Path, reads: str, name: str) -> None:
    import onnxruntime

    expected = module(example).detach().float().numpy()
    if expected.ndim != 2 or len(expected) != len(example):
        raise ModelError(f"{name} gives an output of shape {expected.shape}; one row an item is needed.")
    if not np.isfinite(expected).all():
        raise ModelError(f"{name} gave NaN or infinity for a trial input.", hint="Its weights may be damaged.")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    fixed = isinstance(session.get_inputs()[0].shape[0], int)
    parts = [example[i : i + 1] for i in range(len(example))] if fixed else [example]
    found = np.concatenate([session.run(None, {reads: part.numpy()})[0] for part in parts])
    alike = (found * expected).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    if not (alike >= ALIKE).all():
        raise ModelError(
            f"{name}, exported to ONNX, gives other vectors than in torch: cosine {alike.min():.6f}.",
            hint="Take another model, or versions of torch and onnxscript that fit each other.",
        )


def state_hash(architecture: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """Return the sha256 of an architecture and its weights, whatever file they came from: 64 hex digits."""
    total = hashlib.sha256(json.dumps(architecture, sort_keys=True, default=str).encode())
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


def write_preprocess(preprocess: Preprocess, folder: Path) -> None:
    """Write a ``preprocessor_config.json`` that reads as this preprocessing."""
    config: dict[str, Any] = {
        "do_resize": True,
        "resample": preprocess.resample,
        "do_center_crop": preprocess.crop is not None,
        "do_rescale": True,
        "rescale_factor": preprocess.scale,
        "do_normalize": True,
        "image_mean": preprocess.mean,
        "image_std": preprocess.std,
        "crop_rounding": preprocess.crop_rounding,
    }
    if preprocess.shortest_edge is not None:
        config["size"] = {"shortest_edge": preprocess.shortest_edge}
    elif preprocess.resize is not None:
        config["size"] = dict(zip(("height", "width"), preprocess.resize, strict=True))
    if preprocess.crop is not None:
        config["crop_size"] = dict(zip(("height", "width"), preprocess.crop, strict=True))
    (folder / "preprocessor_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def libraries(*names: str) -> dict[str, str]:
    """Return the versions of what made an export."""
    return {name: version(name) for name in ("torch", "onnxscript", *names)}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' warnings and log lines, which are for their own authors, off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

"""What lies beside a detector's file: its preprocessing and the names of its classes, as the hub has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError

__all__ = ["About", "read_about"]

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a network.

    Attributes:
        mean, std: of each of R, G, B in [0, 1]; None: not said.
        labels: class -> name; empty: not said.
    """

    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None
    labels: Mapping[int, str]


def read_about(file: Path) -> About:
    """Read ``preprocessor_config.json`` and ``config.json`` beside a file, or beside the folder ``onnx`` it is in.

    Raises:
        ModelError: one of them is no JSON object, or has other values than those files have.
    """
    folders = [file.parent, *([file.parent.parent] if file.parent.name == "onnx" else [])]
    looks, config = (_json(folders, name) for name in ("preprocessor_config.json", "config.json"))
    try:
        mean = std = None
        if looks.get("do_normalize", True) and "image_mean" in looks:
            mean, std = (_three(looks[key]) for key in ("image_mean", "image_std"))
        labels = {int(number): str(name) for number, name in config.get("id2label", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise ModelError(
            f"what lies beside {file} cannot be read: {wrong}.",
            hint="preprocessor_config.json has image_mean and image_std of three numbers, config.json id2label.",
        ) from wrong
    return About(mean, std, labels)


def _three(values: Any) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in values)
    return a, b, c


def _json(folders: list[Path], name: str) -> dict[str, Any]:
    for folder in folders:
        if (folder / name).is_file():
            try:
                found = json.loads((folder / name).read_text(encoding="utf-8"))
            except ValueError as broken:
                raise ModelError(f"{folder / name} is no JSON: {broken}.") from broken
            if not isinstance(found, dict):
                raise ModelError(f"{folder / name} should hold a JSON object.")
            return found
    return {}

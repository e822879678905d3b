"""Reads weights of torch models from files, without ever running code that a file holds. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ...errors import ModelError
from .onnx import first_line

__all__ = ["fit", "read_state"]

_WITHIN = ("state_dict_ema", "model_ema", "state_dict", "model", "module")


def read_state(path: Path) -> dict[str, Any]:
    """Return the named tensors of a ``.safetensors`` file, or of one that torch has saved with weights only.

    A dictionary within a training checkpoint (``state_dict``, ``model``, the averaged one first) is found, and the
    ``module.`` that parallel training puts in front of names is taken off.

    Raises:
        ModelError: it is neither, needs more than weights to be read, or has no tensors.
    """
    found = _safetensors(path) if path.suffix.lower() == ".safetensors" else _torch(path)
    for name in _WITHIN:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    if isinstance(found, torch.nn.Module):
        raise _refused(path, "it holds a whole module")
    tensors = {str(k): v for k, v in found.items() if torch.is_tensor(v)} if isinstance(found, Mapping) else {}
    if not tensors:
        raise ModelError(f"{path} has no named weights in it.", hint="Save the model's state_dict().")
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return tensors


def fit(model: Any, state: Mapping[str, Any], *, what: str, name: str) -> None:
    """Load weights into a model, every one of them.

    Args:
        model: the torch module.
        state: the named tensors.
        what: where they are from, for messages.
        name: what they should fit, for messages.

    Raises:
        ModelError: a weight is missing, left over or of another shape.
    """
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as wrong:
        raise misfit(what, name, wrong) from wrong


def misfit(what: str, name: str, wrong: Exception) -> ModelError:
    """Return what to say of weights that a model does not take."""
    lines = [line.strip().rstrip(".") for line in str(wrong).splitlines() if line.strip()]
    told = lines[1:] if len(lines) > 1 and "loading state_dict" in lines[0] else lines[:1]
    first, *rest = told[0].split(", ")
    shown = ", ".join([first, *rest[:3], *(["..."] if len(rest) > 3 else [])])
    more = f" (and {len(told) - 1} more complaints)" if len(told) > 1 else ""
    return ModelError(
        f"{what} does not fit {name}: {shown[:300]}{more}.",
        hint="Check that the name is of the architecture that was trained.",
    )


def _safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    try:
        return load_file(str(path))
    except OSError:
        raise
    except Exception as broken:  # the package's own error shares no base with others
        raise ModelError(f"{path} is not a safetensors file: {first_line(broken)}") from broken


def _torch(path: Path) -> Any:
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as refused:
        try:
            needs = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        except Exception:  # not a zip archive; the first refusal says enough
            needs = []
        more = f" and {len(needs) - 3} more" if len(needs) > 3 else ""
        why = f"it needs {', '.join(sorted(needs)[:3])}{more}" if needs else first_line(refused).rstrip(".")
        raise _refused(path, why) from refused
    except OSError:
        raise
    except Exception as broken:
        raise ModelError(f"{path} is no checkpoint that torch can read: {first_line(broken)}") from broken


def _refused(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path} is a pickle with more than weights in it, which is refused: opening it runs the code in it; {why}.",
        hint="Save the state_dict() alone, best as .safetensors.",
    )

"""A classifier's file, and which of its outputs is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, ModelError, NoSuchFile, UnknownName
from ..nearest_name import did_you_mean

__all__ = ["class_of", "find_file", "pick_output", "probability", "split_class"]

_OUTPUTS = ("probabilities", "probability", "scores", "logits", "output")


def split_class(text: str) -> tuple[str, str]:
    """Return the path and the class of ``FILE?class=CLASS``; an empty class where none is named."""
    path, mark, query = text.rpartition("?class=")
    return (path, query) if mark else (text, "")


def find_file(path: str, kind: str, folder: Path | None) -> Path:
    """Return the absolute path of a file; a relative one is looked for in the folder, then where the program runs.

    Raises:
        BadInput: no path. NoSuchFile: it is in neither.
    """
    if not path:
        raise BadInput(f"{kind}: needs the path of a file.", hint=f"Write {kind}:FILE.")
    places = [Path(path).expanduser().absolute()]
    if folder is not None and not Path(path).expanduser().is_absolute():
        places.insert(0, (folder / path).absolute())
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise NoSuchFile(f"no such classifier: {' or '.join(map(str, places))}")
    return found


def pick_output(outputs: Sequence[Any], path: Path) -> str:
    """Return the name of the output with the scores: one of a usual name, else the last of floats.

    What scikit-learn's models become has the labels first, then the probabilities.

    Raises:
        ModelError: no output holds floats.
    """
    floats = [output.name for output in outputs if output.type in ("tensor(float)", "tensor(double)")]
    if not floats:
        kinds = ", ".join(f"{output.name} {output.type}" for output in outputs)
        raise ModelError(
            f"the classifier {path} gives no numbers in an array: {kinds}.",
            hint="Of scikit-learn's models skl2onnx makes arrays with zipmap=False.",
        )
    return next((name for name in _OUTPUTS if name in floats), floats[-1])


def class_of(wanted: str, labels: Mapping[int, str], path: Path) -> int | None:
    """Return the number of a class that is named by number or name; None where none is named.

    Raises:
        UnknownName: the model has no class of this name.
    """
    if not wanted:
        return None
    if wanted.isdecimal():
        return int(wanted)
    names = {name.lower(): number for number, name in labels.items()}
    if wanted.lower() not in names:
        hint = did_you_mean(wanted, names) or f"Known: {', '.join(names) or 'numbers only'}."
        raise UnknownName(f"the classifier {path} has no class {wanted!r}.", hint=hint)
    return names[wanted.lower()]


def probability(output: npt.NDArray[Any], number: int | None, path: Path) -> npt.NDArray[np.float64]:
    """Return the probability of a class, (B,), of what a model gives.

    (B,) and (B, 1) are taken as they are. Of (B, C) the rows are probabilities where they are not below 0 and sum to 1,
    else logits, of which softmax makes them; the class is the last one where none is named and there are two.

    Raises:
        ModelError: another shape, or numbers that are not finite. BadInput: the class is not one of them, or is needed.
    """
    values = np.asarray(output, np.float64)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not values.shape[1] or not np.isfinite(values).all():
        raise ModelError(f"the classifier {path} gives {values.shape}; finite numbers (B,) or (B, classes) are needed.")
    classes = values.shape[1]
    if number is None and classes > 2:
        raise BadInput(
            f"the classifier {path} has {classes} classes.", hint="Name the one that is meant: FILE?class=2."
        )
    if number is not None and number >= classes:
        raise BadInput(f"the classifier {path} has {classes} classes, numbered from 0; got {number}.")
    if classes == 1:
        return values[:, 0]
    if (values < 0).any() or not np.allclose(values.sum(axis=1), 1, atol=1e-3):
        values = np.exp(values - values.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
    found: npt.NDArray[np.float64] = values[:, classes - 1 if number is None else number]
    return found

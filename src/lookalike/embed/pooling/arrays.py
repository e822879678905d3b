"""What all poolings share: checking what they are given, and unit norm without a division by zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import BadShape

__all__ = ["Floats", "Wide", "as_map", "as_option", "as_tokens", "l2", "positive", "project", "softmax"]

Floats = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]


def as_map(features: npt.NDArray[Any]) -> Floats:
    """Return (B, C, H, W) float32; the same array when it is that already. B may be 0.

    Raises:
        BadShape: not four axes of floats, or no channel or position.
    """
    return _checked(features, 4, "a feature map (B, C, H, W)")


def as_tokens(tokens: npt.NDArray[Any]) -> Floats:
    """Return (B, T, C) float32; the same array when it is that already. B may be 0.

    Raises:
        BadShape: not three axes of floats, or no token or channel.
    """
    return _checked(tokens, 3, "tokens (B, T, C)")


def _checked(values: npt.NDArray[Any], axes: int, what: str) -> Floats:
    if not isinstance(values, np.ndarray) or values.ndim != axes or values.dtype.kind != "f":
        seen = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise BadShape(f"this pooling takes {what} of floats, got {seen}.")
    if 0 in values.shape[1:]:
        raise BadShape(f"there is nothing to pool in {what} of shape {values.shape}.")
    return values.astype(np.float32, copy=False)


def as_option(name: str, value: npt.ArrayLike, shape: tuple[int | None, ...]) -> Floats:
    """Return an option that is an array, as float32 that cannot be written; None in ``shape`` takes any length > 0.

    Raises:
        BadShape: another shape, or a value that is not a finite number.
    """
    try:
        array = np.array(value, np.float32)
    except (TypeError, ValueError) as wrong:
        raise BadShape(f"{name} should be an array of numbers: {wrong}.") from wrong
    fits = array.ndim == len(shape) and all(
        n > 0 and want in (None, n) for n, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if side is None else str(side) for side in shape)
        raise BadShape(f"{name} should be of shape ({wanted}), got {array.shape}.")
    if not np.isfinite(array).all():
        raise BadShape(f"{name} should be finite; it has NaN or infinity.")
    array.flags.writeable = False
    return array


def positive(name: str, value: Any) -> float:
    """Return an option that is a finite number above 0, as a float.

    Raises:
        BadShape: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise BadShape(f"{name} should be a number, got {value!r}.")
    number = float(value)
    if not (np.isfinite(number) and number > 0):
        raise BadShape(f"{name} should be a finite number above 0, got {value!r}.")
    return number


def l2(values: npt.NDArray[Any], axis: int = -1) -> Wide:
    """Return the values scaled to unit L2 norm along an axis, float64; a row of zeros stays one."""
    wide = values.astype(np.float64)  # the square of any float32 fits
    norm = np.linalg.norm(wide, axis=axis, keepdims=True)
    with np.errstate(invalid="ignore"):  # infinity over infinity: NaN goes out, and is refused by the embedder
        return np.asarray(wide / np.where(norm > 0, norm, 1))


def softmax(scores: Wide, axis: int) -> Wide:
    """Return exp(scores) that sum to 1 along an axis."""
    with np.errstate(invalid="ignore"):
        raised = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis=axis, keepdims=True))


def project(rows: npt.NDArray[Any], weights: Floats, name: str) -> Wide:
    """Return rows (B, C) times weights (D, C) transposed: (B, D) float64.

    Raises:
        BadShape: the weights are of another number of channels.
    """
    if weights.shape[1] != rows.shape[-1]:
        raise BadShape(f"{name} takes {weights.shape[1]} channels, but there are {rows.shape[-1]}.")
    return np.asarray(rows.astype(np.float64) @ weights.T.astype(np.float64))

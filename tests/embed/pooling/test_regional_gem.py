"""Regional GeM, against windows written out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.embed.pooling.gem import GeM
from lookalike.embed.pooling.regional_gem import RegionalGeM
from lookalike.errors import BadShape


def reflect(i: int, length: int) -> int:
    """The position that a border reflects, the last one not repeated."""
    period = max(2 * (length - 1), 1)
    i %= period
    return min(i, period - i) if length > 1 else 0


def slow(image: npt.NDArray[np.float32], p: float, regional_p: float, window: int) -> list[float]:
    row = []
    for channel in image.tolist():
        height, width, border = len(channel), len(channel[0]), window // 2
        made = []
        for y in range(height):
            for x in range(width):
                around = [
                    max(channel[reflect(y + dy, height)][reflect(x + dx, width)], 0.0)
                    for dy in range(-border, border + 1)
                    for dx in range(-border, border + 1)
                ]
                local = (math.fsum(v**regional_p for v in around) / len(around)) ** (1 / regional_p)
                made.append(max(0.5 * local + 0.5 * max(channel[y][x], 0.0), 1e-8) ** p)
        row.append((math.fsum(made) / len(made)) ** (1 / p))
    return row


@pytest.mark.parametrize(("height", "width"), [(7, 7), (5, 9), (3, 3), (1, 1), (2, 6)])
def test_windows_and_then_gem(height: int, width: int) -> None:
    features = np.random.default_rng(0).normal(size=(2, 3, height, width)).astype(np.float32)
    for row, image in zip(RegionalGeM()(features), features, strict=True):
        assert row == pytest.approx(slow(image, 4.6, 2.5, 5), rel=1e-5, abs=1e-7)
    for row, image in zip(RegionalGeM(p=2, regional_p=3, window=3)(features), features, strict=True):
        assert row == pytest.approx(slow(image, 2, 3, 3), rel=1e-5, abs=1e-7)


def test_a_window_of_one_is_gem() -> None:
    features = np.random.default_rng(1).uniform(0.1, 1, (2, 3, 4, 4)).astype(np.float32)
    assert RegionalGeM(window=1)(features) == pytest.approx(GeM(p=4.6, eps=1e-8)(features), rel=1e-5)


def test_options_that_are_none() -> None:
    for window in (0, 4, -1, 2.5):
        with pytest.raises(BadShape, match="window should be an odd"):
            RegionalGeM(window=window)  # type: ignore[arg-type]
    for name in ("p", "regional_p", "eps"):
        with pytest.raises(BadShape, match=f"{name} should be"):
            RegionalGeM(**{name: math.nan})  # type: ignore[arg-type]

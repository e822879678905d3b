"""R-MAC, against the paper's grid written out in floats."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.embed.pooling.rmac import RMAC, regions
from lookalike.embed.whitening import Whitening
from lookalike.errors import BadShape

Floats = npt.NDArray[np.float32]


def noise(*shape: int, seed: int = 0) -> Floats:
    return np.maximum(np.random.default_rng(seed).normal(size=shape), 0).astype(np.float32)


def slow_regions(height: int, width: int, levels: int) -> list[tuple[int, int, int]]:
    """Section 3.2 of the paper: m is the number of largest squares along the longer side that overlap by about 40%."""
    short, long = min(height, width), max(height, width)
    m, best = 1, math.inf
    for count in range(2, 8):
        stride = (long - short) / (count - 1)
        off = abs((short * short - short * stride) / (short * short) - 0.4)
        if off < best - 1e-9 and long > short:
            m, best = count, off
    found = []
    for level in range(1, levels + 1):
        side = math.floor(2 * short / (level + 1))
        across = level + m - 1 if width > height else level
        down = level + m - 1 if height > width else level
        if side == 0:
            continue
        for i in range(down):
            for j in range(across):
                top = 0 if down == 1 else math.floor(i * (height - side) / (down - 1) + 1e-9)
                left = 0 if across == 1 else math.floor(j * (width - side) / (across - 1) + 1e-9)
                found.append((top, left, side))
    return found


def slow_rmac(image: Floats, levels: int, *, whole: bool, whitening: Whitening | None) -> npt.NDArray[np.float64]:
    channels, height, width = image.shape
    boxes = [(top, left, side, side) for top, left, side in slow_regions(height, width, levels)]
    if whole:
        boxes.append((0, 0, height, width))
    total: list[float] = [0.0] * (channels if whitening is None else whitening.dim)
    for top, left, down, across in boxes:
        row = [
            max(float(image[c, y, x]) for y in range(top, top + down) for x in range(left, left + across))
            for c in range(channels)
        ]
        row = unit(row)
        if whitening is not None:
            moved = [value - float(mean) for value, mean in zip(row, whitening.mean, strict=True)]
            row = unit(
                [math.fsum(float(w) * v for w, v in zip(line, moved, strict=True)) for line in whitening.projection]
            )
        total = [a + b for a, b in zip(total, row, strict=True)]
    return np.array(unit(total))


def unit(row: list[float]) -> list[float]:
    norm = math.sqrt(math.fsum(value * value for value in row))
    return [value / norm for value in row]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5))
def test_the_grid_is_that_of_the_paper(height: int, width: int, levels: int) -> None:
    found = list(regions(height, width, levels))
    assert found == slow_regions(height, width, levels)
    assert all(top + side <= height and left + side <= width for top, left, side in found)
    assert sorted((left, top, side) for top, left, side in regions(width, height, levels)) == sorted(found)


def test_the_grid_by_hand() -> None:
    # 12 x 8 at level 1: squares of 8, and with 2 of them the overlap is (8 - 4) / 8 = 50%, with 3 it is 75%: m = 2.
    assert list(regions(8, 12, 1)) == [(0, 0, 8), (0, 4, 8)]
    # Level 2: squares of floor(16 / 3) = 5, 2 down and 3 across; the middle one starts at floor(7 / 2) = 3.
    assert list(regions(8, 12, 2))[2:] == [(t, left, 5) for t in (0, 3) for left in (0, 3, 7)]


@pytest.mark.parametrize(("height", "width"), [(7, 7), (6, 10), (11, 5), (1, 9), (1, 1), (2, 3)])
@pytest.mark.parametrize("whole", [False, True])
def test_the_sum_of_unit_regions(height: int, width: int, whole: bool) -> None:
    features = noise(2, 6, height, width) + np.float32(0.01)
    found = RMAC(levels=3, whole=whole)(features)
    assert found.dtype == np.float32
    for row, image in zip(found, features, strict=True):
        assert row == pytest.approx(slow_rmac(image, 3, whole=whole, whitening=None), abs=1e-5)


def test_regions_are_whitened_before_the_sum() -> None:
    random = np.random.default_rng(2)
    whitening = Whitening(random.normal(size=6).astype(np.float32), random.normal(size=(4, 6)).astype(np.float32))
    features = noise(2, 6, 5, 8, seed=3)
    found = RMAC(levels=2, whitening=whitening)(features)
    assert found.shape == (2, 4)
    for row, image in zip(found, features, strict=True):
        assert row == pytest.approx(slow_rmac(image, 2, whole=False, whitening=whitening), abs=1e-5)


def test_a_map_of_zeros_gives_zeros() -> None:
    assert not RMAC()(np.zeros((1, 3, 4, 4), np.float32)).any()


@pytest.mark.parametrize("levels", [0, -1, 1.5])
def test_levels_that_are_none(levels: object) -> None:
    with pytest.raises(BadShape, match="levels should be"):
        RMAC(levels=levels)  # type: ignore[arg-type]

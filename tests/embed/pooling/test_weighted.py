"""SPoC and CroW, against their papers' sums written out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.embed.pooling.crow import CroW
from lookalike.embed.pooling.spoc import SPoC, centre_prior
from lookalike.errors import BadShape

Floats = npt.NDArray[np.float32]


def noise(*shape: int, seed: int = 0) -> Floats:
    return np.maximum(np.random.default_rng(seed).normal(size=shape), 0).astype(np.float32)


def slow_spoc(image: Floats) -> list[float]:
    channels, height, width = image.shape
    sigma = min(height / 2, width / 2) / 3
    row = [0.0] * channels
    for y in range(1, height + 1):
        for x in range(1, width + 1):
            apart = (y - (height + 1) / 2) ** 2 + (x - (width + 1) / 2) ** 2
            alpha = math.exp(-apart / (2 * sigma**2))
            for c in range(channels):
                row[c] += alpha * float(image[c, y - 1, x - 1])
    return row


def slow_crow(image: Floats, a: float, b: float) -> list[float]:
    channels, height, width = image.shape
    spots = [(y, x) for y in range(height) for x in range(width)]
    total = {(y, x): math.fsum(float(image[c, y, x]) for c in range(channels)) for y, x in spots}
    norm = math.fsum(value**a for value in total.values()) ** (1 / a)
    spatial = {spot: (value / norm) ** (1 / b) for spot, value in total.items()}
    active = [sum(image[c, y, x] > 0 for y, x in spots) / len(spots) for c in range(channels)]
    row = []
    for c in range(channels):
        rarity = math.log(sum(active) / active[c]) if active[c] else 0.0
        row.append(rarity * math.fsum(spatial[spot] * float(image[(c, *spot)]) for spot in spots))
    return row


@pytest.mark.parametrize(("height", "width"), [(1, 1), (6, 6), (5, 9), (8, 3)])
def test_spoc_is_the_paper(height: int, width: int) -> None:
    features = noise(2, 4, height, width)
    for row, image in zip(SPoC()(features), features, strict=True):
        assert row == pytest.approx(slow_spoc(image), rel=1e-5, abs=1e-6)


def test_spoc_without_the_prior_is_the_sum() -> None:
    features = noise(2, 4, 5, 3)
    assert SPoC(centred=False)(features) == pytest.approx(features.sum(axis=(2, 3)), rel=1e-5)


@given(st.integers(1, 12), st.integers(1, 12))
def test_the_prior_is_highest_in_the_middle_and_symmetric(height: int, width: int) -> None:
    weights = centre_prior(height, width)
    assert weights.max() == weights[height // 2, width // 2]
    assert np.array_equal(weights, weights[::-1, ::-1])
    assert weights.max() <= 1


@pytest.mark.parametrize(("a", "b"), [(2.0, 2.0), (1.0, 1.0), (3.0, 2.0)])
def test_crow_is_the_paper(a: float, b: float) -> None:
    features = noise(3, 5, 4, 6, seed=1)
    features[1, 2] = 0  # a channel that is never active
    for row, image in zip(CroW(a=a, b=b)(features), features, strict=True):
        assert row == pytest.approx(slow_crow(image, a, b), rel=1e-5, abs=1e-6)


def test_crow_of_nothing_and_of_values_under_zero() -> None:
    assert not CroW()(np.zeros((1, 3, 2, 2), np.float32)).any()
    features = noise(1, 3, 4, 4) - np.float32(0.3)
    assert np.array_equal(CroW()(features), CroW()(np.maximum(features, 0)))


def test_crow_weighs_by_what_is_rare() -> None:
    features = np.ones((1, 2, 2, 2), np.float32)
    features[0, 1] = [[1, 0], [0, 0]]
    common, rare = CroW()(features)[0] / features.sum(axis=(2, 3))[0]
    assert rare > common


@pytest.mark.parametrize("value", [0, -2.0, math.nan])
def test_norms_that_are_none(value: float) -> None:
    with pytest.raises(BadShape, match="a should be a finite number above 0"):
        CroW(a=value)
    with pytest.raises(BadShape, match="b should be a finite number above 0"):
        CroW(b=value)

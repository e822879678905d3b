"""Average, maximum and generalised mean, against sums written out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lookalike.embed.pooling.average import Average
from lookalike.embed.pooling.gem import GeM
from lookalike.embed.pooling.maximum import Max
from lookalike.errors import BadShape

Floats = npt.NDArray[np.float32]

MAPS = arrays(
    np.float32,
    st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
    elements=st.floats(2**-10, 2**10, width=32),
)


def noise(*shape: int, seed: int = 0) -> Floats:
    return np.maximum(np.random.default_rng(seed).normal(size=shape), 0).astype(np.float32)


def slow_gem(features: Floats, p: list[float], eps: float) -> list[list[float]]:
    """The equation of the paper, one number at a time."""
    rows = []
    for image in features.tolist():
        row = []
        for exponent, channel in zip(p, image, strict=True):
            values = [max(value, eps) ** exponent for line in channel for value in line]
            row.append((math.fsum(values) / len(values)) ** (1 / exponent))
        rows.append(row)
    return rows


@pytest.mark.parametrize("p", [0.5, 1.0, 3.0, 4.6])
def test_gem_is_the_equation(p: float) -> None:
    features = noise(3, 5, 4, 7) - 0.25
    found = GeM(p=p)(features)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array(slow_gem(features, [p] * 5, 1e-6)), rel=1e-5)


def test_gem_with_an_exponent_a_channel() -> None:
    features, p = noise(2, 4, 3, 3, seed=1), [1.0, 2.5, 3.0, 7.0]
    found = GeM(p=np.array(p), eps=1e-3)(features)
    assert found == pytest.approx(np.array(slow_gem(features, p, 1e-3)), rel=1e-5)


@given(MAPS)
def test_between_average_and_maximum(features: Floats) -> None:
    average, top = Average()(features), Max()(features)
    assert GeM(p=1)(features) == pytest.approx(average, rel=1e-5)
    assert GeM(p=1e5)(features) == pytest.approx(top, rel=1e-3)
    between = GeM(p=3)(features)
    assert (between >= average * (1 - 1e-5)).all()
    assert (between <= top * (1 + 1e-5)).all()


@given(MAPS, st.floats(0.25, 4))
def test_scaling_the_map_scales_the_row(features: Floats, factor: float) -> None:
    once, scaled = GeM(p=3)(features), GeM(p=3)(features * np.float32(factor))
    assert scaled == pytest.approx(once * factor, rel=1e-4)


def test_average_and_maximum_by_hand() -> None:
    features = np.array([[[[1, 2], [3, 6]], [[-4, -1], [-2, -1]]]], np.float32)
    assert Average()(features).tolist() == [[3, -2]]
    assert Max()(features).tolist() == [[6, -1]]


def test_large_and_tiny_values_do_not_overflow() -> None:
    features = np.full((1, 2, 2, 2), 1e30, np.float32)
    features[0, 1] = 1e-5
    assert GeM(p=50)(features)[0] == pytest.approx([1e30, 1e-5], rel=1e-5)


@pytest.mark.parametrize("p", [0, -1, math.nan, math.inf, "three", True, [1.0, math.nan], [1.0, 0.0], [[1.0]], []])
def test_an_exponent_that_is_none(p: object) -> None:
    with pytest.raises(BadShape, match="p should be"):
        GeM(p=p)  # type: ignore[arg-type]


def test_an_exponent_for_other_channels() -> None:
    with pytest.raises(BadShape, match="p is of 2 channels, but the feature map has 3"):
        GeM(p=[1.0, 2.0])(noise(1, 3, 2, 2))  # type: ignore[arg-type]

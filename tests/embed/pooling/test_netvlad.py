"""NetVLAD, against its equations one centre and position at a time."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.embed.pooling.netvlad import NetVLAD
from lookalike.errors import BadShape

Floats = npt.NDArray[np.float32]
RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.normal(size=(4, 6)).astype(np.float32)
FEATURES = RANDOM.normal(size=(3, 6, 3, 5)).astype(np.float32)


def unit(row: list[float]) -> list[float]:
    norm = math.sqrt(math.fsum(value * value for value in row))
    return [value / norm for value in row]


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def slow(image: Floats, centres: Floats, weights: Floats, biases: list[float], *, unit_input: bool) -> list[float]:
    """Equation (4): V(j, k) = sum over i of softmax over k of (w_k . x_i + b_k) times (x_i(j) - c_k(j))."""
    spots = [[float(v) for v in image[:, y, x]] for y in range(image.shape[1]) for x in range(image.shape[2])]
    if unit_input:
        spots = [unit(spot) for spot in spots]
    sums = [[0.0] * len(image) for _ in centres]
    for spot in spots:
        raised = [dot(w, spot) + b for w, b in zip(weights.tolist(), biases, strict=True)]
        shares = [math.exp(value - max(raised)) for value in raised]
        for k, centre in enumerate(centres.tolist()):
            for j in range(len(image)):
                sums[k][j] += shares[k] / sum(shares) * (spot[j] - centre[j])
    return unit([value for row in sums for value in unit(row)])


@pytest.mark.parametrize("unit_input", [True, False])
def test_assignment_by_weights_and_biases(unit_input: bool) -> None:
    weights, biases = RANDOM.normal(size=(4, 6)).astype(np.float32), [0.5, -0.25, 0.0, 1.0]
    made = NetVLAD(centres=CENTRES, weights=weights, biases=np.array(biases, np.float32), unit_input=unit_input)
    found = made(FEATURES)
    assert found.shape == (3, 24)
    for row, image in zip(found, FEATURES, strict=True):
        assert row == pytest.approx(slow(image, CENTRES, weights, biases, unit_input=unit_input), abs=1e-5)


@pytest.mark.parametrize("alpha", [0.5, 4.0])
def test_assignment_by_distance(alpha: float) -> None:
    weights = (2 * alpha * CENTRES).astype(np.float32)
    biases = [-alpha * dot(row, row) for row in CENTRES.tolist()]
    for row, image in zip(NetVLAD(centres=CENTRES, sharpness=alpha)(FEATURES), FEATURES, strict=True):
        assert row == pytest.approx(slow(image, CENTRES, weights, biases, unit_input=True), abs=1e-5)


def test_a_sharp_assignment_is_vlad() -> None:
    """With a hard assignment, each position adds its residual to the nearest centre alone."""
    features = FEATURES[:1]
    spots = features[0].reshape(6, -1).T.astype(np.float64)
    nearest = ((spots[:, None] - CENTRES[None]) ** 2).sum(axis=2).argmin(axis=1)
    rows = np.array([(spots[nearest == k] - CENTRES[k]).sum(axis=0) for k in range(4)])
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    found = NetVLAD(centres=CENTRES, sharpness=1e4, unit_input=False)(features)[0]
    assert found == pytest.approx(rows.ravel() / np.linalg.norm(rows), abs=1e-5)


def test_the_order_of_positions_does_not_count() -> None:
    mixed = FEATURES.reshape(3, 6, 15)[:, :, RANDOM.permutation(15)].reshape(3, 6, 3, 5)
    assert NetVLAD(centres=CENTRES)(mixed) == pytest.approx(NetVLAD(centres=CENTRES)(FEATURES), abs=1e-6)


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(BadShape, match=r"centres should be of shape \(any, any\), got \(4,\)"):
        NetVLAD(centres=CENTRES[:, 0])
    with pytest.raises(BadShape, match=r"weights should be of shape \(4, 6\), got \(3, 6\)"):
        NetVLAD(centres=CENTRES, weights=CENTRES[:3])
    with pytest.raises(BadShape, match=r"biases should be of shape \(4\), got \(2,\)"):
        NetVLAD(centres=CENTRES, biases=np.zeros(2, np.float32))
    with pytest.raises(BadShape, match="centres are of 6 channels, but the feature map has 5"):
        NetVLAD(centres=CENTRES)(FEATURES[:, :5])
    with pytest.raises(BadShape, match="centres should be finite"):
        NetVLAD(centres=np.full((2, 2), np.nan, np.float32))
    with pytest.raises(BadShape, match="sharpness should be"):
        NetVLAD(centres=CENTRES, sharpness=0)

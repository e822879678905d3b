"""Descriptors with branches (CGD, batch drop block) and joined ones (layers, scales), by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.embed.pooling.average import Average
from lookalike.embed.pooling.cgd import CombinedDescriptors
from lookalike.embed.pooling.drop_block import BatchDropBlock
from lookalike.embed.pooling.layers import MultiLayer
from lookalike.embed.pooling.maximum import Max
from lookalike.embed.pooling.scales import MultiScale
from lookalike.embed.pooling.tokens import ClassToken
from lookalike.errors import BadShape

Floats = npt.NDArray[np.float32]
RANDOM = np.random.default_rng(0)
FEATURES = np.maximum(RANDOM.normal(size=(3, 6, 4, 5)), 0).astype(np.float32)


def values(image: Floats) -> list[list[float]]:
    return [[float(v) for v in channel.ravel()] for channel in image]


def unit(row: list[float]) -> list[float]:
    norm = math.sqrt(math.fsum(value * value for value in row))
    return [value / norm for value in row]


def times(matrix: Floats, row: list[float]) -> list[float]:
    return [math.fsum(float(w) * v for w, v in zip(line, row, strict=True)) for line in matrix]


def slow_branch(letter: str, image: Floats, p: float) -> list[float]:
    if letter == "S":
        return [math.fsum(channel) for channel in values(image)]  # the sum, as in the paper
    if letter == "M":
        return [max(channel) for channel in values(image)]
    return [(math.fsum(max(v, 1e-6) ** p for v in channel) / len(channel)) ** (1 / p) for channel in values(image)]


@pytest.mark.parametrize("branches", ["S", "M", "G", "SG", "MSG", "GG"])
@pytest.mark.parametrize("projected", [False, True])
def test_combined_descriptors_are_the_paper(branches: str, projected: bool) -> None:
    matrices = [RANDOM.normal(size=(3 + i, 6)).astype(np.float32) for i in range(len(branches))]
    made = CombinedDescriptors(branches=branches, p=2.5, projections=matrices if projected else None)
    for row, image in zip(made(FEATURES), FEATURES, strict=True):
        wanted: list[float] = []
        for letter, matrix in zip(branches, matrices, strict=True):
            part = slow_branch(letter, image, 2.5)
            wanted += unit(times(matrix, part) if projected else part)
        assert row == pytest.approx(unit(wanted), abs=1e-5)


def test_combined_descriptors_of_wrong_options() -> None:
    with pytest.raises(BadShape, match="letters S, M and G, got 'SX'"):
        CombinedDescriptors(branches="SX")
    with pytest.raises(BadShape, match="letters S, M and G, got ''"):
        CombinedDescriptors(branches="")
    with pytest.raises(BadShape, match="2 branches need as many projections, got 1"):
        CombinedDescriptors(projections=[np.ones((2, 6), np.float32)])
    with pytest.raises(BadShape, match="the projection of G takes 5 channels, but there are 6"):
        CombinedDescriptors(branches="G", projections=[np.ones((2, 5), np.float32)])(FEATURES)
    with pytest.raises(BadShape, match="p should be"):
        CombinedDescriptors(p=math.inf)


def test_drop_block_in_use_drops_nothing() -> None:
    assert np.array_equal(BatchDropBlock()(FEATURES), np.concatenate([Average()(FEATURES), Max()(FEATURES)], axis=1))


def test_drop_block_by_hand() -> None:
    part = RANDOM.normal(size=(3, 4, 2, 2)).astype(np.float32)
    options = {
        "global_weights": RANDOM.normal(size=(2, 6)).astype(np.float32),
        "global_biases": np.array([0.1, -0.2], np.float32),
        "part_weights": RANDOM.normal(size=(3, 4)).astype(np.float32),
    }
    found = BatchDropBlock(**options)(FEATURES, part)
    for row, image, piece in zip(found, FEATURES, part, strict=True):
        mean = [math.fsum(channel) / len(channel) for channel in values(image)]
        first = [v + b for v, b in zip(times(options["global_weights"], mean), (0.1, -0.2), strict=True)]
        second = times(options["part_weights"], [max(channel) for channel in values(piece)])
        assert row == pytest.approx([max(v, 0.0) for v in first + second], abs=1e-5)


def test_drop_block_of_wrong_options() -> None:
    with pytest.raises(BadShape, match="part_biases need part_weights"):
        BatchDropBlock(part_biases=np.zeros(2, np.float32))
    with pytest.raises(BadShape, match=r"global_biases should be of shape \(2\)"):
        BatchDropBlock(global_weights=np.ones((2, 6), np.float32), global_biases=np.zeros(3, np.float32))
    with pytest.raises(BadShape, match="same images, got 3 and 2"):
        BatchDropBlock()(FEATURES, FEATURES[:2])
    with pytest.raises(BadShape, match="part_weights takes 5 channels"):
        BatchDropBlock(part_weights=np.ones((2, 5), np.float32))(FEATURES)


def test_layers_are_weighed_unit_rows() -> None:
    deep = np.maximum(RANDOM.normal(size=(3, 9, 2, 2)), 0).astype(np.float32)
    made = MultiLayer(pooling=Max(), weights=np.array([2.0, 1.0], np.float32))
    found = made([FEATURES, deep])
    for row, first, second in zip(found, FEATURES, deep, strict=True):
        parts = [unit([max(channel) for channel in values(image)]) for image in (first, second)]
        assert row == pytest.approx(unit([2 * v for v in parts[0]] + parts[1]), abs=1e-5)
    # The similarity is the mean of the layers', weighed by the squares of 2 and 1.
    shallow, top = (MultiLayer(pooling=Max())([each]) for each in (FEATURES, deep))
    assert found @ found.T == pytest.approx((4 * shallow @ shallow.T + top @ top.T) / 5, abs=1e-5)


def test_layers_of_wrong_options() -> None:
    with pytest.raises(BadShape, match="takes tokens"):
        MultiLayer(pooling=ClassToken())
    for weights in ([-1.0, 1.0], [0.0, 0.0]):
        with pytest.raises(BadShape, match="weights should be at least 0"):
            MultiLayer(weights=np.array(weights))
    with pytest.raises(BadShape, match="there are 2 weights for 1 layers"):
        MultiLayer(weights=np.ones(2))([FEATURES])
    with pytest.raises(BadShape, match=r"got batches of \[3, 2\]"):
        MultiLayer()([FEATURES, FEATURES[:2]])
    with pytest.raises(BadShape, match=r"got batches of \[\]"):
        MultiLayer()([])


ROWS = [RANDOM.normal(size=(4, 5)).astype(np.float32) for _ in range(3)]


def slow_scales(rows: list[list[float]], method: str, p: float) -> list[float]:
    if method == "max":
        return [max(column) for column in zip(*map(unit, rows), strict=True)]
    if method == "mean":
        return [math.fsum(column) / len(column) for column in zip(*map(unit, rows), strict=True)]
    least = min(min(row) for row in rows)
    sums = (math.fsum((v - least) ** p for v in column) / len(column) for column in zip(*rows, strict=True))
    return [total ** (1 / p) + least for total in sums]


@pytest.mark.parametrize("method", ["max", "gem", "mean"])
def test_scales(method: Any) -> None:
    found = MultiScale(method=method, p=6)(ROWS)
    for i, row in enumerate(found):
        assert row == pytest.approx(slow_scales([each[i].tolist() for each in ROWS], method, 6.0), abs=1e-5)
    assert MultiScale(method=method)([each[1:2] for each in ROWS]) == pytest.approx(
        MultiScale(method=method)(ROWS)[1:2]
    )


def test_one_scale_is_itself() -> None:
    assert MultiScale(method="gem")(ROWS[:1]) == pytest.approx(ROWS[0], abs=1e-6)


def test_scales_of_wrong_options() -> None:
    with pytest.raises(BadShape, match="'max', 'gem' or 'mean', got 'median'"):
        MultiScale(method="median")  # type: ignore[arg-type]
    with pytest.raises(BadShape, match="p should be"):
        MultiScale(p=math.nan)
    for wrong in ([], [ROWS[0], ROWS[1][:2]], [ROWS[0][0]], [ROWS[0][:, :0]]):
        with pytest.raises(BadShape, match="of one shape"):
            MultiScale()(wrong)
    with pytest.raises(BadShape, match="rows of floats"):
        MultiScale()([np.ones((1, 2), np.int64)])

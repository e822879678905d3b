"""What every pooling of the table keeps, tokens, and the names that enter fingerprints."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.embed.pooling import POOLINGS, create, describe
from lookalike.embed.pooling.gem import GeM
from lookalike.embed.pooling.layers import MultiLayer
from lookalike.embed.pooling.maximum import Max
from lookalike.embed.pooling.tokens import ClassAndPatchMean, ClassToken, PatchMean, tokens_of
from lookalike.embed.whitening import Whitening
from lookalike.errors import BadInput, BadShape, UnknownName

Floats = npt.NDArray[np.float32]
C, H, W = 6, 3, 4
RANDOM = np.random.default_rng(0)


def some(*shape: int) -> Floats:
    return RANDOM.normal(size=shape).astype(np.float32)


OPTIONS: dict[str, dict[str, Any]] = {
    "attention": {
        "positions": some(H * W + 1, C),
        "heads": 2,
        **{f"{name}_weights": some(C, C) for name in ("query", "key", "value", "output")},
        **{f"{name}_biases": some(C) for name in ("query", "key", "value", "output")},
    },
    "learned-query": {"query": some(C)},
    "netvlad": {"centres": some(2, C)},
}
ORDERED = {"attention", "spoc", "regional-gem", "r-mac"}  # poolings of maps to which it matters where things are


def given_to(takes: str, batch: int, seed: int) -> Any:
    random = np.random.default_rng(seed)
    maps = np.maximum(random.normal(size=(2, batch, C, H, W)), 0).astype(np.float32)
    inputs = {"map": maps[0], "tokens": tokens_of(maps[0]), "maps": list(maps), "rows": list(maps[:, :, :, 0, 0])}
    return inputs[takes]


def part(features: Any, keep: Any) -> Any:
    return [each[keep] for each in features] if isinstance(features, list) else features[keep]


@pytest.mark.parametrize("name", POOLINGS.names())
@given(batch=st.integers(0, 4), seed=st.integers(0, 999))
def test_every_pooling_gives_each_image_its_row(name: str, batch: int, seed: int) -> None:
    pooling = create(name, **OPTIONS.get(name, {}))
    features = given_to(pooling.takes, batch, seed)
    before = [np.copy(each) for each in features]
    rows = pooling(features)
    assert rows.dtype == np.float32
    assert rows.ndim == 2
    assert len(rows) == batch
    assert rows.flags.c_contiguous
    assert np.isfinite(rows).all()
    assert all(np.array_equal(a, b) for a, b in zip(before, features, strict=True))
    for i in range(batch):
        assert pooling(part(features, slice(i, i + 1))) == pytest.approx(rows[i : i + 1], abs=1e-5)


@pytest.mark.parametrize("name", [name for name in POOLINGS.names() if name not in ORDERED])
@given(seed=st.integers(0, 999))
def test_the_order_of_positions_does_not_count(name: str, seed: int) -> None:
    pooling = create(name, **OPTIONS.get(name, {}))
    features = given_to(pooling.takes, 2, seed)
    order = np.random.default_rng(seed).permutation(H * W)
    if pooling.takes == "tokens":
        order = np.r_[0, 1 + np.argsort(order[1:])]  # the class token stays the first
        mixed: Any = features[:, order]
    elif pooling.takes == "rows":
        mixed = features[::-1]
    else:
        maps = features if isinstance(features, list) else [features]
        shuffled = [each.reshape(2, C, H * W)[:, :, order].reshape(each.shape) for each in maps]
        mixed = shuffled if isinstance(features, list) else shuffled[0]
    assert pooling(mixed) == pytest.approx(pooling(features), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", [n for n in POOLINGS.names() if create(n, **OPTIONS.get(n, {})).takes == "map"])
def test_shapes_that_are_no_feature_map(name: str) -> None:
    pooling = create(name, **OPTIONS.get(name, {}))
    wrong: list[tuple[int, ...]] = [(2, C, H), (2, C), (1, 2, C, H, W)]
    for shape in wrong:
        with pytest.raises(BadShape, match=r"takes a feature map \(B, C, H, W\) of floats, got float32 of shape"):
            pooling(np.ones(shape, np.float32))
    for shape in ((2, C, 0, W), (2, C, H, 0), (2, 0, H, W)):
        with pytest.raises(BadShape, match="nothing to pool"):
            pooling(np.ones(shape, np.float32))
    with pytest.raises(BadShape, match="got int64"):
        pooling(np.ones((1, C, H, W), np.int64))
    with pytest.raises(BadShape, match="got list"):
        pooling([1.0])


@pytest.mark.parametrize(
    "pooling", [ClassToken(), PatchMean(), ClassAndPatchMean(), create("learned-query", query=[1])]
)
def test_shapes_that_are_no_tokens(pooling: Any) -> None:
    wrong: list[tuple[int, ...]] = [(2, 3), (2, 3, 4, 5)]
    for shape in wrong:
        with pytest.raises(BadShape, match=r"takes tokens \(B, T, C\)"):
            pooling(np.ones(shape, np.float32))
    for shape in ((2, 0, 3), (2, 3, 0)):
        with pytest.raises(BadShape, match="nothing to pool"):
            pooling(np.ones(shape, np.float32))


def test_tokens_by_hand() -> None:
    tokens = np.array([[[1, 2], [9, 9], [3, 5], [5, 9]]], np.float32)
    assert ClassToken()(tokens).tolist() == [[1, 2]]
    assert PatchMean(skip=2)(tokens).tolist() == [[4, 7]]
    assert PatchMean(skip=0)(tokens).tolist() == [[4.5, 6.25]]
    assert ClassAndPatchMean(skip=2)(tokens).tolist() == [[1, 2, 4, 7]]
    assert tokens_of(np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)).tolist() == [[[0, 4], [1, 5], [2, 6], [3, 7]]]
    with pytest.raises(BadShape, match="of 4 tokens, none is left after the first 4"):
        PatchMean(skip=4)(tokens)
    for wrong in (-1, 1.0):
        with pytest.raises(BadShape, match="skip should be"):
            PatchMean(skip=wrong)  # type: ignore[arg-type]
    with pytest.raises(BadShape, match="at least 1"):
        ClassAndPatchMean(skip=0)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_other_floats_are_taken(kind: type[Any]) -> None:
    features = np.maximum(RANDOM.normal(size=(2, C, H, W)), 0)
    assert GeM()(features.astype(kind)) == pytest.approx(GeM()(features.astype(kind).astype(np.float32)))


def test_values_that_are_not_finite_come_out() -> None:
    features = np.ones((2, C, H, W), np.float32)
    features[1, 2, 0, 0] = np.nan
    for name in POOLINGS.names():
        pooling = create(name, **OPTIONS.get(name, {}))
        if pooling.takes == "map":
            rows = pooling(features)
            assert np.isfinite(rows[0]).all(), name
            assert not np.isfinite(rows[1]).all(), name


def test_names_and_options() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'gem'"):
        create("gemm")
    with pytest.raises(BadInput, match="the pooling 'gem' cannot be made of q: got an unexpected keyword argument 'q'"):
        create("gem", q=1)
    with pytest.raises(BadInput, match=r"the pooling 'netvlad' cannot be made of no options: missing .* 'centres'"):
        create("netvlad")


def test_descriptions_name_every_option() -> None:
    assert describe(create("gem", p=3)) == "GeM(p=3.0, eps=1e-06)"
    assert describe(Max()) == "Max()"
    learned = [describe(GeM(p=np.array(p, np.float32))) for p in ([1, 2], [1, 3])]
    assert learned[0].startswith("GeM(p=float32[2]@")
    assert learned[0] != learned[1]
    assert describe(GeM(p=np.array([1, 2]))) == learned[0]
    assert describe(MultiLayer(pooling=Max())) == "MultiLayer(pooling=Max(), weights=None)"
    whitening = Whitening(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    assert describe(create("r-mac", whitening=whitening)).count("@") == 2
    assert "[float32[1, 2]@" in describe(create("cgd", branches="M", projections=[[[1, 2]]]))


def test_options_cannot_be_changed() -> None:
    pooling, p = GeM(p=np.array([1.0, 2.0])), np.array([1.0, 2.0], np.float32)
    with pytest.raises(dataclasses.FrozenInstanceError):
        pooling.p = 2.0  # type: ignore[misc]
    made = GeM(p=p)
    p[0] = 5
    assert isinstance(made.p, np.ndarray)
    assert made.p[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        made.p[0] = 5

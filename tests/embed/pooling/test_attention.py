"""Attention poolings, against their equations, and against torch where it is there."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.embed.pooling.attention import AttentionPool
from lookalike.embed.pooling.learned_query import LearnedQuery
from lookalike.embed.pooling.tokens import tokens_of
from lookalike.errors import BadShape

Floats = npt.NDArray[np.float32]
CHANNELS, HEADS, DIM = 8, 2, 5


def weights(seed: int = 0) -> dict[str, Floats]:
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"positions": (7, CHANNELS)}
    for name in ("query", "key", "value", "output"):
        out = DIM if name == "output" else CHANNELS
        shapes |= {f"{name}_weights": (out, CHANNELS), f"{name}_biases": (out,)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


FEATURES = np.random.default_rng(1).normal(size=(3, CHANNELS, 2, 3)).astype(np.float32)


def linear(matrix: Floats, biases: Floats, row: list[float]) -> list[float]:
    return [
        math.fsum(float(w) * v for w, v in zip(line, row, strict=True)) + float(b)
        for line, b in zip(matrix, biases, strict=True)
    ]


def slow(image: Floats, w: dict[str, Floats]) -> list[float]:
    spots = [[float(v) for v in image[:, y, x]] for y in range(image.shape[1]) for x in range(image.shape[2])]
    tokens = [[math.fsum(column) / len(spots) for column in zip(*spots, strict=True)], *spots]
    tokens = [
        [a + float(b) for a, b in zip(token, at, strict=True)] for token, at in zip(tokens, w["positions"], strict=True)
    ]
    query = linear(w["query_weights"], w["query_biases"], tokens[0])
    keys = [linear(w["key_weights"], w["key_biases"], token) for token in tokens]
    held = [linear(w["value_weights"], w["value_biases"], token) for token in tokens]
    size = CHANNELS // HEADS
    joined: list[float] = []
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        scores = [
            math.fsum(a * b for a, b in zip(query[part], key[part], strict=True)) / math.sqrt(size) for key in keys
        ]
        raised = [math.exp(score) for score in scores]
        for column in zip(*(value[part] for value in held), strict=True):
            joined.append(math.fsum(r * v for r, v in zip(raised, column, strict=True)) / math.fsum(raised))
    return linear(w["output_weights"], w["output_biases"], joined)


def test_the_attention_of_clip() -> None:
    found = AttentionPool(**weights(), heads=HEADS)(FEATURES)
    assert found.shape == (3, DIM)
    for row, image in zip(found, FEATURES, strict=True):
        assert row == pytest.approx(slow(image, weights()), rel=1e-5, abs=1e-5)


@pytest.mark.torch
def test_the_attention_of_torch() -> None:
    torch: Any = import_module("torch")
    w = {name: torch.from_numpy(array) for name, array in weights().items()}
    tokens = torch.from_numpy(FEATURES).flatten(2).permute(2, 0, 1)
    tokens = torch.cat([tokens.mean(dim=0, keepdim=True), tokens]) + w["positions"][:, None]
    made = torch.nn.MultiheadAttention(CHANNELS, HEADS)
    made.in_proj_weight.data = torch.cat([w[f"{name}_weights"] for name in ("query", "key", "value")])
    made.in_proj_bias.data = torch.cat([w[f"{name}_biases"] for name in ("query", "key", "value")])
    made.out_proj.weight.data, made.out_proj.bias.data = torch.eye(CHANNELS), torch.zeros(CHANNELS)
    with torch.no_grad():
        answer, _ = made(tokens[:1], tokens, tokens)
        wanted = torch.nn.functional.linear(answer[0], w["output_weights"], w["output_biases"]).numpy()
    found = AttentionPool(**weights(), heads=HEADS)(FEATURES)
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-5)


def test_attention_of_wrong_shapes() -> None:
    wrong: list[Any] = [3, 0, 2.0]
    for heads in wrong:
        with pytest.raises(BadShape, match="heads should divide the 8 channels"):
            AttentionPool(**weights(), heads=heads)
    with pytest.raises(BadShape, match=r"key_weights should be of shape \(8, 8\)"):
        AttentionPool(**(weights() | {"key_weights": np.ones((8, 4), np.float32)}), heads=2)
    with pytest.raises(BadShape, match="maps of 8 channels and 6 positions; got 8 channels, 3 x 3"):
        AttentionPool(**weights(), heads=2)(np.ones((1, 8, 3, 3), np.float32))


@pytest.mark.parametrize("scale", [None, 2.0])
def test_a_learned_query(scale: float | None) -> None:
    query = np.random.default_rng(2).normal(size=CHANNELS).astype(np.float32)
    tokens = tokens_of(FEATURES)
    for row, image in zip(LearnedQuery(query=query, scale=scale)(tokens), tokens.tolist(), strict=True):
        factor = scale or 1 / math.sqrt(CHANNELS)
        raised = [
            math.exp(factor * math.fsum(q * t for q, t in zip(query.tolist(), token, strict=True))) for token in image
        ]
        wanted = [
            math.fsum(r * v for r, v in zip(raised, column, strict=True)) / math.fsum(raised)
            for column in zip(*image, strict=True)
        ]
        assert row == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_a_query_of_zeros_is_the_mean_and_a_sharp_one_picks() -> None:
    tokens = tokens_of(FEATURES)
    zeros = LearnedQuery(query=np.zeros(CHANNELS, np.float32))
    assert zeros(tokens) == pytest.approx(tokens.mean(axis=1), abs=1e-6)
    query = np.eye(CHANNELS, dtype=np.float32)[0]
    picked = tokens[np.arange(3), tokens[:, :, 0].argmax(axis=1)]
    assert LearnedQuery(query=query, scale=1e6)(tokens) == pytest.approx(picked, abs=1e-5)


def test_a_query_of_wrong_shape() -> None:
    with pytest.raises(BadShape, match="query is of 3 channels, but the tokens have 8"):
        LearnedQuery(query=np.ones(3, np.float32))(tokens_of(FEATURES))
    with pytest.raises(BadShape, match="scale should be"):
        LearnedQuery(query=np.ones(3, np.float32), scale=math.inf)

"""Merging of views: equal to the mean at its start, whatever the order, and better where views differ in worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lookalike.errors import BadInput

pytestmark = pytest.mark.torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def objects(count: int, seed: int, *, dimension: int = 32, views: int = 6) -> tuple[Any, Any]:
    """Return vectors and owners; a third of the views show something else, and can be told from their first numbers."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, dimension))
    owner = np.repeat(np.arange(count), views)
    rows = centres[owner] + 0.8 * rng.normal(size=(count * views, dimension))
    other = rng.random(len(rows)) < 0.35
    rows[other] = rng.normal(size=(other.sum(), dimension))
    rows[other, :4] += 2.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), owner


def test_it_starts_as_the_mean_and_ignores_order_and_padding() -> None:
    import torch

    from lookalike.train.views import SetTransformer, merged, plain_merge

    torch.manual_seed(0)
    model = SetTransformer(16).eval()
    rng = np.random.default_rng(0)
    sets = [rng.normal(size=(count, 16)).astype(np.float32) for count in (1, 2, 5)]
    np.testing.assert_allclose(merged(model, sets), plain_merge(sets, "mean"), atol=1e-5)
    torch.nn.init.normal_(model.score.weight)
    together = merged(model, sets)
    np.testing.assert_allclose(merged(model, [each[::-1] for each in sets]), together, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([merged(model, [each]) for each in sets]), together, atol=1e-5)
    assert np.abs(together[2] - plain_merge(sets, "mean")[2]).max() > 0.01


def test_trained_it_weighs_views_by_what_they_are_worth() -> None:
    from lookalike.train.views import merged, plain_merge, train_merge

    vectors, owner = objects(200, 0)
    model = train_merge(vectors, owner, steps=200)
    held, whose = objects(200, 1)  # other objects

    def right(merge: Callable[[Sequence[Any]], Any]) -> float:
        first, second = (merge([held[whose == each][part] for each in range(200)]) for part in (np.s_[:3], np.s_[3:]))
        return float(((first @ second.T).argmax(axis=1) == np.arange(200)).mean())

    learned = right(lambda sets: merged(model, sets))
    assert learned > right(lambda sets: plain_merge(sets, "mean")) + 0.1
    assert learned > right(lambda sets: plain_merge(sets, "gem")) + 0.1


def test_objects_with_one_photograph_cannot_teach() -> None:
    from lookalike.train.views import train_merge

    with pytest.raises(BadInput, match="two objects or more"):
        train_merge(np.eye(4, dtype=np.float32), [0, 1, 2, 3])

from __future__ import annotations

import sys
from itertools import permutations
from math import log

import numpy as np
import pytest

from lookalike.errors import BadInput, BadShape, MissingExtra
from lookalike.evaluate.metrics.clusters import (
    adjusted_mutual_information,
    assign,
    cluster_agreement,
    normalised_mutual_information,
)


def mutual_information(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    n = len(a)
    joint = {pair: list(zip(a, b, strict=True)).count(pair) / n for pair in zip(a, b, strict=True)}
    return sum(p * log(p * n * n / (a.count(x) * b.count(y))) for (x, y), p in joint.items())


LABELS, FOUND = (0, 0, 0, 1, 1, 2, 2), (0, 0, 1, 1, 1, 2, 0)


def test_against_the_definition() -> None:
    information = mutual_information(LABELS, FOUND)
    mean_entropy = (mutual_information(LABELS, LABELS) + mutual_information(FOUND, FOUND)) / 2
    assert normalised_mutual_information(LABELS, FOUND) == pytest.approx(information / mean_entropy)
    # What chance gives: the mean over all orders of the clusters, 7! of them.
    chance = float(np.mean([mutual_information(LABELS, order) for order in set(permutations(FOUND))]))
    expected = (information - chance) / (mean_entropy - chance)
    assert adjusted_mutual_information(LABELS, FOUND) == pytest.approx(expected)


def test_separated_classes_are_found() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 20)
    centres = np.repeat(np.eye(3, 8, dtype=np.float32), 20, axis=0)
    vectors = centres + rng.normal(scale=0.01, size=(60, 8)).astype(np.float32)
    found = cluster_agreement(vectors, labels)
    assert found == {"nmi": pytest.approx(1), "ami": pytest.approx(1)}


def test_the_same_seed_gives_the_same_clusters() -> None:
    vectors = np.random.default_rng(0).random((50, 4)).astype(np.float32)
    np.testing.assert_array_equal(assign(vectors, 7, seed=3), assign(vectors, 7, seed=3))


def test_duplicates_and_bad_input() -> None:
    same = np.ones((6, 2), np.float32)
    assert set(assign(same, 3).tolist()) == {0}
    with pytest.raises(BadInput, match="6 vectors cannot be put into 7 clusters"):
        assign(same, 7)
    with pytest.raises(BadShape, match="finite"):
        assign(np.full((6, 2), np.nan, np.float32), 2)
    with pytest.raises(BadShape, match=r"labels of shape \(6,\)"):
        cluster_agreement(same, ["a"])


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(MissingExtra, match=r"lookalike\[evaluate\]"):
        normalised_mutual_information([0], [0])

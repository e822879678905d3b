"""Bases learned from pictures, against scikit-learn, SciPy and what must hold of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, PCA

from lookalike.embed import create
from lookalike.embed.handcrafted.eigenfaces import PrincipalComponents
from lookalike.embed.handcrafted.kmeans_patches import Patches, kmeans
from lookalike.embed.handcrafted.learned import LearnedEmbedder
from lookalike.embed.handcrafted.nmf import NonNegativeParts, shares
from lookalike.errors import BadInput
from lookalike.protocols import Learns
from lookalike.types import Image
from pictures import picture

NAMES = ["eigenfaces", "kmeans-patches", "nmf"]


def images(count: int, start: int = 0) -> list[Image]:
    return [picture(seed) for seed in range(start, start + count)]


def fitted(name: str, count: int = 40, seed: int = 0) -> LearnedEmbedder:
    made = create(name)
    assert isinstance(made, LearnedEmbedder)
    return made.fit(images(count), seed)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_learned_comes_back(name: str) -> None:
    made, fresh = fitted(name), create(name)
    assert isinstance(fresh, Learns)
    again = fresh.from_state(made.state())
    assert again.space == made.space
    assert np.array_equal(again.embed(images(5, 50)), made.embed(images(5, 50)))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_images_and_seed_teach_the_same_and_others_do_not(name: str) -> None:
    made = fitted(name)
    assert fitted(name).fingerprint == made.fingerprint
    assert fitted(name, count=39).fingerprint != made.fingerprint
    assert create(name).fingerprint != made.fingerprint
    assert create(name).fingerprint == made.fingerprint.rpartition("-")[0]
    if name != "eigenfaces":  # which draws nothing
        assert fitted(name, seed=1).fingerprint != made.fingerprint


@pytest.mark.parametrize("name", NAMES)
def test_two_pictures_are_enough_and_one_is_not(name: str) -> None:
    rows = fitted(name, count=2).embed(images(3))
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    with pytest.raises(BadInput, match=f"'{name}' learns from at least 2 images, got 1"):
        fitted(name, count=1)
    with pytest.raises(BadInput, match=f"'{name}' has not learned"):
        create(name).embed(images(1))


def test_eigenfaces_equal_the_pca_of_scikit_learn() -> None:
    made = fitted("eigenfaces", count=100)
    small = np.stack([made.prepare(image) for image in images(100)]).reshape(100, -1).astype(np.float64)
    oracle = PCA(64, svd_solver="full").fit(small)
    learned = PrincipalComponents().learn(small.reshape(-1, 32, 32).astype(np.uint8), np.random.default_rng(0))
    agreeing = np.abs((learned["components"] * oracle.components_).sum(axis=1))
    assert agreeing == pytest.approx(np.ones(64), abs=1e-4)
    expected = oracle.transform(np.stack([made.prepare(image) for image in images(9, 200)]).reshape(9, -1))
    expected *= np.sign((learned["components"] * oracle.components_).sum(axis=1))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(made.embed(images(9, 200)) - expected).max() < 1e-4


def test_shares_equal_scipys_non_negative_least_squares() -> None:
    rng = np.random.default_rng(0)
    parts, rows = rng.random((12, 60)), rng.random((7, 60))
    expected = np.stack([nnls(parts.T, row)[0] for row in rows])
    assert np.abs(shares(rows, parts, 2000) - expected).max() < 1e-6
    found = shares(rows, parts, 60)
    worse = np.linalg.norm(rows - found @ parts) / np.linalg.norm(rows - expected @ parts)
    assert 1 <= worse < 1.001


def test_parts_explain_as_much_as_those_of_scikit_learn() -> None:
    made = create("nmf")
    assert isinstance(made, LearnedEmbedder)
    small = np.stack([made.prepare(image) for image in images(150)])
    rows = small.reshape(150, -1) / 255
    parts = NonNegativeParts().learn(small, np.random.default_rng(0))["parts"].astype(np.float64)
    assert parts.min() >= 0
    assert np.linalg.norm(parts, axis=1) == pytest.approx(np.ones(49), abs=1e-5)
    ours = np.linalg.norm(rows - shares(rows, parts, 500) @ parts)
    oracle = NMF(49, init="nndsvda", max_iter=2000, tol=1e-3, random_state=0)  # its start is drawn at random, too
    theirs = np.linalg.norm(rows - oracle.fit_transform(rows) @ oracle.components_)
    assert ours < 1.1 * theirs


def test_centres_are_as_good_as_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((3000, 8)).astype(np.float32)  # no clusters: every good start ends about as well

    def spread(centres: object) -> float:
        return float(((rows[:, None] - np.asarray(centres)[None]) ** 2).sum(axis=2).min(axis=1).sum())

    found = kmeans(rows, 30, 60, np.random.default_rng(1))
    assert spread(found) < 1.03 * spread(KMeans(30, n_init=1, random_state=0).fit(rows).cluster_centers_)
    owner = ((rows[:, None] - found[None]) ** 2).sum(axis=2).argmin(axis=1)
    means = np.stack([rows[owner == k].mean(axis=0) for k in range(30)])
    assert np.abs(means - found).max() < 0.1  # each centre is the mean of its rows, nearly


def test_fewer_different_rows_than_centres() -> None:
    rows = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    found = kmeans(rows, 8, 5, np.random.default_rng(0))
    assert sorted(found.tolist()) == sorted(np.eye(3).tolist())


def test_patches_equal_a_loop() -> None:
    method = Patches(dim=5, side=10, patch=4, stride=3)
    small = np.random.default_rng(0).integers(0, 256, (2, 10, 10, 3), dtype=np.uint8)
    centres = np.random.default_rng(1).standard_normal((5, 48)).astype(np.float32)
    for row, one in zip(method.describe(small, {"centres": centres}), small, strict=True):
        total = np.zeros(5)
        for y in (0, 3, 6):
            for x in (0, 3, 6):
                patch = one[y : y + 4, x : x + 4].astype(np.float64).ravel()
                patch = (patch - patch.mean()) / np.sqrt(patch.var() + 100)
                distance = np.sqrt(((centres - patch) ** 2).sum(axis=1))
                total += np.maximum(distance.mean() - distance, 0)
        expected = np.sqrt(total) / np.linalg.norm(np.sqrt(total))
        assert row == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("eigenfaces", (39, 32, 32, 3)), ("nmf", (49, 32, 32, 3)), ("kmeans-patches", (128, 6, 6, 3))],
)
def test_the_basis_is_drawn_from_black_to_white(name: str, shape: tuple[int, ...]) -> None:
    drawn = fitted(name).pictures()
    assert drawn.shape == shape
    assert drawn.dtype == np.uint8
    assert (drawn.max(axis=(1, 2, 3)) == 255).all()
    assert (drawn.min(axis=(1, 2, 3)) == 0).all()

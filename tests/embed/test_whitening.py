"""Whitening, against scikit-learn's PCA and the definition of what whitened pairs are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from lookalike.embed.unit import unit
from lookalike.embed.whitening import Whitening, fit_classes, fit_pairs, fit_pca, truncate
from lookalike.errors import BadShape, ModelError

Floats = npt.NDArray[np.float32]
RANDOM = np.random.default_rng(0)
ROWS = (RANDOM.normal(size=(60, 8)) @ RANDOM.normal(size=(8, 8)) + 3).astype(np.float32)
LEFT, RIGHT = np.arange(30), np.arange(30, 60)


def loop_apply(whitening: Whitening, row: list[float]) -> list[float]:
    moved = [value - float(mean) for value, mean in zip(row, whitening.mean, strict=True)]
    made = [sum(float(w) * v for w, v in zip(line, moved, strict=True)) for line in whitening.projection]
    norm = sum(value * value for value in made) ** 0.5
    return [value / norm for value in made]


@pytest.mark.parametrize("dim", [None, 8, 3])
def test_pca_is_that_of_scikit_learn(dim: int | None) -> None:
    oracle = PCA(n_components=dim, whiten=True, svd_solver="full").fit(ROWS.astype(np.float64))
    wanted = oracle.transform(ROWS.astype(np.float64))
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    made = fit_pca(ROWS, dim=dim)
    found = made.apply(ROWS)
    assert found.dtype == np.float32
    turned = np.sign((found * wanted).sum(axis=0))  # an axis has no sense of its own
    assert found * turned == pytest.approx(wanted, abs=1e-5)
    assert found[0] == pytest.approx(loop_apply(made, ROWS[0].tolist()), abs=1e-5)


def test_whitened_rows_have_unit_covariance() -> None:
    made = fit_pca(ROWS).project(ROWS)
    assert made.mean(axis=0) == pytest.approx(np.zeros(8), abs=1e-5)
    assert made.T @ made / 60 == pytest.approx(np.eye(8), abs=1e-4)


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5, 1.0])
def test_the_power_of_the_variances(power: float) -> None:
    variances = np.sort(np.linalg.eigvalsh(np.cov(ROWS.T.astype(np.float64), bias=True)))[::-1]
    made = fit_pca(ROWS, power=power).project(ROWS)
    assert made.T @ made / 60 == pytest.approx(np.diag(variances ** (1 - 2 * power)), rel=1e-3, abs=1e-3)


def test_a_rotation_keeps_all_distances() -> None:
    made = fit_pca(ROWS, power=0).project(ROWS)
    assert np.linalg.norm(made[0] - made[1]) == pytest.approx(np.linalg.norm(ROWS[0] - ROWS[1]), rel=1e-5)


def test_shrinkage_draws_variances_together() -> None:
    variances = np.sort(np.linalg.eigvalsh(np.cov(ROWS.T.astype(np.float64), bias=True)))[::-1]
    made = fit_pca(ROWS, shrinkage=0.3).project(ROWS)
    drawn = 0.7 * variances + 0.3 * variances.mean()
    assert np.diag(made.T @ made / 60) == pytest.approx(variances / drawn, rel=1e-3)
    plain = fit_pca(ROWS, power=0).apply(ROWS)
    assert fit_pca(ROWS, shrinkage=1).apply(ROWS) == pytest.approx(plain, abs=1e-5)


def test_axes_that_do_not_vary_are_left_out() -> None:
    flat = np.concatenate([ROWS, ROWS[:, :2], np.ones((60, 1), np.float32)], axis=1)
    assert fit_pca(flat).dim == 8
    assert fit_pca(flat, shrinkage=0.1).dim == 11
    assert fit_pca(ROWS[:5]).dim == 4  # five rows vary along four axes
    with pytest.raises(BadShape, match=r"dim should be in 1 \.\. 8, got 9"):
        fit_pca(flat, dim=9)


@given(st.integers(0, 999))
def test_the_order_of_rows_does_not_count(seed: int) -> None:
    mixed = ROWS[np.random.default_rng(seed).permutation(60)]
    assert fit_pca(mixed).projection == pytest.approx(fit_pca(ROWS).projection, abs=1e-4)


def test_pairs_differ_alike_in_every_direction() -> None:
    """What defines it: differences within pairs are white, and the whitened rows are along their principal axes."""
    made = fit_pairs(ROWS, LEFT, RIGHT)
    rows = made.project(ROWS)
    apart = rows[LEFT] - rows[RIGHT]
    assert apart.T @ apart / 30 == pytest.approx(np.eye(8), abs=1e-4)
    spread = rows.T @ rows
    assert spread - np.diag(np.diag(spread)) == pytest.approx(np.zeros((8, 8)), abs=1e-2)
    assert (np.diff(np.diag(spread)) <= 0).all()
    assert made.mean == pytest.approx(ROWS[LEFT].mean(axis=0), rel=1e-5)


def test_pairs_give_the_generalised_eigenvectors() -> None:
    """The same axes by another way: those v with B v = lambda S v, S of the differences and B of all rows."""
    from scipy.linalg import eigh

    wide = ROWS.astype(np.float64)
    apart = wide[LEFT] - wide[RIGHT]
    moved = wide - wide[LEFT].mean(axis=0)
    _, vectors = eigh(moved.T @ moved, apart.T @ apart / 30)
    wanted = vectors.T[::-1]
    found = fit_pairs(ROWS, LEFT, RIGHT, dim=5)
    assert np.abs(found.projection) == pytest.approx(np.abs(wanted[:5]), rel=1e-3, abs=1e-5)
    axes = wanted[:5] * np.sign((wanted[:5] * found.projection).sum(axis=1, keepdims=True))  # an axis has either sign
    rows = moved @ axes.T
    assert found.apply(ROWS) == pytest.approx(rows / np.linalg.norm(rows, axis=1, keepdims=True), abs=1e-5)


def test_pairs_bring_what_matches_together() -> None:
    things = np.repeat(RANDOM.normal(size=(40, 6)), 2, axis=0)
    nuisance = RANDOM.normal(size=(80, 2)) * 10
    rows = np.concatenate([things + 0.1 * RANDOM.normal(size=(80, 6)), nuisance], axis=1).astype(np.float32)
    made = fit_pairs(rows, np.arange(0, 80, 2), np.arange(1, 80, 2)).apply(rows)

    def right(some: Floats) -> int:
        scores = some @ some.T - 9 * np.eye(80)
        return int((scores.argmax(axis=1) == np.arange(80) ^ 1).sum())

    assert right(made) > 70 > 40 > right(unit(rows, source="test"))


def test_fewer_pairs_than_components() -> None:
    made = fit_pairs(ROWS, [0, 1], [2, 3])
    assert np.isfinite(made.apply(ROWS)).all()


def test_shortened_and_truncated() -> None:
    made = fit_pca(ROWS)
    assert made.shortened(3).apply(ROWS) == pytest.approx(fit_pca(ROWS, dim=3).apply(ROWS), abs=1e-6)
    short = truncate(np.array([[3.0, 4.0, 12.0]], np.float32), 2)
    assert short.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
    for wrong in (0, 4):
        with pytest.raises(BadShape, match=r"dim should be in 1 \.\. 3"):
            truncate(np.ones((1, 3)), wrong)
    with pytest.raises(BadShape, match="dim should be"):
        made.shortened(9)
    with pytest.raises(BadShape, match="rows should be"):
        truncate(np.ones(3), 1)


def test_the_mean_itself_and_values_that_are_not_finite() -> None:
    made = fit_pca(ROWS)
    assert made.apply(made.mean[None]) == pytest.approx(np.full((1, 8), 8**-0.5), abs=1e-6)
    with pytest.raises(ModelError, match="whitening gave NaN"):
        made.apply(np.full((1, 8), np.nan))


def test_the_fingerprint_names_the_numbers() -> None:
    one, other = fit_pca(ROWS), fit_pca(ROWS[:59])
    assert one.fingerprint == fit_pca(ROWS).fingerprint != other.fingerprint
    assert one.fingerprint.startswith("whitening/8-8/")


def test_numbers_cannot_be_changed() -> None:
    mean = np.zeros(2, np.float32)
    made = Whitening(mean, np.eye(2, dtype=np.float32))
    mean[0] = 1
    assert made.mean[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        made.mean[0] = 1


@pytest.mark.parametrize("rows", [np.ones((1, 3)), np.ones(3), np.ones((3, 0)), np.full((3, 2), np.inf)])
def test_rows_that_cannot_be_learned_from(rows: npt.NDArray[np.float64]) -> None:
    with pytest.raises(BadShape, match="a whitening is learned from"):
        fit_pca(rows)
    with pytest.raises(BadShape, match="a whitening is learned from"):
        fit_pairs(rows, [0], [1])


def test_arguments_that_cannot_be_used() -> None:
    with pytest.raises(BadShape, match="all rows are the same"):
        fit_pca(np.ones((3, 2)))
    for power, shrinkage in ((-0.1, 0.0), (np.nan, 0.0), (0.5, 2.0)):
        with pytest.raises(BadShape, match="power and shrinkage should be"):
            fit_pca(ROWS, power=power, shrinkage=shrinkage)
    with pytest.raises(BadShape, match="as many first as second"):
        fit_pairs(ROWS, [0, 1], [2])
    with pytest.raises(BadShape, match="as many first as second"):
        fit_pairs(ROWS, [], [])
    with pytest.raises(BadShape, match=r"second should be in 0 \.\. 59, got 1 \.\. 60"):
        fit_pairs(ROWS, [0, 1], [1, 60])
    with pytest.raises(BadShape, match="first should be row numbers"):
        fit_pairs(ROWS, [0.5], [1])
    with pytest.raises(BadShape, match="the rows of all pairs are the same"):
        fit_pairs(ROWS, [0], [0])
    with pytest.raises(BadShape, match="takes rows of 8 components"):
        fit_pca(ROWS).apply(ROWS[:, :3])
    with pytest.raises(BadShape, match="needs a mean"):
        Whitening(np.zeros(2, np.float32), np.zeros((2, 3), np.float32))
    with pytest.raises(BadShape, match="should be finite"):
        Whitening(np.zeros(2, np.float32), np.full((1, 2), np.nan, np.float32))


def test_classes_as_another_library_has_them() -> None:
    rng = np.random.default_rng(5)
    classes = np.repeat(np.arange(30), 4)
    rows = (rng.standard_normal((30, 12))[classes] + 0.5 * rng.standard_normal((120, 12)) * np.arange(1, 13)).astype(
        np.float32
    )
    reference = LinearDiscriminantAnalysis(solver="eigen").fit(rows, classes)
    expected = (rows - rows.mean(axis=0)) @ reference.scalings_[:, :5]
    found = fit_classes(rows, classes, dim=5, shrinkage=0, power=0).project(rows)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=2e-3, atol=2e-3)  # an axis has either sign
    # With shrinkage: the generalised eigenvectors of the two covariances.
    means = np.stack([rows[classes == kind].mean(axis=0) for kind in range(30)]).astype(np.float64)
    within = np.mean([np.cov(rows[classes == kind].T.astype(np.float64), ddof=0) for kind in range(30)], axis=0)
    shrunk = 0.7 * within + 0.3 * np.trace(within) / 12 * np.eye(12)
    values, vectors = scipy.linalg.eigh(np.cov(means.T, ddof=0), shrunk)
    best = (rows - means.mean(axis=0)) @ vectors[:, ::-1][:, :5] * values[::-1][:5] ** -0.25
    found = fit_classes(rows, classes, dim=5, shrinkage=0.3).project(rows)
    np.testing.assert_allclose(np.abs(found), np.abs(best), rtol=2e-3, atol=2e-3)
    best *= np.sign((best * found).sum(axis=0))
    units = best / np.linalg.norm(best, axis=1, keepdims=True)
    np.testing.assert_allclose(fit_classes(rows, classes, dim=5, shrinkage=0.3).apply(rows), units, atol=1e-5)


def test_classes_count_alike_however_large_and_groups_too() -> None:
    rng = np.random.default_rng(6)
    classes = np.repeat(np.arange(20), 3)
    rows = rng.standard_normal((20, 6))[classes] + 0.3 * rng.standard_normal((60, 6))
    plain = fit_classes(rows, classes, dim=3)
    again = np.concatenate([np.arange(60), np.arange(3), np.arange(3)])  # the first class three times over
    # Its mean and, but for the divisor n - 1 of repeated rows, its spread stay the same.
    assert np.abs(fit_classes(rows[again], classes[again], dim=3).mean - plain.mean).max() < 1e-6
    groups = (classes >= 18).astype(np.int64)
    assert not np.allclose(fit_classes(rows, classes, dim=3, groups=groups).projection, plain.projection, atol=1e-3)
    for wrong in ({"dim": 20}, {"dim": 0}, {"dim": 3, "shrinkage": 2}, {"dim": 3, "power": -1}):
        with pytest.raises(BadShape):
            fit_classes(rows, classes, **wrong)
    with pytest.raises(BadShape, match="no class has two rows"):
        fit_classes(rows, np.arange(60), dim=3)

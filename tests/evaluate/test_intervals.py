from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lookalike.errors import BadInput, BadShape
from lookalike.evaluate.intervals import bootstrap_means, draws, interval, merged


def test_draws_are_resamples_of_all_units() -> None:
    weights = np.concatenate(list(draws(7, 500, seed=1, rows=64)))
    assert weights.shape == (500, 7)
    assert (weights.sum(axis=1) == 7).all()
    # Multinomial: mean 1, variance 1 - 1/7
    assert weights.mean(axis=0) == pytest.approx(np.ones(7), abs=0.2)
    assert weights.var() == pytest.approx(6 / 7, rel=0.1)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_equals_scipy(method: str) -> None:
    values = np.random.default_rng(2).beta(4, 1, size=60)  # skewed, as precision near 1 is
    mean, low, high = bootstrap_means(values[:, None], resamples=20_000, method=method)  # type: ignore[arg-type]
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method=method, rng=3).confidence_interval
    width = theirs.high - theirs.low
    assert mean[0] == pytest.approx(values.mean())
    assert [low[0], high[0]] == pytest.approx([theirs.low, theirs.high], abs=0.04 * width)


def test_bca_by_hand() -> None:
    # Left-out estimates without skew: no acceleration. 84.13% of the resamples lie under the value: bias z0 = 1.
    # The tails are then cdf(2 z0 - 1.96) = cdf(0.04) = 0.5160 and cdf(2 z0 + 1.96) = cdf(3.96) = 0.99996.
    replicates = np.arange(10_001) / 10_000
    found = interval(0.8413447, replicates, np.array([0.7, 0.8, 0.9]))
    assert found == pytest.approx((0.5160, 0.99996), abs=1e-3)
    plain = interval(0.8413447, replicates, np.array([0.7, 0.8, 0.9]), method="percentile")
    assert plain == pytest.approx((0.025, 0.975), abs=1e-3)


def test_bca_leans_to_the_long_tail_where_percentile_does_not() -> None:
    values = np.zeros((40, 1))
    values[:3] = 1
    _, low, high = bootstrap_means(values, resamples=5000)
    _, plain_low, plain_high = bootstrap_means(values, resamples=5000, method="percentile")
    assert high[0] >= plain_high[0]
    assert low[0] >= plain_low[0]


def test_covers_the_true_mean_of_independent_queries() -> None:
    rng = np.random.default_rng(4)
    truth = 4 / 5  # of beta(4, 1)
    # 200 experiments of 50 queries, all in one call a run: as 200 metrics they share the draws, which does no harm.
    samples = rng.beta(4, 1, size=(50, 200))
    _, low, high = bootstrap_means(samples, resamples=1000)
    covered = ((low <= truth) & (truth <= high)).mean()
    assert 0.9 <= covered <= 0.99


def test_covers_the_true_mean_of_classes_only_when_classes_are_drawn() -> None:
    rng = np.random.default_rng(5)
    classes = np.repeat(np.arange(40), 10)
    covered = {True: 0, False: 0}
    levels = rng.beta(2, 2, size=(40, 200))  # mean 1/2; one level a class, shared by its queries
    samples = (rng.random((400, 200)) < levels[classes]).astype(np.float64)
    for by_class in covered:
        _, low, high = bootstrap_means(samples, classes if by_class else None, resamples=1000)
        covered[by_class] = int(((low <= 0.5) & (high >= 0.5)).sum())
    assert 0.9 * 200 <= covered[True] <= 0.99 * 200
    assert covered[False] < 0.85 * 200


@pytest.mark.parametrize("macro", [False, True])
def test_means_of_clusters_against_a_loop(macro: bool) -> None:
    rng = np.random.default_rng(6)
    values = rng.random((30, 3))
    values[rng.random((30, 3)) < 0.2] = np.nan
    clusters = rng.integers(0, 5, size=30)
    mean, low, high = bootstrap_means(values, clusters, macro=macro, resamples=4000, method="percentile")
    replicates = []
    for _ in range(4000):
        drawn = rng.integers(0, 5, size=5)
        parts = [values[clusters == c] for c in drawn]
        pooled = [np.nanmean(p, axis=0) for p in parts] if macro else np.concatenate(parts)
        replicates.append(np.nanmean(pooled, axis=0))
    everything = [np.nanmean(values[clusters == c], axis=0) for c in range(5)] if macro else values
    np.testing.assert_allclose(mean, np.nanmean(everything, axis=0))
    ends = np.quantile(replicates, [0.025, 0.975], axis=0)
    np.testing.assert_allclose([low, high], ends, atol=0.1 * (ends[1] - ends[0]).max())


def test_undefined_queries_change_nothing() -> None:
    values = np.random.default_rng(7).random((50, 1))
    values[::5] = np.nan
    mean, low, high = bootstrap_means(values)
    assert mean[0] == pytest.approx(np.nanmean(values))
    assert low[0] < mean[0] < high[0]
    alone = bootstrap_means(values[~np.isnan(values)][:, None])
    assert high[0] - low[0] == pytest.approx((alone[2] - alone[1])[0], rel=0.15)


def test_the_seed_decides() -> None:
    values = np.random.default_rng(8).random((30, 2))
    same = [bootstrap_means(values, seed=1) for _ in range(2)]
    np.testing.assert_array_equal(same[0], same[1])
    assert not np.array_equal(same[0], bootstrap_means(values, seed=2))


def test_one_unit_says_nothing_about_others() -> None:
    mean, low, high = bootstrap_means(np.array([[0.25], [0.75]]), np.array([0, 0]))
    assert mean[0] == 0.5
    assert np.isnan([low[0], high[0]]).all()
    assert np.isnan(bootstrap_means(np.full((3, 1), np.nan))).all()
    mean, low, high = bootstrap_means(np.array([[0.25], [0.75], [np.nan], [np.nan]]), np.array([0, 0, 1, 2]))
    assert mean[0] == 0.5
    assert np.isnan([low[0], high[0]]).all()


def test_no_spread_is_an_interval_of_no_width() -> None:
    mean, low, high = bootstrap_means(np.ones((20, 1)))
    assert (mean[0], low[0], high[0]) == (1, 1, 1)


def test_merged_groups_are_even() -> None:
    groups = merged(np.arange(2500), 0, limit=1000)
    assert set(np.bincount(groups).tolist()) == {2, 3}
    few = np.array([0, 0, 1])
    assert merged(few, 0) is few


def test_bad_input() -> None:
    values = np.ones((3, 1))
    with pytest.raises(BadInput, match="confidence"):
        bootstrap_means(values, confidence=95)
    with pytest.raises(BadInput, match="at least one resample"):
        bootstrap_means(values, resamples=0)
    with pytest.raises(BadShape, match=r"\(Q, M\)"):
        bootstrap_means(np.ones(3))
    with pytest.raises(BadShape, match="clusters must have"):
        bootstrap_means(values, np.zeros(2, np.int64))

"""Calibration against scikit-learn, hand-computed bins, and data whose probabilities are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from lookalike.errors import BadInput, BadShape
from lookalike.evaluate.calibrate import calibrate, calibration_error, isotonic, reliability
from lookalike.evaluate.evaluation import Evaluation
from lookalike.evaluate.judged import Judged

PAIRS = st.lists(st.tuples(st.integers(-20, 20), st.booleans()), min_size=1, max_size=60)


@settings(deadline=None)
@given(pairs=PAIRS)
def test_isotonic_equals_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in pairs], np.float32) / 16
    relevant = np.array([right for _, right in pairs])
    thresholds, probabilities = isotonic(scores, relevant)
    assert (np.diff(thresholds) > 0).all()
    assert (np.diff(probabilities) >= 0).all()
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1
    oracle = IsotonicRegression(out_of_bounds="clip").fit(scores, relevant.astype(float))
    asked = np.linspace(-2, 2, 97)
    assert np.interp(asked, thresholds, probabilities) == pytest.approx(oracle.predict(asked), abs=1e-6)


def test_isotonic_by_hand() -> None:
    # Scores 1..5, relevance 0 1 0 1 1: (1, 0) falls at score 3, so 2 and 3 pool to 1/2; then 1, 1 above.
    thresholds, probabilities = isotonic([1, 2, 3, 4, 5], [0, 1, 0, 1, 1])
    assert thresholds.tolist() == [1, 2, 3, 4, 5]
    assert probabilities.tolist() == [0, 0.5, 0.5, 1, 1]


def test_isotonic_of_one_score_is_its_mean() -> None:
    thresholds, probabilities = isotonic([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0])
    assert (thresholds.tolist(), probabilities.tolist()) == ([0.5], [0.25])


@pytest.mark.parametrize(("scores", "relevant"), [([], []), ([1.0], [1, 0]), ([np.nan], [1]), ([1.0], [2])])
def test_isotonic_refuses_what_it_cannot_use(scores: list[float], relevant: list[int]) -> None:
    with pytest.raises(BadShape):
        isotonic(scores, relevant)


def test_bins_and_error_by_hand() -> None:
    # Two bins of four: predictions .1 .1 .2 .2 (mean .15, one of four relevant: .25), .6 .8 .8 1 (mean .8, 3/4).
    # Error: (|.15 - .25| + |.8 - .75|) / 2 = .075
    bins = reliability([0.8, 0.1, 0.2, 1.0, 0.1, 0.6, 0.2, 0.8], [1, 0, 1, 1, 0, 0, 0, 1], bins=2)
    assert bins.predicted == pytest.approx([0.15, 0.8])
    assert bins.observed == pytest.approx([0.25, 0.75])
    assert bins.count.tolist() == [4, 4]
    assert bins.error == pytest.approx(0.075)


@settings(deadline=None)
@given(
    predicted=st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), max_size=50),
    bins=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_the_order_of_equal_predictions_changes_no_bin(predicted: list[float], bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    relevant = rng.random(len(predicted)) < 0.5
    order = rng.permutation(len(predicted))
    chances = np.array(predicted)
    one, other = (reliability(chances[at], relevant[at], bins=bins) for at in (np.arange(len(predicted)), order))
    assert one.count.tolist() == other.count.tolist()
    assert one.observed == pytest.approx(other.observed)
    assert one.count.sum() == len(predicted)
    assert len(one.count) <= bins
    assert (one.count > 0).all()


@pytest.mark.parametrize(("too_high", "least"), [(0.0, 33), (0.03, 33), (0.1, 32)])
def test_interval_of_the_error_holds_the_truth(too_high: float, least: int) -> None:
    """Predictions that are all too high by so much have that error, whatever the noise; 0.9 of 40 is 36."""
    inside = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        chances = rng.uniform(0.2, 0.8, 1000)
        relevant = rng.random(1000) < chances - too_high
        error, low, high = calibration_error(chances, relevant, np.arange(1000) // 5, resamples=300, seed=seed)
        assert 0 <= low <= error <= high <= 1
        inside += low <= too_high <= high
    assert inside >= least


def evaluation(
    scores: npt.NDArray[np.float64], relevant: npt.NDArray[np.bool_], classes: npt.NDArray[np.int64] | None
) -> Evaluation:
    """Return what a protocol would: Q queries with T results each."""
    count, depth = scores.shape
    rows = np.tile(np.arange(depth), (count, 1))
    return Evaluation(
        protocol={"name": "made"},
        judged=Judged.from_ranked(relevant.astype(float), whole=True, classes=classes),
        query_rows=np.full(count, -1),
        query_sources=("",) * count,
        shown=np.where(np.isfinite(scores), rows, -1),
        shown_scores=scores.astype(np.float32),
        shown_grades=relevant.astype(np.float32),
        expected=(np.empty(0, np.int64),) * count,
    )


def sigmoid_data(seed: int, queries: int, depth: int = 10) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return scores (Q, T) in [-1, 1], and relevance with the probability 1 / (1 + exp(-8 score))."""
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.uniform(-1, 1, (queries, depth)))[:, ::-1].copy()
    return scores, rng.random(scores.shape) < 1 / (1 + np.exp(-8 * scores))


def test_finds_the_probabilities_that_made_the_data() -> None:
    scores, relevant = sigmoid_data(0, 2000)
    made = calibrate(evaluation(scores, relevant, np.arange(2000) % 50), "f")
    at = np.linspace(-0.9, 0.9, 37)
    assert made.calibration.relevance(at) == pytest.approx(1 / (1 + np.exp(-8 * at)), abs=0.06)
    assert made.calibration.score_at(0.5) == pytest.approx(0, abs=0.05)
    assert made.calibration.ece < 0.02
    assert made.calibration.ece_low <= made.calibration.ece <= made.calibration.ece_high
    facts = (made.calibration.n, made.calibration.queries, made.calibration.depth)
    assert facts == (20_000, 2000, 10)
    assert made.bins.count.sum() == 20_000
    assert made.bins.error == pytest.approx(made.calibration.ece)


def test_the_error_is_measured_on_classes_that_were_held_out() -> None:
    """Scores that tell the relevant only within the classes seen: fitted on all, the error would be near 0."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(10), 30)
    offsets = rng.permutation(10) * 10.0  # every class has its own range of scores, and its own share of relevant
    shares = rng.permutation(10) / 9
    scores = offsets[classes][:, None] + np.sort(rng.random((300, 5)))[:, ::-1]
    relevant = rng.random((300, 5)) < shares[classes][:, None]
    made = calibrate(evaluation(scores, relevant, classes), "f").calibration
    own = made.relevance(scores.astype(np.float32).ravel())
    within = reliability(own, relevant.ravel()).error
    assert made.ece > 0.1
    assert within < 0.02


def test_a_seed_decides_everything() -> None:
    scores, relevant = sigmoid_data(1, 100)
    data = evaluation(scores, relevant, np.arange(100) % 7)
    one, same, other = (calibrate(data, "f", seed=seed).calibration for seed in (0, 0, 1))
    assert (one.ece, one.ece_low, one.ece_high) == (same.ece, same.ece_low, same.ece_high)
    assert one.ece != other.ece
    assert one.thresholds.tolist() == other.thresholds.tolist()  # which is learnt from all queries


def test_unused_slots_are_no_pairs() -> None:
    scores = np.array([[0.9, 0.1, -np.inf], [0.8, -np.inf, -np.inf]])
    relevant = np.array([[True, False, False], [True, False, False]])
    made = calibrate(evaluation(scores, relevant, None), "f").calibration
    assert (made.n, made.queries, made.depth) == (3, 2, 2)


def test_one_query_gives_a_map_and_no_error() -> None:
    scores, relevant = sigmoid_data(0, 1)
    made = calibrate(evaluation(scores, relevant, np.zeros(1, np.int64)), "f")
    assert made.calibration.n == 10
    assert np.isnan(made.calibration.ece)
    assert np.isnan(made.calibration.ece_low)
    assert len(made.bins.count) == 0


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(BadInput, match="nothing to calibrate from"):
        calibrate(evaluation(np.full((2, 3), -np.inf), np.zeros((2, 3), np.bool_), None), "f")

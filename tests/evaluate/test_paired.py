from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lookalike.errors import BadInput
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.paired import compare, holm, sign_flip


@pytest.mark.parametrize("size", [8, 13])
def test_all_signs_equal_scipy(size: int) -> None:
    rng = np.random.default_rng(size)
    differences = np.round(rng.normal(0.3, 1, size=(size, 2)), 1)  # rounded: sums tie
    ours = sign_flip(differences)
    for column, p in zip(differences.T, ours, strict=True):
        theirs = stats.permutation_test(
            (column,), lambda x: np.abs(np.sum(x)), permutation_type="samples", alternative="greater"
        )
        assert p == pytest.approx(theirs.pvalue, abs=1e-12)


def test_random_signs_equal_the_t_test_on_normal_differences() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(0.1, 1, size=(400, 1))
    expected = stats.ttest_1samp(differences[:, 0], 0).pvalue
    assert sign_flip(differences)[0] == pytest.approx(expected, abs=0.015)


def test_the_smallest_p_of_five_queries_by_hand() -> None:
    # All five improve: only all + and all - of the 2**5 signs reach the sum.
    assert sign_flip(np.ones((5, 1)))[0] == 2 / 32
    assert sign_flip(np.zeros((5, 1)))[0] == 1


def test_queries_of_a_class_share_a_coin() -> None:
    # Four classes of 50 queries: however many queries, 2 / 2**4 is the best that four classes can show.
    clusters = np.repeat(np.arange(4), 50)
    assert sign_flip(np.ones((200, 1)), clusters)[0] == 2 / 16
    assert sign_flip(np.ones((200, 1)))[0] < 0.001


def test_random_signs_never_give_p_of_0() -> None:
    assert sign_flip(np.ones((300, 1)), permutations=999)[0] == 1 / 1000


def test_averages_by_class_are_tested_by_class() -> None:
    # Twelve classes of one query that gets worse, and one of 50 that gets better: worse on average over classes.
    classes = np.concatenate([np.arange(12), np.full(50, 12)])
    good, bad = [1, 0], [0, 1]
    first = Judged.from_ranked([good] * 12 + [bad] * 50, whole=True, classes=classes)
    second = Judged.from_ranked([bad] * 12 + [good] * 50, whole=True, classes=classes)
    macro = compare(first, second, ["hit_rate@1"], average="macro")["hit_rate@1"]
    assert macro.difference == pytest.approx((-12 + 1) / 13)
    assert macro.verdict == "worse"
    # |sum of 13 signs| >= 11: none or one of the 13 differs, both ways: 2 × (1 + 13) of the 2**13 signs
    assert macro.p == pytest.approx(28 / 2**13)
    micro = compare(first, second, ["hit_rate@1"])["hit_rate@1"]
    assert micro.difference == pytest.approx((50 - 12) / 62)
    assert micro.verdict == "cannot tell"
    assert micro.p > 0.5


def test_p_is_uniform_when_nothing_differs() -> None:
    differences = np.random.default_rng(1).normal(size=(60, 500))
    p = sign_flip(differences, permutations=2000)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_many_units_are_merged_without_losing_the_answer() -> None:
    rng = np.random.default_rng(2)
    differences = rng.normal(0.02, 1, size=(5000, 1))
    expected = stats.ttest_1samp(differences[:, 0], 0).pvalue
    assert sign_flip(differences)[0] == pytest.approx(expected, abs=0.03)


def test_macro_compares_means_of_classes() -> None:
    clusters = np.array([0] * 9 + [1])
    differences = np.array([[0.1]] * 9 + [[-0.9]])
    # Sums by class are 0.9 and -0.9: nothing. Means are 0.1 and -0.9: |-0.8| is reached by 4 of the 4 signs but
    # (+, +) and (-, -) alone when the larger sum 1.0 counts too: sums are -0.8, 1.0, -1.0, 0.8.
    assert sign_flip(differences, clusters)[0] == 1
    assert sign_flip(differences, clusters, macro=True)[0] == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_its_definition(p: list[float]) -> None:
    adjusted = holm(p)
    ordered = sorted(p)
    for value, found in zip(p, adjusted, strict=True):
        rank = ordered.index(value)
        # the largest of (m - j) p_j over all j up to the last place of this value
        last = rank + ordered.count(value) - 1
        steps = [min(1.0, (len(p) - j) * ordered[j]) for j in range(last + 1)]
        assert max(steps[: rank + 1]) <= found + 1e-12
        assert found <= max(steps) + 1e-12


def test_holm_by_hand() -> None:
    # sorted .01 × 4, .02 × 3, .03 × 2, .5 × 1 = .04, .06, .06, .5
    assert holm([0.03, 0.01, 0.5, 0.02]).tolist() == pytest.approx([0.06, 0.04, 0.5, 0.06])


def systems(rng: np.random.Generator, gain: float, queries: int = 400) -> tuple[Judged, Judged]:
    """Two systems over a base of 10 with one relevant item; the second finds it first more often by ``gain``."""
    luck, place = rng.random(queries), rng.integers(1, 10, size=queries)
    out = []
    for level in (0.5, 0.5 + gain):
        ranks = np.where(luck < level, 1, 1 + place)
        grades = np.arange(1, 11) == ranks[:, None]
        out.append(Judged.from_ranked(grades, whole=True, scores=np.sort(rng.random((queries, 10)), axis=1)[:, ::-1]))
    return out[0], out[1]


def test_verdicts() -> None:
    first, second = systems(np.random.default_rng(3), 0.1)
    found = compare(first, second, ["hit_rate@1", "map"])
    assert {key: result.verdict for key, result in found.items()} == {"hit_rate@1": "better", "map": "better"}
    hits = found["hit_rate@1"]
    assert hits.difference == pytest.approx(hits.second - hits.first)
    assert hits.low < hits.difference < hits.high
    assert hits.p <= hits.p_adjusted < 0.05
    assert compare(second, first, ["hit_rate@1"])["hit_rate@1"].verdict == "worse"
    assert compare(first, first, ["hit_rate@1", "micro_ap"])["hit_rate@1"].verdict == "cannot tell"
    assert compare(first, first, ["micro_ap"])["micro_ap"].p == 1


def test_noise_is_rarely_called_a_difference() -> None:
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(60):
        ranks = rng.integers(1, 6, size=(2, 80))
        first, second = (Judged.from_ranked(np.arange(1, 6) == r[:, None], whole=True) for r in ranks)
        wrong += compare(first, second, ["map"], resamples=300, permutations=500)["map"].verdict != "cannot tell"
    assert wrong <= 8  # 60 × 0.05 = 3 are expected; more than 8 come once in 300


def test_pooled_metrics_are_compared_by_bootstrap() -> None:
    rng = np.random.default_rng(5)
    relevant = rng.random((300, 5)) < 0.4
    good = relevant + rng.normal(scale=0.3, size=relevant.shape)
    bad = relevant + rng.normal(scale=1.5, size=relevant.shape)
    first, second = Judged.from_scores(bad, relevant), Judged.from_scores(good, relevant)
    found = compare(first, second, ["micro_ap"])["micro_ap"]
    assert found.verdict == "better"
    assert found.p == pytest.approx(2 / 1001)  # no resample of 1000 on the other side; p is never 0
    assert compare(second, first, ["micro_ap"])["micro_ap"].verdict == "worse"


def test_classes_make_the_verdict_careful() -> None:
    first, second = systems(np.random.default_rng(6), 0.1)
    one_lucky_class = np.repeat(np.arange(4), 100)
    assert compare(first, second, ["hit_rate@1"])["hit_rate@1"].verdict == "better"
    by_class = compare(first.with_classes(one_lucky_class), second, ["hit_rate@1"])["hit_rate@1"]
    assert by_class.p >= 2 / 16
    assert by_class.verdict == "cannot tell"


def test_undefined_queries_are_left_out_of_both() -> None:
    first = Judged.from_ranked([[1, 0], [0, 0], [1, 0]], whole=True)
    second = Judged.from_ranked([[0, 1], [0, 0], [1, 0]], whole=True)
    found = compare(first, second, ["hit_rate@1"])["hit_rate@1"]
    assert (found.first, found.second, found.n) == (1, 0.5, 2)


def test_other_queries_cannot_be_compared() -> None:
    one = Judged.from_ranked([[1, 0]], whole=True, query_ids=["a"])
    with pytest.raises(BadInput, match="answered 1 and 2 queries"):
        compare(one, Judged.from_ranked([[1, 0]] * 2, whole=True), ["map"])
    with pytest.raises(BadInput, match="number 0 is a in the first and b in the second"):
        compare(one, Judged.from_ranked([[1, 0]], whole=True, query_ids=["b"]), ["map"])
    with pytest.raises(BadInput, match=r"query a has 1 relevant items .* and 2"):
        compare(one, Judged.from_ranked([[1, 1]], whole=True, query_ids=["a"]), ["map"])

"""The four scores against plain loops over windows, and against scikit-image."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from skimage.feature import match_template

from lookalike.errors import BadShape
from lookalike.local import TEMPLATE_METHODS
from lookalike.local.correlation import Field

Pixels = npt.NDArray[np.float64]


def ccorr(t: Pixels, w: Pixels) -> float:
    return float((t * w).mean())


def sqdiff(t: Pixels, w: Pixels) -> float:
    return 1 - float(((t - w) ** 2).mean())


def ccoeff(t: Pixels, w: Pixels) -> float:
    a, b = t - t.mean(), w - w.mean()
    return float((a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum()))


def sqdiff_normed(t: Pixels, w: Pixels) -> float:
    return 1 - min(1.0, float(((t - w) ** 2).sum() / math.sqrt((t * t).sum() * (w * w).sum())))


ORACLES: dict[str, Callable[[Pixels, Pixels], float]] = {
    "ccorr": ccorr,
    "sqdiff": sqdiff,
    "ccoeff": ccoeff,
    "sqdiff-normed": sqdiff_normed,
}


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).random(shape)


def test_every_method_has_an_oracle() -> None:
    assert set(ORACLES) == set(TEMPLATE_METHODS)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("method", ORACLES)
@pytest.mark.parametrize("shape", [(5, 8), (1, 3), (17, 23)])
def test_a_method_equals_a_loop_over_windows(method: str, masked: bool, shape: tuple[int, int]) -> None:
    image, template = noise(17, 23), noise(*shape, seed=1)
    mask = np.ones(shape, dtype=bool)
    if masked:
        mask[0, 0] = False
    found = TEMPLATE_METHODS[method](Field(image).sums(template, mask.astype(float) if masked else None))
    h, w = shape
    expected = [
        [ORACLES[method](template[mask], image[y : y + h, x : x + w][mask]) for x in range(23 - w + 1)]
        for y in range(17 - h + 1)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_coefficient_is_that_of_scikit_image() -> None:
    image, template = noise(40, 61), noise(9, 12, seed=3)
    image[5:20, 10:30] = 0.5  # flat windows: 0 in both
    ours = TEMPLATE_METHODS["ccoeff"](Field(image).sums(template))
    np.testing.assert_allclose(ours, match_template(image, template), atol=1e-6)
    assert (ours == 0).any()


def test_light_and_contrast_do_not_change_the_coefficient() -> None:
    image, template = noise(30, 30), noise(6, 6, seed=2)
    plain = TEMPLATE_METHODS["ccoeff"](Field(image).sums(template))
    other = TEMPLATE_METHODS["ccoeff"](Field(0.3 * image + 0.4).sums(template))
    np.testing.assert_allclose(other, plain, atol=1e-9)


@pytest.mark.parametrize("method", ["sqdiff", "ccoeff", "sqdiff-normed"])
def test_the_very_same_pixels_score_one(method: str) -> None:
    image = noise(30, 40)
    scores = TEMPLATE_METHODS[method](Field(image).sums(image[7:18, 11:25]))
    assert scores.argmax() == 7 * scores.shape[1] + 11
    assert scores.max() == pytest.approx(1, abs=1e-9)
    assert scores.max() <= 1


def test_a_black_template_finds_black() -> None:
    image = noise(20, 20)
    image[4:10, 5:12] = 0
    scores = TEMPLATE_METHODS["sqdiff-normed"](Field(image).sums(np.zeros((6, 7))))
    assert scores[4, 5] == 1
    assert np.delete(scores.ravel(), 4 * scores.shape[1] + 5).max() < 1


def test_a_template_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(BadShape, match="does not fit"):
        Field(noise(5, 5)).sums(noise(6, 2))
    with pytest.raises(BadShape, match="mask"):
        Field(noise(5, 5)).sums(noise(3, 2), noise(2, 3))

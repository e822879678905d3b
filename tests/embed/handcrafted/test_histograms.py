"""Histograms in four colour spaces against NumPy's, scikit-image's and loops."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt
import pytest
from skimage.color import rgb2hsv

from lookalike.embed import create
from lookalike.embed.handcrafted.histograms import SoftHistogram, to_hsv, to_opponent


def noise(count: int, side: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3)).astype(np.float32)


def test_hsv_equals_scikit_image_and_the_standard_library() -> None:
    pixels = noise(1, 32)[0]
    pixels[:4] = pixels[:4, :, :1]  # greys
    pixels[4:6, :, 2] = pixels[4:6, :, 0]  # two channels that are equal
    assert np.abs(to_hsv(pixels) - rgb2hsv(pixels / 255)).max() < 1e-5
    for red, green, blue in pixels[:8].reshape(-1, 3)[::17].tolist():
        one = to_hsv(np.array([red, green, blue], np.float32))
        assert one == pytest.approx(colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255), abs=1e-5)


def test_opponent_axes_by_hand() -> None:
    found = to_opponent(np.array([[255, 0, 0], [128, 128, 128], [0, 0, 255]], np.float32))
    expected = [[180.312, 104.104, 147.224], [0, 0, 221.703], [0, -208.207, 147.224]]
    assert np.abs(found - expected).max() < 0.01


@pytest.mark.parametrize(
    ("histogram", "ranges"),
    [
        (SoftHistogram("rgb", (3, 4, 5), softness=1e-9), [(0, 255)] * 3),
        (SoftHistogram("opponent", (5, 5, 4), softness=1e-9), [(-180.3, 180.3), (-208.2, 208.2), (0, 441.7)]),
    ],
)
def test_hard_bins_equal_histogramdd(histogram: SoftHistogram, ranges: list[tuple[float, float]]) -> None:
    pixels = noise(2, 40, seed=1) + np.float32(0.3)
    values = to_opponent(pixels) if histogram.space == "opponent" else pixels
    found = histogram.counts(np.minimum(pixels, 255))
    for row, one in zip(found, np.minimum(values, 255 if histogram.space == "rgb" else 1e9), strict=True):
        expected, _ = np.histogramdd(one.reshape(-1, 3), bins=histogram.bins, range=ranges)
        assert np.abs(row - expected.ravel()).sum() <= 4  # a pixel on an edge may go either way


def test_soft_bins_of_brightness_equal_a_loop() -> None:
    histogram = SoftHistogram("brightness", (8,))
    grey = noise(1, 20, seed=2)[..., :1]
    expected = np.zeros(8)
    for value in grey.ravel().tolist():
        at = min(max(value * 8 / 255 - 0.5, 0), 7)
        lower = int(at)
        part = min(max((at - lower - 0.5) * 3 + 0.5, 0), 1)
        expected[lower] += 1 - part
        expected[min(lower + 1, 7)] += part
    assert np.abs(histogram.counts(grey)[0] - expected).max() < 1e-3


def test_hue_goes_round() -> None:
    """Two reds on either side of hue 0 share bins; a hard seam would part them."""
    made = create("histogram-hsv")
    red, rosy, green = (
        np.full((40, 40, 3), colour, np.uint8) for colour in ((230, 21, 20), (230, 20, 21), (20, 230, 20))
    )
    a, b, c = made.embed([red, rosy, green])
    assert float(a @ b) > 0.95
    assert float(a @ c) == 0


def test_greys_have_no_hue_and_black_no_saturation() -> None:
    made = create("histogram-hsv")
    reddish, bluish = (np.full((40, 40, 3), colour, np.uint8) for colour in ((128, 122, 122), (122, 122, 128)))
    murky, black = (np.full((40, 40, 3), colour, np.uint8) for colour in ((12, 0, 0), (0, 0, 3)))
    rows = made.embed([reddish, bluish, murky, black])
    assert float(rows[0] @ rows[1]) == pytest.approx(1, abs=1e-4)
    assert float(rows[2] @ rows[3]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["histogram-rgb", "histogram-hsv", "histogram-opponent", "brightness-histogram"])
def test_where_the_colours_are_does_not_count(name: str) -> None:
    half = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    mixed = np.random.default_rng(4).permutation(half.reshape(-1, 3)).reshape(half.shape)
    first, second = create(name).embed([each.repeat(2, axis=0).repeat(2, axis=1) for each in (half, mixed)])
    assert float(first @ second) == pytest.approx(1, abs=1e-5)

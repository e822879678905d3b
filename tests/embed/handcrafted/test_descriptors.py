"""Each descriptor against a slow or independent reading of its definition."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2lab

from lookalike.embed.handcrafted.canvas import Views, pool, prepare
from lookalike.embed.handcrafted.color_histogram import ColorHistogram
from lookalike.embed.handcrafted.color_layout import ColorLayout
from lookalike.embed.handcrafted.hog import Hog, gradients, oriented
from lookalike.embed.handcrafted.lab import to_lab
from lookalike.embed.handcrafted.lbp import LocalPatterns
from lookalike.embed.handcrafted.normalise import powered
from lookalike.types import Image


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_pool_takes_block_means() -> None:
    pixels = np.random.default_rng(0).random((2, 8, 12, 3)).astype(np.float32)
    found = pool(pixels, 4)
    assert found.shape == (2, 2, 3, 3)
    assert found[1, 1, 2] == pytest.approx(pixels[1, 4:8, 8:12].mean(axis=(0, 1)), abs=1e-6)


def test_lab_equals_scikit_image() -> None:
    pixels = noise(64, 64).astype(np.float32)
    assert np.abs(to_lab(pixels) - rgb2lab(pixels / 255)).max() < 0.02


def test_powered_takes_signed_roots_of_unit_norm() -> None:
    rows = np.array([[4.0, -1.0], [0.0, 0.0], [1e-40, 0.0]], np.float32)
    expected = np.array([2.0, -1.0]) / math.sqrt(5)
    found = powered(rows, 0.5)
    assert found[0] == pytest.approx(expected, abs=1e-6)
    assert found[1].tolist() == [0, 0]
    assert found[2].tolist() == [1, 0]


def test_hard_histogram_equals_histogramdd() -> None:
    histogram = ColorHistogram(lightness=4, chroma=5, reach=110, softness=1e-9)
    pixels = noise(64, 64).astype(np.float32)
    found = histogram.counts(pixels[None])[0]
    lab = to_lab(pixels).reshape(-1, 3)
    expected, _ = np.histogramdd(lab, bins=(4, 5, 5), range=((0, 100), (-110, 110), (-110, 110)))
    assert found.sum() == pytest.approx(64 * 64)
    assert np.abs(found - expected.ravel()).sum() <= 2  # a pixel on an edge may go either way


def test_soft_histogram_equals_a_loop() -> None:
    histogram = ColorHistogram()
    pixels = noise(12, 12, seed=3).astype(np.float32)
    expected = np.zeros((5, 9, 9))
    for value in to_lab(pixels).reshape(-1, 3).tolist():
        shares = []
        for v, low, high, bins in zip(value, (0, -60, -60), (100, 60, 60), (5, 9, 9), strict=True):
            at = min(max((v - low) / (high - low) * bins - 0.5, 0), bins - 1)
            lower = min(int(at), bins - 2)
            part = min(max((at - lower - 0.5) * 3 + 0.5, 0), 1)
            shares.append(((lower, 1 - part), (lower + 1, part)))
        for (i, a), (j, b), (k, c) in itertools.product(*shares):
            expected[i, j, k] += a * b * c
    assert np.abs(histogram.counts(pixels[None])[0] - expected.ravel()).max() < 1e-3


def test_the_histogram_ignores_where_colours_are() -> None:
    half = noise(64, 64, seed=5)
    image = half.repeat(2, axis=0).repeat(2, axis=1)
    shuffled = np.random.default_rng(0).permutation(half.reshape(-1, 3)).reshape(half.shape)
    shuffled = shuffled.repeat(2, axis=0).repeat(2, axis=1)
    a, b = ColorHistogram().describe(Views([prepare(image), prepare(shuffled)]))
    assert float(a @ b) == pytest.approx(1, abs=1e-5)


def test_reachable_bins_lose_no_pixel() -> None:
    histogram = ColorHistogram()
    corners = np.array(list(itertools.product((0, 255), repeat=3)), np.float32)
    pixels = np.concatenate([corners, noise(1, 4000)[0].astype(np.float32)]).reshape(1, 1, -1, 3)
    rows = histogram.counts(pixels)
    kept = powered(rows, 0.5)
    assert histogram.dim < rows.shape[1]
    everything = histogram.describe(_Halved(pixels))  # type: ignore[arg-type]
    assert np.linalg.norm(everything) == pytest.approx(np.linalg.norm(kept), abs=1e-5)
    assert np.count_nonzero(everything) == np.count_nonzero(kept)


class _Halved:
    def __init__(self, pixels: npt.NDArray[np.float32]) -> None:
        self.half = pixels


def test_oriented_gradients_equal_a_loop() -> None:
    pixels = noise(9, 9, seed=2).astype(np.float32)
    across, down = gradients(pixels[None])
    planes = oriented(across, down, 8)[0]
    for y, x in itertools.product(range(9), repeat=2):
        left, right = pixels[y, max(x - 1, 0)], pixels[y, min(x + 1, 8)]
        above, below = pixels[max(y - 1, 0), x], pixels[min(y + 1, 8), x]
        dx, dy = max(zip(right - left, below - above, strict=True), key=lambda d: d[0] ** 2 + d[1] ** 2)
        at = math.atan2(dy, dx) % math.pi / math.pi * 8
        expected = np.zeros(8)
        expected[int(at) % 8] += math.hypot(dx, dy) * (1 - at % 1)
        expected[(int(at) + 1) % 8] += math.hypot(dx, dy) * (at % 1)
        assert planes[y, x] == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("across", "down", "peak"), [(1.0, 0.0, 0), (0.0, 1.0, 4), (1.0, 1.0, 2), (-1.0, 1.0, 6)])
def test_directions_of_gradients(across: float, down: float, peak: int) -> None:
    y, x = np.mgrid[:32, :32]
    ramp = (across * x + down * y)[None, ..., None].repeat(3, axis=3).astype(np.float32)
    planes = oriented(*gradients(ramp), 8)[0, 1:-1, 1:-1].sum(axis=(0, 1))
    assert int(planes.argmax()) == peak
    assert planes[peak] == pytest.approx(planes.sum(), rel=1e-4)


def test_hog_does_not_see_which_side_is_darker() -> None:
    image = np.full((128, 128, 3), 255, np.uint8)
    image[40:90, 30:70] = 0
    for hog in (Hog(64, 4, 8, local=False), Hog(32, 8, 4, local=True)):
        a, b = hog.describe(Views([prepare(image), prepare(255 - image)]))
        assert float(a @ b) == pytest.approx(1, abs=1e-4)


def test_a_plain_picture_has_no_outline_and_no_layout() -> None:
    views = Views([prepare(np.full((50, 70, 3), 90, np.uint8))])
    for descriptor in (Hog(64, 4, 8, local=False), Hog(32, 8, 4, local=True), ColorLayout()):
        assert np.abs(descriptor.describe(views)).max() < 0.05


def test_layout_is_the_mean_colour_of_each_cell() -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    image[:64, 64:] = (200, 30, 60)
    image[64:, :64] = (20, 180, 90)
    image[64:, 64:] = (60, 60, 220)
    views = Views([prepare(image)])
    cells = rgb2lab(pool(views.content, 32)[0] / 255)
    cells[..., 0] -= cells[..., 0].mean()
    expected = cells.ravel() / np.linalg.norm(cells)
    assert ColorLayout(cells=2).describe(views)[0] == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("threshold", [0.0, 3.0])
def test_patterns_equal_a_loop(threshold: float) -> None:
    views = Views([prepare(noise(128, 128, seed=4) // 8)])
    grey = views.half[0] @ np.array([0.299, 0.587, 0.114], np.float32)
    found = LocalPatterns(threshold=threshold).describe(views)[0].astype(np.float64) ** 2 * 62 * 62
    assert sorted(np.rint(found).astype(int).tolist()) == sorted(_patterns(grey, np.float32(threshold)))


def _patterns(grey: npt.NDArray[np.float32], threshold: np.float32) -> list[int]:
    """Count the 59 patterns by their definition, pixel by pixel."""
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    counts: dict[tuple[bool, ...], int] = {}
    for y, x in itertools.product(range(1, grey.shape[0] - 1), range(1, grey.shape[1] - 1)):
        bits = tuple(bool(grey[y + i, x + j] >= grey[y, x] + threshold) for i, j in ring)
        changes = sum(bits[k] != bits[k - 1] for k in range(8))
        key = bits if changes <= 2 else ()
        counts[key] = counts.get(key, 0) + 1
    return list(counts.values()) + [0] * (59 - len(counts))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([60, 80]))
def test_content_does_not_depend_on_the_empty_border(left: int, top: int, size: int) -> None:
    drawing = np.zeros((size, size, 3), np.uint8)
    y, x = np.mgrid[:size, :size] / size
    drawing[..., 0], drawing[..., 1] = 60 + 120 * x, 40 + 150 * y
    drawing[(x - 0.5) ** 2 + (y - 0.3) ** 2 < 0.04] = 10
    near, far = np.full((2, 256, 256, 3), 255, np.uint8)
    near[20 : 20 + size, 20 : 20 + size] = drawing
    far[20 + top : 20 + top + size, 20 + left : 20 + left + size] = drawing
    a, b = Hog(64, 4, 8, local=False).describe(Views([prepare(near), prepare(far)]))
    assert float(a @ b) > 0.98


def test_content_keeps_the_shape_of_a_drawing() -> None:
    wide = np.full((100, 300, 3), 255, np.uint8)
    wide[40:60, 60:240] = (200, 0, 0)  # 180 x 20
    content = Views([prepare(wide)]).content[0]
    red = content[..., 1] < 128
    rows, columns = red.any(axis=1).sum(), red.any(axis=0).sum()
    assert columns / rows == pytest.approx(9, rel=0.25)
    assert columns == pytest.approx(64 / 1.12, abs=3)


def test_a_full_frame_is_left_as_it_is() -> None:
    views = Views([prepare(noise(200, 150))])
    whole = views.pixels[0].astype(np.float32)
    at = np.arange(128) + 0.5 - (2 * np.arange(64)[:, None] + 1)
    halve = np.maximum(0, 1 - np.abs(at) / 2) / 2  # triangles two pixels wide on each side
    expected = np.einsum("yi,xj,ijc->yxc", halve, halve, whole)
    assert np.abs(views.content[0] - expected)[1:-1, 1:-1].max() < 0.01


def test_flatness_tells_drawings_from_photographs() -> None:
    drawing = np.full((128, 128, 3), 255, np.uint8)
    drawing[30:90, 30:90] = (0, 80, 200)
    flat, detailed = Views([prepare(drawing), prepare(noise(128, 128))]).flatness
    assert flat == 1
    assert detailed < 0.1

"""Textures and edges against scikit-image, SciPy and loops over the definitions."""

from __future__ import annotations

import cmath
import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import convolve
from skimage.feature import graycomatrix, graycoprops

from lookalike.embed import create
from lookalike.embed.handcrafted.canvas import Views, prepare
from lookalike.embed.handcrafted.correlogram import Correlogram
from lookalike.embed.handcrafted.edge_histogram import EdgeHistogram
from lookalike.embed.handcrafted.fourier import Fourier
from lookalike.embed.handcrafted.gabor import MARGIN, Gabor, bank, mirrored, responses
from lookalike.embed.handcrafted.gist import Gist, prefiltered
from lookalike.embed.handcrafted.haralick import Haralick, cooccurrence, properties
from lookalike.types import Image
from pictures import picture


def views(*images: Image) -> Views:
    return Views([prepare(image) for image in images])


def grating(degrees: float, cycles: float) -> Image:
    """Return waves that change along the direction given, ``cycles`` of them a picture."""
    y, x = np.mgrid[:128, :128] / 128
    angle = math.radians(degrees)
    wave = 128 + 100 * np.sin(2 * np.pi * cycles * (x * math.cos(angle) + y * math.sin(angle)))
    return np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)


# -- co-occurrence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "degrees"), [((0, 2), 0), ((2, 2), 45), ((2, 0), 90), ((2, -2), 135)])
def test_cooccurrence_equals_scikit_image(offset: tuple[int, int], degrees: int) -> None:
    level = np.random.default_rng(0).integers(0, 16, (3, 20, 30), dtype=np.uint8)
    step = 2.0 if degrees % 90 == 0 else 2 * math.sqrt(2)
    for found, one in zip(cooccurrence(level, offset, 16), level, strict=True):
        expected = graycomatrix(one, [step], [math.radians(degrees)], 16, symmetric=True, normed=True)
        assert np.abs(found - expected[:, :, 0, 0]).max() < 1e-12


def test_properties_equal_scikit_image() -> None:
    level = views(picture(1), picture(2), np.zeros((9, 9, 3), np.uint8)).grey.astype(np.uint8) // 16
    table = cooccurrence(level, (0, 1), 16)
    names = ["contrast", "dissimilarity", "homogeneity", "energy", "correlation"]
    whole = table.transpose(1, 2, 0)[:, :, None]
    expected = [graycoprops(whole, name)[0] for name in names]
    assert np.abs(properties(table)[:, :5].T - expected).max() < 1e-9
    by_hand = [-sum(p * math.log(p) for p in one.ravel().tolist() if p) for one in table]
    assert properties(table)[:, 5] == pytest.approx(by_hand)


def test_a_row_is_made_of_means_and_ranges() -> None:
    method = Haralick(distances=(1,), centre=(0.0,) * 12, scale=(1.0,) * 12)
    shown = views(picture(3))
    level = (shown.grey / 16).astype(np.uint8)
    each = np.stack([properties(cooccurrence(level, offset, 16))[0] for offset in ((0, 1), (1, 1), (1, 0), (1, -1))])
    expected = np.concatenate([each.mean(axis=0), each.max(axis=0) - each.min(axis=0)])
    assert method.describe(shown)[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


# -- correlogram ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", [1, 2, 5])
def test_the_correlogram_equals_a_loop(distance: int) -> None:
    rng = np.random.default_rng(distance)
    colour = rng.integers(0, 3, (2, 9, 11)).astype(np.uint8)
    found = Correlogram().joint(colour, distance)
    for one, row in zip(colour.tolist(), found, strict=True):
        expected = np.zeros(64)
        for y in range(9):
            for x in range(11):
                for v in range(max(0, y - distance), min(9, y + distance + 1)):
                    for u in range(max(0, x - distance), min(11, x + distance + 1)):
                        if max(abs(v - y), abs(u - x)) == distance and one[v][u] == one[y][x]:
                            expected[one[y][x]] += 1
        assert row == pytest.approx(expected / (8 * distance * 9 * 11), abs=1e-7)


def test_the_correlogram_sees_what_the_histogram_does_not() -> None:
    checks, halves = np.zeros((128, 128, 3), np.uint8), np.zeros((128, 128, 3), np.uint8)
    checks[np.indices((128, 128)).sum(axis=0) // 2 % 2 == 0] = 255
    halves[:, :64] = 255
    for name, least, most in (("brightness-histogram", 0.0, 1.01), ("correlogram", 0.0, 0.9)):
        first, second = create(name).embed([checks, halves])
        assert least <= float(first @ second) <= most


# -- edges ------------------------------------------------------------------------------------------------------------


def test_the_edge_histogram_equals_a_loop() -> None:
    shown = views(picture(4), picture(5))
    root = math.sqrt(2)
    filters = [(1, -1, 1, -1), (1, 1, -1, -1), (root, 0, 0, -root), (0, root, -root, 0), (2, -2, -2, 2)]
    for row, grey in zip(EdgeHistogram().describe(shown), shown.grey.tolist(), strict=True):
        counts = np.zeros((4, 4, 5))
        for i in range(32):
            for j in range(32):
                block = [grey[2 * i + a][2 * j + b] for a in (0, 1) for b in (0, 1)]
                strength = [abs(sum(f * p for f, p in zip(one, block, strict=True))) for one in filters]
                if max(strength) >= 11:
                    counts[i // 8, j // 8, strength.index(max(strength))] += 1
        expected = np.sqrt(counts.ravel() / 64)
        near = np.abs(row - expected / np.linalg.norm(expected))
        assert (near > 1e-5).sum() <= 2  # float32 and float64 may part at a tie


@pytest.mark.parametrize(("degrees", "kind"), [(0, 0), (90, 1), (45, 2), (135, 3)])
def test_edges_have_their_kind(degrees: float, kind: int) -> None:
    row = EdgeHistogram().describe(views(grating(degrees, 9)))[0]
    assert row.reshape(16, 5).sum(axis=0).argmax() == kind


# -- spectra ----------------------------------------------------------------------------------------------------------


def loop_spectrum(picture: npt.NDArray[np.float64], v: int, u: int) -> complex:
    height, width = picture.shape
    total = sum(
        picture[y, x] * cmath.exp(-2j * math.pi * (v * y / height + u * x / width))
        for y in range(height)
        for x in range(width)
    )
    return complex(total)


def test_the_bank_is_applied_as_convolution() -> None:
    """What the filters do by frequency equals SciPy's convolution with their kernels, the picture going round."""
    grey = np.random.default_rng(0).random((1, 24, 24)).astype(np.float32)
    found = [part[0] for part in responses(grey, 2, 3)]
    for part, one in zip(found, bank(24, 2, 3), strict=True):
        kernel = np.fft.fftshift(np.fft.ifft2(one))
        whole = [
            convolve(grey[0].astype(np.float64), np.pad(half, ((0, 1), (0, 1))), mode="wrap")
            for half in (kernel.real, kernel.imag)
        ]
        expected = np.hypot(*whole)[MARGIN:-MARGIN, MARGIN:-MARGIN]
        assert np.abs(part - expected).max() < 1e-5


def test_a_filter_has_the_shape_that_lmgist_gives_it() -> None:
    side, scales, orientations = 20, 3, 4
    found = bank(side, scales, orientations)
    for scale, number, v, u in ((0, 0, 0, 5), (1, 2, 3, 1), (2, 3, -2, 2), (0, 1, 4, 4)):
        radius, angle = math.hypot(v, u) / side, math.atan2(v, u)
        off = angle - math.pi * number / orientations
        off -= 2 * math.pi * round(off / (2 * math.pi))
        gain = math.exp(-10 * 0.35 * (radius / (0.3 / 1.85**scale) - 1) ** 2)
        gain *= math.exp(-2 * (16 * orientations**2 / 32**2) * math.pi * off**2)
        assert found[scale * orientations + number, v % side, u % side] == pytest.approx(gain, abs=1e-6)


@pytest.mark.parametrize("number", range(6))
def test_gabor_answers_to_the_direction_of_waves(number: int) -> None:
    image = grating(30 * number, 0.3 / 1.85 * 64)
    row = Gabor(typical=(0, 0)).describe(views(image))[0].reshape(2, 4, 6)
    assert np.unravel_index(row[0].argmax(), (4, 6)) == (1, number)


def test_gabor_is_the_mean_and_spread_of_the_responses() -> None:
    shown = views(picture(6))
    grey = shown.grey - shown.grey.mean()
    parts = list(responses(mirrored(grey), 4, 6))
    mean = [math.log(1 + float(part.mean())) - 1.8 for part in parts]
    spread = [math.log(1 + float(part.std())) - 1.5 for part in parts]
    expected = np.array(mean + spread)
    assert Gabor().describe(shown)[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_gist_is_the_mean_response_of_each_cell() -> None:
    shown = views(picture(7))
    parts = list(responses(prefiltered(mirrored(shown.grey)), 4, 8))
    expected = np.array(
        [
            part[0, 16 * i : 16 * i + 16, 16 * j : 16 * j + 16].mean()
            for part in parts
            for i in range(4)
            for j in range(4)
        ]
    )
    assert Gist().describe(shown)[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-3)


def test_gist_knows_where_the_texture_is() -> None:
    image = np.full((128, 128, 3), 128, np.uint8)
    image[:32, 96:] = grating(0, 20)[:32, 96:]
    row = Gist().describe(views(image))[0].reshape(32, 4, 4)
    assert np.unravel_index(row.sum(axis=0).argmax(), (4, 4)) == (0, 3)


def test_fourier_cells_equal_a_loop() -> None:
    shown = views(picture(8))
    shade = [0.5 - 0.5 * math.cos(2 * math.pi * (i + 1) / 65) for i in range(64)]
    grey = shown.grey[0].astype(np.float64)
    shaded = (grey - grey.mean()) * np.outer(shade, shade)
    inside: list[list[float]] = [[] for _ in range(36)]
    spectrum = np.fft.fft2(shaded)
    assert spectrum[3, 5] == pytest.approx(loop_spectrum(shaded, 3, 5))
    for v in range(-32, 32):
        for u in range(33):
            radius = math.hypot(v, u)
            if not 1 <= radius < 32:
                continue
            ring = int(math.log(radius) / math.log(32) * 6)
            sector = math.floor(math.atan2(v, u) / math.pi * 6 + 0.5) % 6
            inside[6 * ring + sector].append(math.log(1 + abs(spectrum[v, u]) / 64 * radius))
    kept = [values for values in inside if values]
    expected = np.array([np.mean(some) - 5.0 for some in kept] + [np.std(some) - 0.47 for some in kept])
    assert Fourier().describe(shown)[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-3)


def test_finer_waves_lie_in_a_farther_ring() -> None:
    at = [int(Fourier(typical=(0, 0), sectors=1).describe(views(grating(20, n)))[0][:6].argmax()) for n in (3, 8, 25)]
    assert at == [1, 3, 5]

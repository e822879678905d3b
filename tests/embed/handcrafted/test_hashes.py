"""Perceptual hashes against the package imagehash, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import Image as Pillow
from scipy.fft import dctn

from lookalike.embed import create
from lookalike.embed.handcrafted.blockmean_hash import BlockMeanHash
from lookalike.embed.handcrafted.phash import CosineHash
from lookalike.types import Image
from pictures import picture

SAME: dict[str, Callable[[Any], Any]] = {
    "ahash": imagehash.average_hash,
    "dhash": imagehash.dhash,
    "phash": imagehash.phash,
}


def pictures() -> list[Image]:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in ((300, 200), (64, 64), (9, 400), (5, 3))]
    return [*noise, *(picture(seed, side=40 + 30 * seed) for seed in range(12))]


@pytest.mark.parametrize("name", SAME)
def test_every_bit_is_that_of_imagehash(name: str) -> None:
    images = pictures()
    found = create(name).embed(images)
    for row, image in zip(found, images, strict=True):
        expected = SAME[name](Pillow.fromarray(image)).hash.ravel()
        assert np.unpackbits(row.astype(np.uint8)).tolist() == expected.astype(int).tolist()


def test_the_wavelet_hash_is_that_of_imagehash_but_for_ties() -> None:
    """imagehash takes away what is common to all values first, so among values equal to the median rounding decides."""
    decided = 0
    for image in pictures():
        row = np.unpackbits(create("whash").embed([image])[0].astype(np.uint8))
        expected = imagehash.whash(Pillow.fromarray(image), image_scale=64).hash.ravel()
        small = np.asarray(Pillow.fromarray(image).convert("L").resize((64, 64), Pillow.Resampling.LANCZOS))
        low = small.reshape(8, 8, 8, 8).mean(axis=(1, 3)).ravel()
        clear = np.abs(low - np.median(low)) > 1e-6
        decided += int(clear.sum())
        assert row[clear].tolist() == expected[clear].astype(int).tolist()
    assert decided > 0.6 * 64 * len(pictures())


def test_the_bytes_are_the_digits_that_imagehash_prints() -> None:
    image = picture(5)
    row = create("phash").embed([image])[0]
    assert row.astype(np.uint8).tobytes().hex() == str(imagehash.phash(Pillow.fromarray(image)))


def test_the_cosine_transform_is_that_of_scipy() -> None:
    grey = np.random.default_rng(1).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    for found, one in zip(CosineHash().describe(grey), grey, strict=True):
        low = dctn(one.astype(np.float64), type=2)[:8, :8]
        assert found.tolist() == (low > np.median(low)).ravel().tolist()


def test_block_means_equal_a_loop() -> None:
    grey = np.random.default_rng(2).integers(0, 256, (2, 128, 128), dtype=np.uint8)
    for found, one in zip(BlockMeanHash().describe(grey), grey, strict=True):
        means = [one[8 * i : 8 * i + 8, 8 * j : 8 * j + 8].mean() for i in range(16) for j in range(16)]
        middle = sorted(means)
        assert found.tolist() == [mean >= (middle[127] + middle[128]) / 2 for mean in means]


def test_the_block_mean_hash_sees_a_drawing_on_white() -> None:
    """Most blocks are white and so is the median: those that reach it are 1, the drawing is 0."""
    grey = np.full((1, 128, 128), 255, np.uint8)
    grey[0, 8:24, 40:48] = 0  # blocks (1, 5) and (2, 5)
    found = BlockMeanHash().describe(grey)[0]
    assert np.flatnonzero(~found).tolist() == [1 * 16 + 5, 2 * 16 + 5]


@pytest.mark.parametrize("name", [*SAME, "whash", "blockmean-hash"])
def test_a_flat_picture_has_the_same_bits_at_every_level(name: str) -> None:
    levels = [np.full((50, 70, 3), level, np.uint8) for level in (1, 77, 128, 254)]
    found = create(name).embed(levels)
    assert (found == found[0]).all()


@pytest.mark.parametrize("name", [*SAME, "whash", "blockmean-hash"])
def test_a_brighter_copy_keeps_nearly_all_bits(name: str) -> None:
    image = picture(3).astype(np.float64) * 0.6
    first, second = create(name).embed([image.astype(np.uint8), (image * 1.2 + 20).astype(np.uint8)])
    differing = np.bitwise_count(first.astype(np.uint8) ^ second.astype(np.uint8)).sum()
    assert differing <= create(name).space.dim * 0.06

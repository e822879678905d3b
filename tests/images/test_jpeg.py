"""Reduced JPEG decoding: what an embedder sees must not depend on the decoder's path."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from lookalike.images.decode import decode
from lookalike.images.jpeg import OVERSAMPLING, decode_jpeg, jpeg_scale, open_jpeg

from .awkward import ADOBE_RGB, Pixels, encoded, scene

FILTERS = (Pillow.Resampling.BILINEAR, Pillow.Resampling.BICUBIC, Pillow.Resampling.LANCZOS)


def cosines(full: Pixels, reduced: Pixels, side: int) -> list[float]:
    """Cosine of mean-free pixel vectors at the embedder's input size, for each filter it may resize with."""

    def vector(pixels: Pixels, how: Pillow.Resampling) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        out = np.asarray(Pillow.fromarray(pixels).resize((side, side), how), np.float64).ravel()
        out -= out.mean()
        return np.asarray(out / np.linalg.norm(out))

    return [float(vector(full, how) @ vector(reduced, how)) for how in FILTERS]


@pytest.mark.parametrize(("name", "side"), [("scenes", 32), ("scenes", 64), ("scenes", 112), ("coco128", 32)])
def test_photographs_keep_their_vectors(shared_data: Path, name: str, side: int) -> None:
    reduced_count = 0
    with tarfile.open(shared_data / name / "images.tar") as archive:
        members = [m for m in archive if m.isfile() and m.name.endswith(".jpg")]
        for member in members[:: max(1, len(members) // 9)]:
            file = archive.extractfile(member)
            assert file is not None
            data = file.read()
            full = np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"))
            reduced = decode(data, input_size=side).pixels
            reduced_count += reduced.shape != full.shape
            assert min(cosines(full, reduced, side)) >= 0.999, member.name
    assert reduced_count >= 3


@settings(max_examples=15, deadline=None)
@given(st.integers(130, 700), st.integers(130, 700), st.sampled_from([8, 24, 32, 64]), st.integers(0, 99))
def test_any_size_keeps_its_vector(width: int, height: int, side: int, seed: int) -> None:
    data = encoded(scene(width, height, seed=seed), "JPEG", quality=90)
    full, reduced = decode(data), decode(data, input_size=side)
    assert (reduced.width, reduced.height) == (width, height)
    assert min(reduced.pixels.shape[:2]) >= min(2 * side, width, height)
    assert min(cosines(full.pixels, reduced.pixels, side)) >= 0.999


@pytest.mark.parametrize(
    ("size", "input_size", "scale"),
    # The short side at 1/scale is at least 2.2 inputs: 3000 / 8 = 375 >= 140.8; 768 / 4 = 192 >= 140.8 > 96;
    # 768 / 2 = 384 < 492.8; 1 pixel is never reduced.
    [((4000, 3000), 64, 8), ((1024, 768), 64, 4), ((1024, 768), 224, 1), ((20000, 1), 8, 1), ((4000, 3000), None, 1)],
)
def test_scale(size: tuple[int, int], input_size: int | None, scale: int) -> None:
    assert OVERSAMPLING == 2.2
    assert jpeg_scale(*size, input_size) == scale


@pytest.mark.parametrize("size", [(640, 480), (641, 483)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("profile", [None, ADOBE_RGB])
def test_fast_path_equals_pillows_draft(size: tuple[int, int], mode: str, profile: bytes | None) -> None:
    """CMYK always takes Pillow's path; for the others a failing simplejpeg must not change the answer much."""
    picture = Pillow.fromarray(scene(*size)).convert(mode)
    data = encoded(picture, "JPEG", quality=90, icc_profile=profile)
    ours = decode(data, input_size=32).pixels
    full = decode(data).pixels
    assert ours.shape[0] < full.shape[0]
    assert min(cosines(full, ours, 32)) >= 0.999


def test_what_simplejpeg_refuses_takes_pillows_path_at_the_same_scale() -> None:
    data = encoded(scene(640, 483), "JPEG", quality=90)
    at = data.index(b"\xff\xdb")
    doubtful = data[:at] + b"\0\0\0" + data[at:]  # stray bytes: an error for strict decoding only
    strict = decode_jpeg(data, open_jpeg(data), input_size=32)
    lenient = decode_jpeg(doubtful, open_jpeg(doubtful), input_size=32)
    assert strict.shape == lenient.shape
    assert np.abs(strict.astype(int) - lenient).max() <= 2


def test_grey_jpeg_has_three_equal_channels() -> None:
    pixels = decode(encoded(scene(64, 48)[..., 1], "JPEG")).pixels
    assert pixels.shape == (48, 64, 3)
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])

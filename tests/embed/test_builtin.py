"""builtin-1 must never change: its vectors lie in people's collections."""

from __future__ import annotations

import io
import itertools
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lookalike.embed.builtin import Handcrafted, Part, builtin_1, hog
from lookalike.embed.handcrafted.color_histogram import ColorHistogram
from lookalike.embed.handcrafted.color_layout import ColorLayout
from lookalike.embed.handcrafted.hog import Hog
from pictures import golden_images

GOLDEN = Path(__file__).parent / "golden" / "builtin-1.npy"


def test_the_vectors_are_those_of_the_first_release() -> None:
    found = builtin_1().embed(golden_images())
    golden = np.load(GOLDEN).astype(np.float32)
    assert found.shape == golden.shape
    assert np.abs(found - golden).max() < 2e-3  # float16 itself rounds by up to 2.5e-4 here
    assert ((found * golden).sum(axis=1) > 0.9999).all()


def test_the_fingerprint_is_that_of_the_first_release() -> None:
    assert builtin_1().fingerprint == "builtin-1/2b60af3e8ed7"
    assert builtin_1().space.dim == 817


@pytest.mark.parametrize("name", ["PLAIN_STEP", "MARGIN", "SIDE"])
def test_the_fingerprint_knows_the_constants_of_the_canvas(name: str) -> None:
    from lookalike.embed.handcrafted import canvas

    assert repr(getattr(canvas, name)) in canvas.CONSTANTS


def test_any_changed_constant_changes_the_fingerprint() -> None:
    coarse = Hog(64, 4, 8, local=False)
    variants = [
        [Part(coarse, 1.0, 1.0)],
        [Part(coarse, 1.0, 0.9)],
        [Part(replace(coarse, bins=9), 1.0, 1.0)],
        [Part(replace(coarse, floor=0.4), 1.0, 1.0)],
        [Part(replace(coarse, version=2), 1.0, 1.0)],
        [Part(coarse, 1.0, 1.0), Part(ColorLayout(), 1.0, 1.0)],
        [Part(ColorLayout(), 1.0, 1.0), Part(coarse, 1.0, 1.0)],
    ]
    prints = [Handcrafted("x", parts).fingerprint for parts in variants]
    assert len(set(prints)) == len(prints)
    assert Handcrafted("x", variants[0]).fingerprint == prints[0]


def test_the_dot_product_is_the_weighted_mean_of_the_parts() -> None:
    images = golden_images()[:2]
    outlines, colours = Hog(64, 4, 8, local=False), ColorHistogram()
    together = Handcrafted("x", [Part(outlines, 0.25, 0.25), Part(colours, 0.75, 0.75)]).embed(images)
    single = [Handcrafted("y", [Part(part, 1, 1)]).embed(images) for part in (outlines, colours)]
    expected = 0.25 * float(single[0][0] @ single[0][1]) + 0.75 * float(single[1][0] @ single[1][1])
    assert float(together[0] @ together[1]) == pytest.approx(expected, abs=2e-3)


def test_drawings_are_compared_by_outline_and_photographs_by_colour() -> None:
    _, noisy, _, drawing, _, _ = golden_images()
    recoloured = drawing.copy()
    recoloured[(drawing == (220, 20, 60)).all(axis=2)] = (20, 60, 220)
    shuffled = np.random.default_rng(0).permutation(noisy.reshape(-1, 3)).reshape(noisy.shape)
    embedder = builtin_1()
    a, b, c, d = embedder.embed([drawing, recoloured, noisy, shuffled])
    assert float(a @ b) > 0.9
    assert float(c @ d) > 0.8
    assert float(a @ c) < 0.4


def test_a_scaled_decode_hardly_changes_the_vector(shared_data: Path) -> None:
    embedder = builtin_1()
    whole, scaled = [], []
    with tarfile.open(shared_data / "scenes" / "images.tar") as tar:
        members = [member for member in tar if member.name.lower().endswith((".jpg", ".jpeg"))]
        for member in itertools.islice(members, 0, None, 9):
            file = tar.extractfile(member)
            assert file is not None
            data = file.read()
            picture = Pillow.open(io.BytesIO(data))
            if min(picture.size) < 2 * embedder.input_size or picture.format != "JPEG":
                continue
            whole.append(np.asarray(picture.convert("RGB")))
            quick = Pillow.open(io.BytesIO(data))
            quick.draft("RGB", (embedder.input_size, embedder.input_size))
            scaled.append(np.asarray(quick.convert("RGB")))
    assert sum(a.shape != b.shape for a, b in zip(whole, scaled, strict=True)) > 5
    cosines = (embedder.embed(whole) * embedder.embed(scaled)).sum(axis=1)
    assert cosines.min() > 0.999


def test_hog_is_made_of_outlines_only() -> None:
    grey = np.repeat(golden_images()[3].mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    a, b = hog().embed([golden_images()[3], grey])
    assert float(a @ b) > 0.95

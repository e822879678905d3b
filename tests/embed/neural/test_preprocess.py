"""Preprocessing against a plain Pillow and NumPy reading of the same configuration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from lookalike.embed.neural.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess, from_config, imagenet
from lookalike.errors import ModelError
from lookalike.types import Image

CLIP: dict[str, Any] = {
    "do_resize": True,
    "size": {"shortest_edge": 32},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 32},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def noise(height: int, width: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_clip_configuration_step_by_step() -> None:
    image = noise(50, 75)
    steps = from_config(CLIP, source="x")
    resized = Pillow.fromarray(image).resize((48, 32), Pillow.Resampling.BICUBIC)
    cropped = np.asarray(resized.crop((8, 0, 40, 32)))
    assert np.array_equal(steps.pixels(image), cropped)
    expected = (cropped.astype(np.float64) / 255 - CLIP["image_mean"]) / CLIP["image_std"]
    assert steps.normalise(cropped[None])[0] == pytest.approx(expected, abs=1e-5)
    assert steps.side == 32


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40))
def test_every_image_gets_the_promised_size(height: int, width: int, size: int, crop: int) -> None:
    steps = Preprocess(resize=None, shortest_edge=size, crop=(crop, crop + 3))
    assert steps.pixels(noise(height, width)).shape == (crop, crop + 3, 3)


def test_null_stands_for_what_the_processor_does_itself() -> None:
    """As the configurations of DINOv3 on the hub have it."""
    said = {"size": {"height": 24, "width": 24}, "crop_size": None, "do_center_crop": None, "do_rescale": None}
    assert from_config(said, source="x") == Preprocess(resize=(24, 24), shortest_edge=None, crop=None)


def test_a_crop_of_odd_margins_begins_where_the_configuration_says() -> None:
    """Of 37 columns 32 are cut: 2.5 on each side. Of 39, 3.5: half a pixel goes to the even one, which is 2, then 4."""
    for width, starts in ((37, {"down": 2, "even": 2}), (39, {"down": 3, "even": 4})):
        image = noise(32, width)
        for rounding, start in starts.items():
            steps = from_config({**CLIP, "crop_rounding": rounding}, source="x")
            assert np.array_equal(steps.pixels(image), image[:, start : start + 32])
    with pytest.raises(ModelError, match="crop_rounding should be 'down' or 'even', got 'up'"):
        from_config({**CLIP, "crop_rounding": "up"}, source="x")


def test_fingerprints_from_before_there_was_a_rounding_stay() -> None:
    assert "crop_rounding" not in repr(from_config(CLIP, source="x"))
    assert repr(imagenet((8, 8))).startswith("Preprocess(resize=None, shortest_edge=8, crop=(8, 8), resample=2, scale=")


@pytest.mark.parametrize("shape", [(1, 20000), (20000, 1), (3, 20000), (1, 1)])
def test_extreme_strips_cost_little(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 77, np.uint8)
    pixels = imagenet((224, 224)).pixels(image)
    assert pixels.shape == (224, 224, 3)
    assert (pixels == 77).all()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size": 40}, (None, 40, (32, 32))),
        ({"size": 40, "do_center_crop": False}, ((40, 40), None, None)),
        ({"size": {"height": 20, "width": 30}, "do_center_crop": False}, ((20, 30), None, None)),
        ({"do_resize": False}, (None, None, (32, 32))),
        ({"size": {"shortest_edge": 224}, "do_center_crop": False, "crop_pct": 0.875}, (None, 256, (224, 224))),
        ({"crop_size": 24}, (None, 32, (24, 24))),
    ],
)
def test_the_ways_to_write_sizes(change: dict[str, Any], expected: tuple[object, ...]) -> None:
    found = from_config(CLIP | change, source="x")
    assert (found.resize, found.shortest_edge, found.crop) == expected


def test_steps_that_are_switched_off() -> None:
    steps = from_config(CLIP | {"do_normalize": False, "do_rescale": False}, source="x")
    pixels = noise(2, 2)[None]
    assert np.array_equal(steps.normalise(pixels), pixels.astype(np.float32))
    steps = from_config({}, source="x")
    assert (steps.resize, steps.mean, steps.std) == ((224, 224), IMAGENET_MEAN, IMAGENET_STD)


def test_planes_are_what_is_normalised_channel_by_channel() -> None:
    steps = from_config(CLIP, source="x")
    images = [noise(7, 5), noise(7, 5)]
    expected = steps.normalise(np.stack(images)).transpose(0, 3, 1, 2)
    found = steps.planes(images)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.array_equal(found, expected)  # to the bit: vectors that are stored already do not change


def test_small_images_are_padded_with_black_before_a_crop() -> None:
    steps = Preprocess(resize=None, shortest_edge=None, crop=(5, 4))
    found = steps.pixels(np.full((1, 2, 3), 9, np.uint8))
    expected = np.zeros((5, 4, 3), np.uint8)
    expected[2, 1:3] = 9
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "big"}, "size should be a whole number"),
        ({"size": {"longest_edge": 5}}, "should have height and width"),
        ({"size": {"shortest_edge": 0}}, "size.shortest_edge should be"),
        ({"crop_size": -1}, "crop_size should be"),
        ({"resample": 9}, "resample should be"),
        ({"image_mean": [0.5]}, "image_mean should be three numbers"),
        ({"image_std": [1, 0, 1]}, "no deviation 0"),
    ],
)
def test_configurations_that_cannot_be_read(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=f"conf.json: .*{message}"):
        from_config(CLIP | change, source="conf.json")

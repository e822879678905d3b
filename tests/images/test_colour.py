"""Colour to sRGB, beside formulas and direct ImageCms conversions."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from PIL import Image as Pillow
from PIL import ImageCms

from lookalike.images.colour import to_srgb
from lookalike.images.decode import decode

from .awkward import ADOBE_RGB, Pixels, encoded, rgb_profile, scene

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = scene(40, 30, seed=4)


def on_white(colour: Pixels, alpha: Pixels) -> Pixels:
    part = alpha.astype(np.float64)[..., None] / 255
    return np.asarray(np.rint(colour * part + 255 * (1 - part)), np.uint8)


def near(actual: Pixels, expected: Pixels, tolerance: int = 1) -> None:
    assert actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "TGA"])
def test_alpha_on_white(kind: str) -> None:
    alpha = scene(40, 30, seed=9)[..., 0]
    lossless = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = encoded(np.dstack([COLOURS, alpha]), kind, **lossless)
    near(decode(data).pixels, on_white(COLOURS, alpha))


def test_grey_with_alpha() -> None:
    grey, alpha = COLOURS[..., 0], COLOURS[..., 1]
    data = encoded(Pillow.merge("LA", [Pillow.fromarray(grey), Pillow.fromarray(alpha)]), "PNG")
    near(decode(data).pixels, on_white(np.repeat(grey[..., None], 3, 2), alpha))


def test_palette_with_transparency() -> None:
    picture = Pillow.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata([0, 1, 2])
    # Entry 0 opaque, 1 half, 2 clear: 0 * 128/255 + 255 * 127/255 = 127.
    pixels = decode(encoded(picture, "PNG", transparency=bytes([255, 128, 0]))).pixels
    near(pixels, np.array([[[255, 0, 0], [127, 255, 127], [255, 255, 255]]], np.uint8))
    keyed = decode(encoded(picture, "GIF", transparency=1)).pixels
    np.testing.assert_array_equal(keyed, [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]])


@pytest.mark.parametrize(("mode", "key"), [("RGB", (9, 8, 7)), ("L", 9)])
def test_colour_key(mode: str, key: int | tuple[int, int, int]) -> None:
    picture = Pillow.new(mode, (2, 1), key)
    picture.putpixel((1, 0), 200 if mode == "L" else (200, 200, 200))
    pixels = decode(encoded(picture, "PNG", transparency=key)).pixels
    np.testing.assert_array_equal(pixels, [[[255] * 3, [200] * 3]])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000"])
def test_sixteen_bits_keep_the_high_eight(kind: str) -> None:
    values = np.linspace(0, 65535, 500).astype(np.uint16).reshape(20, 25)
    pixels = decode(encoded(Pillow.fromarray(values), kind)).pixels
    np.testing.assert_array_equal(pixels, np.repeat((values >> 8).astype(np.uint8)[..., None], 3, 2))


def test_sixteen_bit_pgm_and_big_endian_tiff() -> None:
    values = np.linspace(0, 65535, 12).astype(np.uint16).reshape(3, 4)
    pgm = b"P5 4 3 65535\n" + values.astype(">u2").tobytes()
    np.testing.assert_array_equal(decode(pgm).pixels[..., 0], values >> 8)
    big = Pillow.frombytes("I;16B", (4, 3), values.astype(">u2").tobytes())
    np.testing.assert_array_equal(np.asarray(to_srgb(big))[..., 1], values >> 8)


def test_sixteen_bit_colour_png() -> None:
    tifffile = pytest.importorskip("tifffile")
    values = (COLOURS.astype(np.uint16) << 8) + 77
    out = io.BytesIO()
    tifffile.imwrite(out, values, photometric="rgb")
    np.testing.assert_array_equal(decode(out.getvalue()).pixels, COLOURS)


def test_wide_integers_are_stretched_over_their_own_range() -> None:
    values = np.array([[-1000, 0, 1000]], np.int32)
    # (0 + 1000) / 2000 * 255 = 127.5, rounded to even: 128.
    np.testing.assert_array_equal(decode(encoded(Pillow.fromarray(values), "TIFF")).pixels[0, :, 0], [0, 128, 255])


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0.0, 0.2, 1.0], [0, 51, 255]),
        ([0.2, 0.4], [51, 102]),  # within 0..1: taken as they are, not stretched
        ([-2.0, 0.0, 2.0], [0, 128, 255]),
        ([0.0, np.nan, 510.0, np.inf], [0, 0, 255, 0]),
        ([np.nan, np.nan], [0, 0]),
        ([7.0, 7.0], [0, 0]),
        ([-3e38, 3e38], [0, 255]),
    ],
)
def test_floats(values: list[float], levels: list[int]) -> None:
    data = encoded(Pillow.fromarray(np.array([values], np.float32)), "TIFF")
    np.testing.assert_array_equal(decode(data).pixels[0, :, 0], levels)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, (3, 4)))
def test_any_float_picture_decodes(values: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    assert decode(encoded(Pillow.fromarray(values), "TIFF")).pixels.shape == (3, 4, 3)


def converted(picture: Pillow.Image, profile: bytes) -> Pixels:
    out = ImageCms.profileToProfile(picture, io.BytesIO(profile), SRGB_PROFILE, outputMode="RGB")
    assert out is not None
    return np.asarray(out)


SRGB_PROFILE = ImageCms.createProfile("sRGB")
ROTATED = rgb_profile(
    gamma=1.8, primaries=((0.15, 0.06, 0.745), (0.61, 0.31, 0.02), (0.205, 0.626, 0.061))
)  # a vivid one: channels change places


@pytest.mark.parametrize("profile", [ADOBE_RGB, ROTATED])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_profile_is_applied(kind: str, profile: bytes) -> None:
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    data = encoded(COLOURS, kind, icc_profile=profile, **options)
    plain = Pillow.open(io.BytesIO(data)).convert("RGB")
    expected = converted(plain, profile)
    np.testing.assert_array_equal(decode(data).pixels, expected)
    assert np.abs(expected.astype(int) - np.asarray(plain)).max() > 10, "the case has lost its point"


def test_adobe_rgb_by_hand() -> None:
    # A mid grey is grey in every RGB space: 128/255 ** 2.2 = 0.2195 linear, and in sRGB
    # 1.055 * 0.2195 ** (1 / 2.4) - 0.055 = 0.506, times 255 = 129.
    grey = decode(encoded(np.full((4, 4, 3), 128, np.uint8), "PNG", icc_profile=ADOBE_RGB)).pixels
    near(grey, np.full((4, 4, 3), 129, np.uint8))
    # Its green lies outside sRGB: red is clipped to 0.
    green = decode(encoded(np.full((1, 1, 3), (0, 255, 0), np.uint8), "PNG", icc_profile=ADOBE_RGB)).pixels
    near(green, np.array([[[0, 255, 0]]], np.uint8), 3)


def test_alpha_is_composited_after_the_profile() -> None:
    alpha = COLOURS[..., 2]
    data = encoded(np.dstack([COLOURS, alpha]), "PNG", icc_profile=ROTATED)
    near(decode(data).pixels, on_white(converted(Pillow.fromarray(COLOURS), ROTATED), alpha))


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_profile_of_colour_on_a_picture_of_another_mode(mode: str) -> None:
    picture = Pillow.fromarray(COLOURS).convert(mode)
    data = encoded(picture, "PNG", icc_profile=ROTATED)
    np.testing.assert_array_equal(decode(data).pixels, converted(picture.convert("RGB"), ROTATED))


@pytest.mark.parametrize(
    "profile", [SRGB, b"nonsense" * 40, ADOBE_RGB[:200], ADOBE_RGB.replace(b"RGB XYZ ", b"CMYKXYZ ")]
)
def test_useless_profiles_change_nothing(profile: bytes) -> None:
    np.testing.assert_array_equal(decode(encoded(COLOURS, "PNG", icc_profile=profile)).pixels, COLOURS)


def test_cmyk_without_a_profile_is_what_pillow_makes_of_it() -> None:
    data = encoded(Pillow.fromarray(COLOURS).convert("CMYK"), "JPEG", quality=95)
    np.testing.assert_array_equal(decode(data).pixels, np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB")))
    near(decode(data).pixels, COLOURS, 60)  # the Adobe inversion is undone: right way round


@pytest.mark.parametrize("mode", ["YCbCr", "LAB", "HSV", "RGBX", "PA", "La", "RGBa"])
def test_rare_modes(mode: str) -> None:
    base = Pillow.new("RGB", (5, 4), (200, 30, 90))
    if mode == "LAB":
        transform = ImageCms.buildTransform(SRGB_PROFILE, ImageCms.createProfile("LAB"), "RGB", "LAB")
        picture = ImageCms.applyTransform(base, transform)
        assert picture is not None
    elif mode in {"La", "RGBa"}:
        picture = base.convert(mode.upper()).convert(mode)
    elif mode == "PA":
        picture = base.quantize().convert("PA")
    else:
        picture = base.convert(mode)
    result = to_srgb(picture)
    assert result.mode == "RGB"
    expected = base.convert("L").convert("RGB") if mode == "La" else base
    near(np.asarray(result), np.asarray(expected), 3)

"""Pictures of every kind, beside Pillow's full decode; damage of every kind, beside a sentence."""

from __future__ import annotations

import csv
import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageFile, ImageOps

from lookalike.errors import BadInput, BrokenImage, ImageError, ImageTooLarge, MissingExtra
from lookalike.images.decode import decode

from .awkward import Pixels, dng, encoded, exif, mutations, scene, small_files

WIDE = scene(48, 30, seed=1)


def reference(data: bytes) -> Pixels:
    """What Pillow makes of it by its own public functions; no profile, no alpha."""
    with Pillow.open(io.BytesIO(data)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 90}),
        ("JPEG", {"quality": 30, "subsampling": 2}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 50}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
        ("BMP", {}),
        ("AVIF", {}),
        ("PPM", {}),
        ("JPEG2000", {}),
        ("TGA", {}),
        ("PCX", {}),
        ("SGI", {}),
        ("DDS", {}),
        ("QOI", {}),
    ],
)
def test_colour_pictures_decode_as_pillow_decodes_them(kind: str, options: dict[str, object]) -> None:
    data = encoded(WIDE, kind, **options)
    result = decode(data)
    np.testing.assert_array_equal(result.pixels, reference(data))
    assert (result.width, result.height) == (48, 30)
    assert result.pixels.flags.c_contiguous
    assert result.pixels.flags.writeable


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_grey_palette_and_bilevel(kind: str, mode: str) -> None:
    data = encoded(Pillow.fromarray(WIDE).convert(mode), kind)
    np.testing.assert_array_equal(decode(data).pixels, reference(data))


def test_icon_shows_its_largest_picture() -> None:
    data = encoded(scene(64, 64), "ICO", sizes=[(16, 16), (32, 32)])
    assert decode(data).pixels.shape == (32, 32, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_first_frame_of_animations(kind: str) -> None:
    frames = [Pillow.new("RGB", (9, 7), colour) for colour in ("red", "blue")]
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **lossless)
    assert (decode(data).pixels == (255, 0, 0)).all()


# Orientation -> what undoes it, from the table of EXIF 2.3 (row 0 and column 0 of the stored picture).
UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: np.transpose(a, (1, 0, 2)),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.transpose(np.rot90(a, 2), (1, 0, 2)),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_exif_orientation(kind: str, orientation: int) -> None:
    stored = scene(40, 24, seed=2)
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(stored, kind, exif=exif(orientation), **lossless)
    result = decode(data)
    np.testing.assert_array_equal(result.pixels, reference(data))
    if kind in {"PNG", "TIFF", "WEBP"}:
        np.testing.assert_array_equal(result.pixels, UPRIGHT[orientation](stored))
    assert (result.width, result.height) == ((40, 24) if orientation < 5 else (24, 40))


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_impossible_orientation_is_ignored(value: int) -> None:
    np.testing.assert_array_equal(decode(encoded(WIDE, "PNG", exif=exif(value))).pixels, WIDE)


def test_broken_exif_does_not_lose_the_picture() -> None:
    data = encoded(WIDE, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xffgarbage")
    assert decode(data).pixels.shape == WIDE.shape


def test_scaled_and_turned_picture_keeps_the_upright_size() -> None:
    result = decode(encoded(scene(401, 203), "JPEG", exif=exif(6)), input_size=16)
    assert (result.width, result.height) == (203, 401)
    assert result.pixels.shape[0] > result.pixels.shape[1] >= 32


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1), (7, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_extreme_shapes(size: tuple[int, int], kind: str) -> None:
    data = encoded(Pillow.new("RGB", size, (10, 200, 30)), kind)
    for input_size in (None, 64):
        result = decode(data, input_size=input_size)
        assert (result.width, result.height) == size
        assert result.pixels.shape == (size[1], size[0], 3)


def test_large_png_is_reduced_when_the_input_is_small() -> None:
    pixels = scene(900, 601, seed=5)
    result = decode(encoded(pixels, "PNG"), input_size=32)
    assert (result.width, result.height) == (900, 601)
    assert 64 <= min(result.pixels.shape[:2]) < 200
    # The mean colour is the same whichever way pixels are averaged.
    np.testing.assert_allclose(result.pixels.mean((0, 1)), pixels.mean((0, 1)), atol=1.0)


def test_manifest_of_awkward_files(shared_data: Path) -> None:
    folder = shared_data / "decoding"
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        entries = list(csv.DictReader(file))
    assert len(entries) > 30
    for entry in entries:
        data = (folder / entry["file"]).read_bytes()
        if entry["pillow_result"] != "decodes":
            with pytest.raises(ImageError) as caught:
                decode(data)
            assert caught.value.message.endswith("."), entry["file"]
            assert caught.value.hint, entry["file"]
            continue
        result = decode(data)
        assert {result.width, result.height} == {int(entry["width"]), int(entry["height"])}, entry["file"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("input_size", [None, 16])
def test_truncated_files_are_refused(kind: str, part: float, input_size: int | None) -> None:
    data = encoded(scene(200, 150), kind)
    with pytest.raises(BrokenImage, match=r"damaged|format"):
        decode(data[: int(len(data) * part)], input_size=input_size)


@pytest.mark.parametrize("cut", [1, 2, 3, 10])
def test_jpeg_that_lost_its_last_bytes_is_judged_as_pillow_judges_it(cut: int) -> None:
    data = encoded(scene(64, 64), "JPEG")[:-cut]
    try:
        expected = reference(data)
    except OSError:
        with pytest.raises(BrokenImage, match="truncated"):
            decode(data)
    else:
        np.testing.assert_array_equal(decode(data).pixels, expected)


def test_bytes_that_libjpeg_only_warns_of_do_not_lose_the_picture() -> None:
    data = encoded(scene(64, 64), "JPEG")
    at = data.index(b"\xff\xdb")  # between two segments, where the standard allows no other bytes
    data = data[:at] + b"\0\0\0" + data[at:]
    np.testing.assert_array_equal(decode(data).pixels, reference(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\0" * 400, "no picture format"),
        (b"hello", "no picture format"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, words: str) -> None:
    with pytest.raises(BrokenImage, match=words) as caught:
        decode(data)
    assert caught.value.hint


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


def test_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(ImageTooLarge, match=r"10,000\.0 megapixels \(100000 x 100000\).* 200 mega") as caught:
        decode(png_header(100_000, 100_000))
    assert "--max-megapixels" in caught.value.hint


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF"])
def test_limit_is_the_callers(kind: str) -> None:
    data = encoded(scene(120, 100), kind)
    with pytest.raises(ImageTooLarge, match=r"limit is 0\.01 mega"):
        decode(data, max_megapixels=0.01)
    assert decode(data, max_megapixels=0.012).width == 120


def test_a_higher_limit_than_pillows_own_needs_no_global_switch() -> None:
    before = Pillow.MAX_IMAGE_PIXELS
    # 190 megapixels of one colour: over the 179 at which Pillow.open raises; the pixels are missing, so it is damaged.
    with pytest.raises(BrokenImage, match="damaged"):
        decode(png_header(19_000, 10_000))
    assert before == Pillow.MAX_IMAGE_PIXELS
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("arguments", [{"input_size": 0}, {"max_megapixels": 0.0}, {"max_megapixels": float("nan")}])
def test_impossible_arguments(arguments: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        decode(encoded(WIDE, "PNG"), **arguments)  # type: ignore[arg-type]


def test_heic_decodes_near_its_original() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    smooth = np.asarray(Pillow.fromarray(scene(12, 8)).resize((96, 64), Pillow.Resampling.BICUBIC))
    out = io.BytesIO()
    pillow_heif.from_pillow(Pillow.fromarray(smooth)).save(out, quality=95)
    result = decode(out.getvalue())
    assert (result.width, result.height) == (96, 64)
    assert np.abs(result.pixels.astype(int) - smooth).mean() < 3
    assert decode(out.getvalue(), input_size=8).pixels.shape[0] < 64
    with pytest.raises(ImageTooLarge):
        decode(out.getvalue(), max_megapixels=0.001)
    with pytest.raises(ImageError):
        decode(out.getvalue()[:-200])


def test_raw_decodes_to_the_colours_of_its_mosaic() -> None:
    pytest.importorskip("rawpy")
    mosaic = np.zeros((200, 300), np.uint16)
    mosaic[::2, ::2] = 40_000  # red on the left half, green on the right
    mosaic[:, 150:] = 0
    mosaic[::2, 151::2] = mosaic[1::2, 150::2] = 40_000
    data = dng(mosaic)
    full, half = decode(data), decode(data, input_size=16)
    assert (full.width, full.height) == (half.width, half.height) == (300, 200)
    assert full.pixels.shape == (200, 300, 3)
    assert half.pixels.shape == (100, 150, 3)
    for pixels in (full.pixels, half.pixels):
        width = pixels.shape[1]
        left, right = (
            pixels[20:-20, 20 : width // 2 - 20].mean((0, 1)),
            pixels[20:-20, width // 2 + 20 : -20].mean((0, 1)),
        )
        assert left[0] > 2 * left[1]
        assert right[1] > 2 * right[0]
    with pytest.raises(ImageTooLarge):
        decode(data, max_megapixels=0.01)


@pytest.mark.parametrize(
    ("package", "extra", "data"),
    [
        ("pillow_heif", "heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64),
        ("rawpy", "raw", dng(np.zeros((16, 16), np.uint16))),
        ("rawpy", "raw", b"FUJIFILMCCD-RAW " + b"\0" * 64),
    ],
)
def test_a_missing_extra_is_named(package: str, extra: str, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # Python's own way to make an import fail
    with pytest.raises(MissingExtra, match="not installed") as caught:
        decode(data)
    assert f"lookalike[{extra}]" in caught.value.hint


def survives(data: bytes, input_size: int | None) -> None:
    """Decode; only an error that a user can read may come out. Warnings are errors here."""
    try:
        result = decode(data, input_size=input_size, max_megapixels=4.0)
    except (ImageError, MissingExtra) as refused:
        assert refused.message.endswith(".")  # noqa: PT017 - either outcome is right
        return
    height, width, channels = result.pixels.shape
    assert result.pixels.dtype == np.uint8
    assert channels == 3
    assert width <= result.width
    assert height <= result.height


@pytest.mark.parametrize("name", small_files())
def test_damage_is_refused_in_a_sentence(name: str) -> None:
    for number, data in enumerate(mutations(small_files()[name], 60, seed=11)):
        survives(data, None if number % 2 else 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", small_files())
def test_much_damage_is_refused_in_a_sentence(name: str) -> None:
    for number, data in enumerate(mutations(small_files()[name], 3000, seed=12)):
        survives(data, None if number % 2 else 4)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([f[:24] for f in small_files().values()] + [b""]), st.binary(max_size=300))
def test_arbitrary_bytes_never_surprise(start: bytes, rest: bytes) -> None:
    survives(start + rest, None)


def test_odd_metadata_warns_nobody() -> None:
    # An EXIF directory that promises more than there is: Pillow warns of it by itself.
    data = encoded(WIDE, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x0f\x01\x02\0\xff\0\0\0\xff\xff\0\0")
    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with Pillow.open(io.BytesIO(data)) as picture:
            picture.getexif()
        assert heard, "the case has lost its point"
        heard.clear()
        decode(data)
        assert not heard
    assert list(warnings.filters) == filters


def test_threads_decode_what_one_thread_decodes() -> None:
    files = [encoded(scene(90, 60, seed=n), kind) for n in range(4) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
    files += [f for name, f in small_files().items() if name != "dng"]
    serial = [decode(f, input_size=16).pixels for f in files]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for one, many in zip(serial, pool.map(lambda f: decode(f, input_size=16).pixels, files), strict=True):
                np.testing.assert_array_equal(one, many)


def test_many_large_pictures_at_once_take_the_memory_of_a_few() -> None:
    """36 MP take Pillow 144 MB; four threads a core would hold four times that a core."""
    if sys.platform != "linux":
        pytest.skip("peak memory is read from /proc")
    cores = os.cpu_count() or 1
    code = f"""
import io, re
from concurrent.futures import ThreadPoolExecutor
from PIL import Image
from lookalike.images.decode import decode
file = io.BytesIO()
Image.new("RGB", (6000, 6000), (10, 20, 30)).save(file, "PNG", compress_level=1)
data = file.getvalue()
with ThreadPoolExecutor({4 * cores}) as pool:
    sides = list(pool.map(lambda _: decode(data, input_size=64).width, range({4 * cores})))
print(set(sides), re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
    # The allocator is told to give back what is freed, so that the peak is what was held at once.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(512 << 10)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    sides, peak_kb = done.stdout.rsplit(" ", 1)
    assert sides == "{6000}"
    assert int(peak_kb) / 1000 < 300 + 150 * cores  # MB

"""Awkward pictures, made from a seed: profiles, orientations, deep pixels, camera RAW, damage."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

Pixels = npt.NDArray[np.uint8]


def scene(width: int, height: int, *, seed: int = 0) -> Pixels:
    """Smooth colour fields with edges and a little grain: compresses like a photograph."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    out = np.zeros((height, width, 3))
    for channel in range(3):
        for _ in range(5):
            fx, fy, phase = rng.uniform(-9, 9), rng.uniform(-9, 9), rng.uniform(0, 6.3)
            out[..., channel] += np.sin(fx * x / width + fy * y / height + phase)
    for _ in range(8):  # boxes: edges at every place of the 8 x 8 grid
        x0, y0 = int(rng.integers(0, width)), int(rng.integers(0, height))
        out[y0 : y0 + height // 4 + 1, x0 : x0 + width // 4 + 1] += rng.uniform(-2, 2, 3)
    out += rng.normal(0, 0.08, out.shape)
    out -= out.min()
    return np.asarray(out / max(out.max(), 1e-9) * 255, np.uint8)


def encoded(picture: Pixels | Pillow.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image = picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(picture)
    image.save(out, format=kind, **options)
    return out.getvalue()


def exif(orientation: int) -> Pillow.Exif:
    tags = Pillow.Exif()
    tags[0x0112] = orientation
    return tags


def rgb_profile(*, gamma: float, primaries: tuple[tuple[float, float, float], ...]) -> bytes:
    """Return an ICC v2 matrix profile with one gamma; ``primaries`` are the D50 XYZ of red, green and blue."""

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"made for a test\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + b"\0" * 78
    text += b"\0" * (-len(text) % 4)
    tags = [
        (b"desc", text),
        (b"cprt", b"text\0\0\0\0none\0\0\0\0"),
        (b"wtpt", xyz((0.9642, 1.0, 0.8249))),
        *zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, primaries), strict=True),
        *((tag, curve) for tag in (b"rTRC", b"gTRC", b"bTRC")),
    ]
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags:
        table += struct.pack(">4sII", tag, at + len(body), len(data))
        body += data
    d50 = b"".join(struct.pack(">i", round(v * 65536)) for v in (0.9642, 1.0, 0.8249))
    header = struct.pack(">I4sI4s4s4s12s4s", 0, b"\0\0\0\0", 0x02100000, b"mntr", b"RGB ", b"XYZ ", b"\0" * 12, b"acsp")
    header = header.ljust(68, b"\0") + d50
    profile = header.ljust(128, b"\0") + table + body
    return struct.pack(">I", len(profile)) + profile[4:]


ADOBE_RGB = rgb_profile(gamma=2.19921875, primaries=((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)))  # fmt: skip # noqa: E501


def dng(mosaic: npt.NDArray[np.uint16]) -> bytes:
    """Return a minimal camera RAW file: one uncompressed RGGB sensor plane of 16 bits."""
    height, width = mosaic.shape
    pixels = mosaic.astype("<u2").tobytes()
    rational = struct.pack
    tags: list[tuple[int, int, int, bytes]] = [
        (254, 4, 1, rational("<I", 0)),
        (256, 4, 1, rational("<I", width)),
        (257, 4, 1, rational("<I", height)),
        (258, 3, 1, rational("<H", 16)),
        (259, 3, 1, rational("<H", 1)),
        (262, 3, 1, rational("<H", 32803)),  # colour filter array
        (271, 2, 8, b"Nobody1\0"),
        (272, 2, 8, b"Nothing\0"),
        (273, 4, 1, b"DATA"),
        (274, 3, 1, rational("<H", 1)),
        (277, 3, 1, rational("<H", 1)),
        (278, 4, 1, rational("<I", height)),
        (279, 4, 1, rational("<I", len(pixels))),
        (33421, 3, 2, rational("<HH", 2, 2)),
        (33422, 1, 4, bytes([0, 1, 1, 2])),
        (50706, 1, 4, bytes([1, 4, 0, 0])),
        (50708, 2, 16, b"Nobody1 Nothing\0"),
        (50717, 4, 1, rational("<I", 65535)),
        (50721, 10, 9, b"".join(rational("<ii", v, 10000) for v in (10000, 0, 0, 0, 10000, 0, 0, 0, 10000))),
        (50728, 5, 3, rational("<IIIIII", 1, 1, 1, 1, 1, 1)),
        (50778, 3, 1, rational("<H", 21)),
    ]
    body_at = 8 + 2 + 12 * len(tags) + 4
    extra = b"".join(value for *_, value in tags if len(value) > 4)
    data_at = body_at + len(extra)
    entries, at = b"", body_at
    for tag, kind, count, value in tags:
        if value == b"DATA":
            value = struct.pack("<I", data_at)
        if len(value) > 4:
            entries += struct.pack("<HHII", tag, kind, count, at)
            at += len(value)
        else:
            entries += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0\0\0\0" + extra + pixels


def small_files() -> dict[str, bytes]:
    """One small valid file of each kind, as seeds for damage."""
    pixels = scene(24, 18, seed=3)
    rgba = np.dstack([pixels, pixels[..., 0]])
    return {
        "jpeg": encoded(pixels, "JPEG", quality=80, exif=exif(6), icc_profile=ADOBE_RGB),
        "progressive": encoded(pixels, "JPEG", progressive=True),
        "grey jpeg": encoded(pixels[..., 0], "JPEG"),
        "cmyk jpeg": encoded(Pillow.fromarray(pixels).convert("CMYK"), "JPEG"),
        "png": encoded(rgba, "PNG", exif=exif(3), icc_profile=ADOBE_RGB),
        "palette png": encoded(Pillow.fromarray(rgba).quantize(16), "PNG"),
        "deep png": encoded(Pillow.fromarray(pixels[..., 0].astype(np.uint16) * 257), "PNG"),
        "webp": encoded(rgba, "WEBP", exif=exif(5)),
        "gif": encoded(Pillow.fromarray(pixels).quantize(16), "GIF"),
        "tiff": encoded(pixels, "TIFF"),
        "lzw tiff": encoded(pixels, "TIFF", compression="tiff_lzw"),
        "bmp": encoded(pixels, "BMP"),
        "avif": encoded(pixels, "AVIF"),
        "ppm": encoded(pixels, "PPM"),
        "ico": encoded(pixels, "ICO", sizes=[(16, 16)]),
        "tga": encoded(pixels, "TGA"),
        "jp2": encoded(pixels, "JPEG2000"),
        "dng": dng(np.random.default_rng(0).integers(0, 65535, (16, 24), dtype=np.uint16)),
    }


def mutations(data: bytes, count: int, *, seed: int) -> Iterator[bytes]:
    """Yield damaged copies: bytes changed, cut, doubled, removed; most of the damage in the header."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        out = bytearray(data)
        for _ in range(int(rng.integers(1, 5))):
            reach = len(out) if rng.random() < 0.4 else min(len(out), 160)
            at = int(rng.integers(0, max(1, reach)))
            match int(rng.integers(0, 6)):
                case 0 | 1:
                    out[at : at + 1] = bytes([int(rng.integers(0, 256))])
                case 2:
                    out[at : at + 4] = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"][int(rng.integers(0, 3))]
                case 3:
                    del out[at:]
                case 4:
                    del out[at : at + int(rng.integers(1, 9))]
                case _:
                    out[at:at] = out[at : at + 16]
        yield bytes(out)

"""Which decoder takes these bytes? By their first bytes, never by a name."""

from __future__ import annotations

import io
import re
import struct
from importlib import import_module
from typing import Literal

from PIL import Image as Pillow
from PIL import ImageFile

from ..errors import BrokenImage

__all__ = ["Family", "damaged", "family", "open_lazily", "said"]

Family = Literal["jpeg", "heif", "raw", "pillow"]

# Format -> Pillow's module, in the order of trying. Not all that Pillow knows: EPS starts Ghostscript, others have no
# pixels or no decoder in Pillow, and each further parser is one more door for a hostile file. TGA has no signature.
_MODULES = {
    "PNG": "PngImagePlugin",
    "WEBP": "WebPImagePlugin",
    "GIF": "GifImagePlugin",
    "TIFF": "TiffImagePlugin",
    "BMP": "BmpImagePlugin",
    "AVIF": "AvifImagePlugin",
    "PPM": "PpmImagePlugin",
    "ICO": "IcoImagePlugin",
    "CUR": "CurImagePlugin",
    "ICNS": "IcnsImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "PSD": "PsdImagePlugin",
    "QOI": "QoiImagePlugin",
    "DDS": "DdsImagePlugin",
    "SGI": "SgiImagePlugin",
    "SUN": "SunImagePlugin",
    "PCX": "PcxImagePlugin",
    "XBM": "XbmImagePlugin",
    "TGA": "TgaImagePlugin",
}

# What people feed to an image search by mistake, and what to tell them. Matched within the first 512 bytes.
_NOT_PIXELS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (
        re.compile(rb"^\s*(<\?xml[^>]*>)?\s*(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg\b", re.S | re.I),
        "an SVG drawing",
    ),
    (re.compile(rb"^\s*(<!doctype html|<html|<head|<body)", re.I), "a web page (HTML)"),
    (re.compile(rb"^%PDF"), "a PDF document"),
    (re.compile(rb"^(%!PS|\xc5\xd0\xd3\xc6)"), "a PostScript file"),
    (re.compile(rb"^PK\x03\x04"), "a zip archive"),
    (re.compile(rb"^\x1f\x8b"), "a gzip file"),
    (re.compile(rb"^.{4}ftyp(isom|mp4|M4V|qt|avc1|iso[2-9])", re.S), "a video"),
    (re.compile(rb"^\x1aE\xdf\xa3"), "a video"),
    (re.compile(rb"^version https://git-lfs"), "a Git LFS pointer, not the file itself"),
)

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\x00", b"FOVb", b"\x00MRM")


def family(data: bytes) -> Family:
    """Say which decoder to ask; ``pillow`` also stands for bytes that nobody knows."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[4:8] == b"ftyp":
        brands = _brands(data)
        if b"crx " in brands[:1]:
            return "raw"
        if _HEIF_BRANDS.intersection(brands) and b"avif" not in brands:
            return "heif"
    if data.startswith(_RAW_STARTS) or _is_raw_tiff(data):
        return "raw"
    return "pillow"


def _brands(data: bytes) -> list[bytes]:
    """Return the major brand of an ISO media file, then its compatible ones."""
    end = min(int.from_bytes(data[:4], "big"), 256, len(data))
    return [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]


def _is_raw_tiff(data: bytes) -> bool:
    """Tell a camera's TIFF from a picture's: Pillow would give the small preview that comes first."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(data[:4])
    if order is None:
        return False
    if data[8:10] == b"CR":  # Canon CR2
        return True
    tags: dict[int, int] = {}
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHII", data, at + 2 + 12 * entry)
            tags[tag] = value
    except struct.error:
        return False
    dng_version, subfile_type, sub_ifds = 50706, 254, 330
    reduced = bool(tags.get(subfile_type, 0) & 1)
    return dng_version in tags or (reduced and sub_ifds in tags)  # the latter: NEF, ARW


def open_lazily(data: bytes) -> ImageFile.ImageFile:
    """Parse the header with the first of Pillow's decoders that takes it; no pixel is decoded.

    ``PIL.Image.open`` does the same and then compares the size with a limit that is global to the process, warning on
    the way. Our limit belongs to the call.

    Raises:
        BrokenImage: the bytes are in no known format, or their header cannot be read.
    """
    if not data:
        raise BrokenImage("the file is empty (0 bytes).", hint="Copy or download it again, or remove it.")
    refusal: tuple[str, Exception] | None = None
    for name, module in _MODULES.items():
        import_module(f"PIL.{module}")
        factory, accept = Pillow.OPEN[name]
        # A decoder that is not compiled in answers with a sentence instead of a yes.
        if accept is not None and accept(data[:16]) is not True:
            continue
        try:
            return factory(io.BytesIO(data), "")
        except Exception as failure:  # the parsers raise nearly everything on hostile headers
            if accept is not None:  # that TGA refuses what has no signature tells nothing
                refusal = refusal or (name, failure)
    if refusal is not None:
        raise damaged(*refusal) from refusal[1]
    for pattern, what in _NOT_PIXELS:
        if pattern.match(data[:512]):
            raise BrokenImage(f"it is {what}, not a picture.", hint="Leave it out, or convert it to PNG or JPEG first.")
    raise BrokenImage(
        f"its bytes are in no picture format that lookalike reads (they begin with {data[:12]!r}).",
        hint="Leave it out, or convert it to PNG or JPEG first.",
    )


def damaged(format_name: str, failure: BaseException) -> BrokenImage:
    """Return the error for a picture that its own decoder refuses."""
    return BrokenImage(
        f"the {format_name} picture is damaged: {said(failure)}.",
        hint="Copy or download it again, or open it in an editor and save it anew.",
    )


def said(failure: BaseException) -> str:
    """Return what a decoder said, on one line, without the full stop."""
    words = " ".join(str(failure).split())[:200].rstrip(". ")
    return words or f"its decoder raised {type(failure).__name__}"

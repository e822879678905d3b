"""Bytes to pixels: every picture a person has, upright, in sRGB, and every other one refused in a sentence."""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from ..errors import BadInput, BrokenImage, ImageTooLarge, LookalikeError
from ..types import Image
from .colour import to_srgb
from .extra_decoders import CheckSize, decode_heif, decode_raw
from .formats import damaged, family, open_lazily
from .jpeg import OVERSAMPLING, decode_jpeg, open_jpeg, resampled

__all__ = ["Decoded", "decode"]

_LARGE = 4e6  # pixels; more of such pictures at once than there are cores would cost memory and gain nothing
_TURNS = threading.BoundedSemaphore(os.cpu_count() or 1)


def _new_turns() -> None:
    global _TURNS
    _TURNS = threading.BoundedSemaphore(os.cpu_count() or 1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_turns)  # whoever holds a turn is not there in the child


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One picture.

    Attributes:
        pixels: (H, W, 3) uint8, sRGB, upright, C-contiguous, writable; reduced where an ``input_size`` allowed it.
        width: the upright width of the original, in pixels.
        height: its upright height, in pixels.
    """

    pixels: Image
    width: int
    height: int


def decode(data: bytes, *, input_size: int | None = None, max_megapixels: float = 200.0) -> Decoded:
    """Decode one picture from the bytes of its file.

    JPEG, PNG, WebP, GIF and APNG (first frame), TIFF (first page), BMP, AVIF, PPM, ICO, JPEG 2000, PSD and a few more;
    HEIC and camera RAW with their extras. The format is told by the bytes. The EXIF orientation is applied, alpha is
    composited on white, an embedded colour profile is converted to sRGB. Safe to call from many threads; decoders
    release the interpreter's lock. Of pictures above 4 megapixels, as many are decoded at once as there are cores:
    however many threads ask, the memory is bounded.

    Args:
        data: the whole file.
        input_size: the side, in pixels, of what the embedder takes; the result may then be reduced, its short side
            staying at least 2.2 times that, so that vectors stay within cosine 0.999 of the full decode's (for an
            embedder that resizes with a bilinear, bicubic or Lanczos filter). None decodes in full.
        max_megapixels: larger pictures are refused by their header, before any pixel is decoded.

    Raises:
        BrokenImage: damaged, truncated, empty, or no picture; the message says what the decoder said.
        ImageTooLarge: more than ``max_megapixels``.
        MissingExtra: a HEIC file without pillow-heif, a RAW file without rawpy.
        BadInput: an ``input_size`` or ``max_megapixels`` that is not positive.
    """
    if input_size is not None and input_size < 1:
        raise BadInput(f"input_size must be at least 1 pixel, got {input_size}.")
    if not max_megapixels > 0:
        raise BadInput(f"max_megapixels must be above 0, got {max_megapixels}.")
    with _pillow_silenced():
        try:
            pixels, width, height = _decode(data, input_size, max_megapixels)
        except LookalikeError:
            raise
        except (MemoryError, Pillow.DecompressionBombError) as failure:
            raise ImageTooLarge(
                "the picture needs more memory than its decoder grants, whatever its header says.",
                hint="Leave it out, or make a smaller copy.",
            ) from failure
        except Exception as failure:  # decoders raise nearly everything on hostile bytes; one picture stops no batch
            raise damaged(_name(data), failure) from failure
    return Decoded(pixels, width, height)


def _decode(data: bytes, input_size: int | None, max_megapixels: float) -> tuple[Image, int, int]:
    with _Turn(max_megapixels) as turn:
        return _decoded(data, input_size, turn.check_size)


class _Turn:
    """Checks the size that a header tells, and waits there, before any pixel, for a turn where it is large."""

    def __init__(self, max_megapixels: float) -> None:
        self._max_megapixels = max_megapixels
        self._turns: threading.BoundedSemaphore | None = None

    def __enter__(self) -> _Turn:
        return self

    def __exit__(self, *_: object) -> None:
        if self._turns is not None:
            self._turns.release()

    def check_size(self, width: int, height: int) -> None:
        _check_size(width, height, max_megapixels=self._max_megapixels)
        if width * height > _LARGE and self._turns is None:  # an icon is checked twice
            turns = _TURNS
            turns.acquire()
            self._turns = turns


def _decoded(data: bytes, input_size: int | None, check_size: CheckSize) -> tuple[Image, int, int]:
    kind = family(data)
    if kind == "jpeg":
        header = open_jpeg(data)
        width, height = header.size
        check_size(width, height)
        orientation = _orientation(header)
        pixels = decode_jpeg(data, header, input_size=input_size)
        return _upright(pixels, orientation), *_turned(width, height, orientation)
    if kind == "raw":
        return decode_raw(data, input_size=input_size, check_size=check_size)
    if kind == "heif":
        picture, orientation = decode_heif(data, check_size=check_size), 1
    else:
        opened = open_lazily(data)
        check_size(*opened.size)
        opened.load()
        check_size(*opened.size)  # an icon's directory may lie about the PNG inside
        # After loading: TIFF is turned by Pillow itself, and PNG may carry its EXIF behind the pixels.
        picture, orientation = to_srgb(opened), _orientation(opened)
    width, height = picture.size
    pixels = np.array(_reduced(picture, input_size))
    return _upright(pixels, orientation), *_turned(width, height, orientation)


def _check_size(width: int, height: int, *, max_megapixels: float) -> None:
    if width < 1 or height < 1:
        raise BrokenImage(f"the picture has no pixels: its header says {width} x {height}.", hint="Remove it.")
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        raise ImageTooLarge(
            f"the picture has {megapixels:,.1f} megapixels ({width} x {height}), "
            f"and the limit is {max_megapixels:g} megapixels.",
            hint="If it is not a trap, raise the limit with --max-megapixels.",
        )


def _reduced(picture: Pillow.Image, input_size: int | None) -> Pillow.Image:
    """Average whole blocks of pixels, as the JPEG decoder does, to save memory and time further on."""
    if input_size is None:
        return picture
    width, height = picture.size
    # A block average is a poorer filter than the JPEG decoder's: half as much again keeps the same cosine.
    factor = int(min(width, height) / (1.5 * OVERSAMPLING * input_size))
    return picture if factor < 2 else resampled(picture.reduce(factor), width / factor, height / factor, None)


def _orientation(picture: Pillow.Image) -> int:
    """Return the EXIF orientation, 1..8; 1 where there is none or it cannot be read."""
    try:
        value = picture.getexif().get(0x0112, 1)
    except Exception:  # broken EXIF beside good pixels is common, and nobody misses it
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: Image, orientation: int) -> Image:
    """Undo the camera's rotation; EXIF 2.3, section 4.6.4, tag Orientation."""
    if orientation in {5, 6, 7, 8}:
        pixels = pixels.swapaxes(0, 1)
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _turned(width: int, height: int, orientation: int) -> tuple[int, int]:
    return (height, width) if orientation >= 5 else (width, height)


def _name(data: bytes) -> str:
    """Return the format's name for a message."""
    kind = family(data)
    if kind != "pillow":
        return {"jpeg": "JPEG", "heif": "HEIC", "raw": "RAW"}[kind]
    try:
        return open_lazily(data).format or "unknown"
    except LookalikeError:
        return "unknown"


# Pillow warns of odd metadata from deep inside. ``warnings.catch_warnings`` saves and restores a list that all threads
# share, so threads that overlap would restore each other's. One filter, for Pillow's modules alone, put in by the
# first thread that decodes and taken out by the last, restores nothing and cannot go wrong in that way.
_FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_filter_lock = threading.Lock()
_filter_users = 0


@contextmanager
def _pillow_silenced() -> Iterator[None]:
    global _filter_users
    with _filter_lock:
        _filter_users += 1
        if _FILTER not in warnings.filters:
            warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        yield
    finally:
        with _filter_lock:
            _filter_users -= 1
            if _filter_users == 0 and _FILTER in warnings.filters:
                warnings.filters.remove(_FILTER)  # type: ignore[attr-defined]

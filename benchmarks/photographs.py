"""JPEG photographs to measure with: crops of those that scikit-image's wheel ships, at the size of real ones."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["ONE_MEGAPIXEL", "SIZES", "TWELVE_MEGAPIXELS", "encoded", "write_photographs"]

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg")
QUALITY = 90
GRAIN = 2.0  # standard deviation of the noise: enlarged crops are smoother than photographs, and decode too fast

ONE_MEGAPIXEL = (1024, 768)
TWELVE_MEGAPIXELS = (4000, 3000)
SIZES = {"0.8 MP": ONE_MEGAPIXEL, "12 MP": TWELVE_MEGAPIXELS}


def encoded(count: int, size: tuple[int, int], *, seed: int) -> list[bytes]:
    """Return ``count`` different JPEG files of ``size`` (width, height), quality 90."""
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise SystemExit("The photographs come with scikit-image: pip install 'lookalike[demo]'")
    folder = Path(found.origin).parent / "data"
    photographs = []
    for name in NAMES:
        with Image.open(folder / name) as opened:
            photographs.append(opened.convert("RGB"))
    chooser = random.Random(seed)
    files = []
    for number in range(count):
        whole = photographs[number % len(photographs)]
        width = round(chooser.uniform(0.6, 1.0) * min(whole.width, whole.height * size[0] / size[1]))
        height = round(width * size[1] / size[0])
        x, y = chooser.randint(0, whole.width - width), chooser.randint(0, whole.height - height)
        view = whole.crop((x, y, x + width, y + height)).resize(size, Image.Resampling.BICUBIC)
        out = io.BytesIO()
        Image.fromarray(_grainy(np.asarray(view), number + seed)).save(out, "JPEG", quality=QUALITY)
        files.append(out.getvalue())
    return files


def _grainy(pixels: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    noise = np.random.default_rng(seed).normal(0, GRAIN, (512, 512, 1)).astype(np.float32)
    tiled = np.tile(noise, (height // 512 + 1, width // 512 + 1, 1))[:height, :width]
    return np.asarray(np.clip(pixels + tiled, 0, 255), dtype=np.uint8)


def write_photographs(
    folder: Path, count: int, size: tuple[int, int] = ONE_MEGAPIXEL, *, seed: int, different: int = 128
) -> list[Path]:
    """Write ``count`` JPEG files into ``folder`` and return their paths.

    Beyond ``different`` of them pixels come again, in other bytes: each file has a comment of its own, so that nothing
    is recognised as known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    originals = encoded(min(count, different), size, seed=seed)
    return list(_written(folder, originals, count))


def _written(folder: Path, originals: list[bytes], count: int) -> Iterator[Path]:
    for number in range(count):
        comment = f"{number:08d}".encode()
        # A COM segment (ITU T.81, B.2.4.5) right behind the start of the image.
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        data = originals[number % len(originals)]
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data[:2] + segment + data[2:])
        yield path

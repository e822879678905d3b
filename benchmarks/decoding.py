"""A JPEG decoded at the scale that the model needs costs 2 to 2.8 times less at 0.8 MP, and 4 to 6 times less at 12 MP.

Against Pillow's full decode, both followed by the same bilinear resize to the model's input; one thread. Beside it
Pillow's own draft mode, which few scripts use. The vectors stay: the cosine between the mean-free pixels of the two,
and between the vectors that `builtin-1` makes of them, is 0.999 or more. That forbids any reduction of 0.8 MP for an
input of 224 pixels, the size that most neural models take: half of it is 1.7 times the input. The sharp photographs
of ../shared, where there are any, tell what that costs; those measured here are enlarged, and too smooth to show it.
No scale saves the Huffman decoding, whose time grows with the bytes: the fewer bits a pixel has, the larger the gain.
"""

from __future__ import annotations

import io
import tarfile
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness import SHARED, arguments, interleave, ratios, row, spread, write_result
from lookalike.embed import create
from lookalike.images.decode import decode
from lookalike.images.jpeg import jpeg_scale
from photographs import SIZES, encoded

INPUTS = (64, 96, 128, 160, 224)
CLAIMS = {"0.8 MP": 2.0, "12 MP": 4.0}
COSINE = 0.999
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def main() -> None:
    options = arguments(__doc__ or "")
    counts = {"0.8 MP": 4 if options.quick else 24, "12 MP": 2 if options.quick else 6}
    rounds = 2 if options.quick else 9
    rows: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    for name, size in SIZES.items():
        files = encoded(counts[name], size, seed=options.seed)
        bits = 8 * sum(map(len, files)) / len(files) / (size[0] * size[1])
        figures[name] = {"bits_a_pixel": round(bits, 2)}
        for side in INPUTS:
            seconds = interleave(
                {
                    "ours": partial(_each, files, _ours, side),
                    "pillow": partial(_each, files, _full, side),
                    "draft": partial(_each, files, _draft, side),
                },
                rounds,
            )
            faster = ratios(seconds, "pillow", "ours")
            draft = spread(ratios(seconds, "pillow", "draft"))
            kept = [_cosine(_ours(file, side), _full(file, side)) for file in files]
            figures[name][str(side)] = {
                "times_faster": spread(faster),
                "times_faster_draft": draft,
                "milliseconds": {key: spread([1000 * s / len(files) for s in some]) for key, some in seconds.items()},
                "lowest_cosine": min(kept),
            }
            reduced = jpeg_scale(*size, side) > 1
            beside = (
                f"{bits:.1f} bits a pixel; Pillow's draft mode: {draft['median']:.1f} x; lowest cosine {min(kept):.4f}"
            )
            if not reduced:
                beside += "; decoded in full"
                cosines = _if_halved(min(size) / 2 / side)
                if cosines:
                    figures[name][str(side)]["cosines_if_halved"] = cosines
                    beside += (
                        f": at half the size the lowest of {len(cosines)} sharp photographs would be {min(cosines):.4f}"
                    )
            rows.append(
                row(
                    f"Decoding a JPEG of {name} for an input of {side} pixels, against Pillow's full decode",
                    faster,
                    unit="x",
                    at_least=CLAIMS[name] if reduced else None,
                    beside=beside,
                )
            )
    cosines = [each["lowest_cosine"] for some in figures.values() for each in some.values() if isinstance(each, dict)]
    rows.append(row("Cosine with the full decode, lowest of all", [min(cosines)], unit="", at_least=COSINE))
    vectors = _vector_cosines(options.seed, 1 if options.quick else 6)
    figures["builtin_cosines"] = vectors
    rows.append(row("Cosine of the vectors of `builtin-1`, lowest of all", [min(vectors)], unit="", at_least=COSINE))
    n = sum(counts.values())
    write_result("decoding", __doc__ or "", figures, n=n, seed=options.seed, rows=rows, quick=options.quick)


def _each(files: list[bytes], work: Any, side: int) -> None:
    for file in files:
        work(file, side)


def _ours(data: bytes, side: int) -> npt.NDArray[np.uint8]:
    return _resized(Image.fromarray(decode(data, input_size=side).pixels), side)


def _full(data: bytes, side: int) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as opened:
        return _resized(opened.convert("RGB"), side)


def _if_halved(oversampling: float) -> list[float]:
    """Return the cosines of sharp photographs when their halves have so many times the model's input; sorted."""
    archive = SHARED / "data" / "coco128" / "images.tar"
    cosines = []
    if archive.is_file():
        with tarfile.open(archive) as opened:
            for member in opened:
                file = opened.extractfile(member)
                if file is not None and member.name.endswith(".jpg"):
                    cosines.append(_cosine_if_halved(file.read(), oversampling))
    return sorted(cosines)


def _cosine_if_halved(data: bytes, oversampling: float) -> float:
    with Image.open(io.BytesIO(data)) as opened:
        # Sides of whole blocks, so that the halves cover the very same area.
        picture = opened.convert("RGB").crop((0, 0, opened.width // 16 * 16, opened.height // 16 * 16))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=92)
    with Image.open(out) as opened:
        full = opened.convert("RGB")
    with Image.open(out) as opened:
        opened.draft("RGB", (full.width // 2, full.height // 2))
        half = opened.convert("RGB")
    side = round(min(half.size) / oversampling)
    return min(
        _cosine(np.asarray(full.resize((side, side), by)), np.asarray(half.resize((side, side), by))) for by in FILTERS
    )


def _draft(data: bytes, side: int) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as opened:
        opened.draft("RGB", (2 * side, 2 * side))
        return _resized(opened.convert("RGB"), side)


def _resized(picture: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))


def _cosine(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    x, y = (each.astype(np.float64).ravel() - each.mean() for each in (a, b))
    return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))


def _vector_cosines(seed: int, count: int) -> list[float]:
    embedder = create("builtin-1")
    cosines = []
    for size in SIZES.values():
        for data in encoded(count, size, seed=seed + 1):
            reduced = decode(data, input_size=embedder.input_size).pixels
            a, b = embedder.embed([reduced, decode(data).pixels])
            cosines.append(float(a @ b))
    return cosines


if __name__ == "__main__":
    main()

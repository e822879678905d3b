"""Where near-copies end and other pictures begin: what `--not-same` leaves out, at several scores.

Of photographs of groceries, everyday photographs and logos: how many copies (saved again as a poor JPEG, at half the
size, with 3% cut from each side, 10% brighter) reach a score with their original; and how many images are left out of
the ten nearest others. What is left out should be all of the first and little of the second. `rule` is what is in use:
it goes by what is usual in a collection.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageEnhance

from harness import SHARED, arguments, write_result
from lookalike.collection.confidence import COPIES as COPIES_BETWEEN
from lookalike.collection.confidence import least_of_copies, nearest_scores
from lookalike.embed import create
from lookalike.evaluate.benchmarks import read_benchmark
from lookalike.evaluate.truth.joining import match
from lookalike.images import Item, scan
from lookalike.images.decode import decode
from lookalike.index.scores import pair_scores
from lookalike.types import Image
from table_rows import chosen_rows

ROWS = ("builtin-1", "hog", "phash", "MobileNet v1 0.25 128", "MobileNet v2 1.0 224")
SETS = ("grocery", "coco", "logos")
SCORES = (0.85, 0.9, 0.95, 0.97)
NEAREST = 10


def main() -> None:
    options = arguments(__doc__ or "", only="rows of the table of embedders")
    if not (SHARED / "data").is_dir():
        raise SystemExit("this benchmark needs the shared data, a folder `shared` beside the checkout; it is not there")
    figures: dict[str, Any] = {}
    count = 20 if options.quick else 150
    images = {name: _images(name, count, options.seed) for name in SETS}
    for row in chosen_rows(options.only or ROWS):
        embedder = create(row.embedder)
        space = embedder.space
        figures[row.name] = {}
        for set_name, originals in images.items():
            vectors = embedder.embed(originals)
            copies = [
                pair_scores(embedder.embed([make(image) for image in originals]), vectors, space.similarity, space.dim)
                for make in COPIES.values()
            ]
            others = np.stack(
                [
                    pair_scores(np.repeat(vectors[[at]], len(vectors), axis=0), vectors, space.similarity, space.dim)
                    for at in range(len(vectors))
                ]
            )
            np.fill_diagonal(others, -np.inf)
            nearest = np.sort(others, axis=1)[:, -NEAREST:]
            chosen = least_of_copies(nearest_scores(space, vectors)) or COPIES_BETWEEN[1]
            answer = {
                name: {
                    "score": round(score, 4),
                    "copies_left_out": round(float((np.concatenate(copies) >= score).mean()), 4),
                    "nearest_left_out": round(float((nearest >= score).mean()), 4),
                }
                for name, score in [*((str(score), score) for score in SCORES), ("rule", chosen)]
            }
            figures[row.name][set_name] = answer
            cells = [
                f"{name if name != 'rule' else 'rule ' + format(each['score'], '.3f')}: "
                f"{each['copies_left_out']:.0%} / {each['nearest_left_out']:.1%}"
                for name, each in answer.items()
            ]
            print(f"{row.name:22} {set_name:8} copies / nearest others left out  {'   '.join(cells)}", flush=True)
    total = sum(len(some) for some in images.values())
    write_result("copies", __doc__ or "", figures, n=total, seed=options.seed, quick=options.quick)


def _images(name: str, count: int, seed: int) -> list[Image]:
    """Return some images of a benchmark, held-out classes or not: nothing is learned or chosen from labels here."""
    material = read_benchmark(name, SHARED / "data", part="all")
    items = (entry for source in material.sources for entry in scan(source) if isinstance(entry, Item))
    found, _ = match(material.names, items)
    chosen = np.random.default_rng(seed).choice(len(found), min(count, len(found)), replace=False)
    known = list(found.values())
    return [decode(known[at].read()).pixels for at in sorted(chosen.tolist())]


def _jpeg(image: Image) -> Image:
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "JPEG", quality=30)
    return decode(out.getvalue()).pixels


def _half(image: Image) -> Image:
    height, width = image.shape[:2]
    size = (max(width // 2, 1), max(height // 2, 1))
    return np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BICUBIC))


def _cut(image: Image) -> Image:
    y, x = (round(side * 0.03) for side in image.shape[:2])
    return np.ascontiguousarray(image[y : image.shape[0] - y, x : image.shape[1] - x])


def _brighter(image: Image) -> Image:
    return np.asarray(ImageEnhance.Brightness(Pillow.fromarray(image)).enhance(1.1))


COPIES: dict[str, Callable[[Image], Image]] = {"jpeg": _jpeg, "half": _half, "cut": _cut, "brighter": _brighter}


if __name__ == "__main__":
    main()

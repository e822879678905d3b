"""The first search in a fresh process over 100,000 images, the program's start included, takes less than a second.

Beside it what no program can do without: a Python that loads the vectors from a .npy file, decodes the query with
Pillow and takes the best of the dot products. Both are fresh processes; the files are in the page cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import lookalike
from harness import arguments, interleave, ratios, row, spread, write_result
from lookalike.types import Stamp
from photographs import ONE_MEGAPIXEL, write_photographs

BLOCK = 10_000
TARGET_S = 1.0

LOWER_BOUND = """
import sys
import numpy as np
from PIL import Image
vectors = np.load(sys.argv[1])
with Image.open(sys.argv[2]) as opened:
    query = np.asarray(opened.convert("RGB").resize((64, 64)), np.float32).ravel()
query = np.resize(query, vectors.shape[1])
scores = vectors @ (query / np.linalg.norm(query))
best = np.argpartition(scores, -20)[-20:]
print(best[np.argsort(-scores[best])])
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What the store is given of an image whose vector was made elsewhere."""

    id: str
    source: str
    root: str = ""
    stamp: Stamp | None = None
    content_hash: str = ""
    width: int = ONE_MEGAPIXEL[0]
    height: int = ONE_MEGAPIXEL[1]
    metadata: Mapping[str, Any] = field(default_factory=dict)


def main() -> None:
    options = arguments(__doc__ or "")
    n, rounds = (5_000, 3) if options.quick else (100_000, 21)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        collection, vectors, photo = _prepare(folder, n, options.seed)
        ours = [sys.executable, "-m", "lookalike", "search", str(photo), "--collection", str(collection), "--json"]
        theirs = [sys.executable, "-c", LOWER_BOUND, str(vectors), str(photo)]
        answer = json.loads(subprocess.run(ours, capture_output=True, text=True, check=True).stdout)
        if len(answer["hits"]) != 20 or answer["hits"][0]["source"] != str(photo):
            raise SystemExit("the search did not find the picture itself: nothing was measured")
        seconds = interleave(
            {
                "lookalike": lambda: subprocess.run(ours, stdout=subprocess.DEVNULL, check=True),
                "numpy": lambda: subprocess.run(theirs, stdout=subprocess.DEVNULL, check=True),
            },
            rounds,
        )
    bound = spread(seconds["numpy"])["median"]
    rows = [
        row(
            f"First search over {n:,} images, start of the program included",
            seconds["lookalike"],
            unit="s",
            at_most=TARGET_S,
            beside=f"numpy, Pillow and a dot product in a fresh Python: {bound:.2f} s",
        ),
        row("The same, against that numpy script", ratios(seconds, "lookalike", "numpy"), unit="x"),
    ]
    figures = {"seconds": seconds, "inside_ms": answer["took_ms"], "runs": rounds}
    write_result("first_search", __doc__ or "", figures, n=n, seed=options.seed, rows=rows, quick=options.quick)


def _prepare(folder: Path, n: int, seed: int) -> tuple[Path, Path, Path]:
    """Make a collection of n - 1 random unit vectors and one real photograph, and the same vectors as a .npy file."""
    rng = np.random.default_rng(seed)
    (photo,) = write_photographs(folder / "photographs", 1, seed=seed)
    collection, file = folder / "large.collection", folder / "vectors.npy"
    with lookalike.open(collection, embedder="builtin") as photos:
        photos.add(folder / "photographs")
        dim, name = photos.space.dim, photos.space.name
        drawn = rng.standard_normal((n, dim), dtype=np.float32)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        with photos.store.writing():
            for start in range(1, n, BLOCK):
                stop = min(start + BLOCK, n)
                records = [Known(f"{i:06d}.jpg", str(folder / f"{i:06d}.jpg")) for i in range(start, stop)]
                photos.store.put(records, {name: drawn[start:stop]})
            photos.settle()
        if len(photos) != n:
            raise SystemExit(f"{len(photos)} of {n} vectors were stored: nothing was measured")
        drawn[0] = photos.store.vectors(name, [0 if photos.store.get_rows([0])[0] else 1])[0]
    np.save(file, drawn)
    return collection, file, photo


if __name__ == "__main__":
    main()

"""A collection of two vector spaces, of which one tells the classes and the other is noise; and its truth."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from lookalike.store.sqlite import SqliteStore
from lookalike.testing.store import StoredImage
from lookalike.types import Vectors, VectorSpace

__all__ = ["CLASSES", "EACH", "write_two_spaces"]

CLASSES, EACH = 24, 4


def write_two_spaces(folder: Path) -> None:
    """Write ``folder/c`` with the spaces ``sees`` and ``blind``, and ``folder/truth.csv``.

    The collection's own space is the blind one. The column ``shade`` tells the classes partly: four classes share each.
    """
    rng = np.random.default_rng(2)
    kinds = np.repeat(np.arange(CLASSES), EACH)
    names = [f"{kind:02d}-{view}" for kind in range(CLASSES) for view in range(EACH)]
    centres = rng.standard_normal((CLASSES, 16))
    vectors: dict[str, Vectors] = {}
    with SqliteStore.open(folder / "c", create=True) as store:
        for name in ("sees", "blind"):
            rows = (centres[kinds] if name == "sees" else 0) + 0.9 * rng.standard_normal((len(kinds), 16))
            vectors[name] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
            store.add_space(VectorSpace(name, 16, f"fingerprint of {name}"))
        facts = [{"shade": int(kind) % 6} for kind in kinds]
        records = [StoredImage(name, f"/p/{name}", metadata=some) for name, some in zip(names, facts, strict=True)]
        store.put(records, vectors)
        store.set_setting("space", "blind")
    with (folder / "truth.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label"), *((name, f"class {name[:2]}") for name in names)])

"""How long indexing would take and how large it would be, measured on a sample before starting."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

from ..errors import ImageError
from ..images import Item, Skipped
from ..images.decode import decode
from ..protocols import Embedder, Prepares, Regional, Store
from .ingest import Options, is_unchanged
from .reports import Estimate

__all__ = ["estimate"]

SAMPLE = 48  # images; a second or two with most models
RECORD_BYTES = 400  # of one record with its two indexes in SQLite, measured on 10,000 photos with short names


def estimate(
    entries: Iterable[Item | Skipped], store: Store, embedder: Embedder, options: Options, *, seed: int = 0
) -> Estimate:
    """Walk the entries, index a random sample of the new ones without storing it, and extrapolate."""
    chooser = random.Random(seed)
    sample: list[Item] = []
    new = unchanged = 0
    for entry in entries:
        if isinstance(entry, Skipped):
            continue
        (record,) = store.known([entry.source])
        if record and is_unchanged(entry, record):
            unchanged += 1
            continue
        new += 1  # reservoir sampling (Vitter 1985, algorithm R): every new image has the same chance
        if len(sample) < SAMPLE:
            sample.append(entry)
        elif (place := chooser.randrange(new)) < SAMPLE:
            sample[place] = entry
    rate, vectors = _rate(sample, embedder, options)
    # A vector is in SQLite and in the derived file.
    size = round(new * (vectors * embedder.space.row_bytes * 2 + RECORD_BYTES))
    return Estimate(new + unchanged, unchanged, len(sample), rate, new / rate if rate else 0.0, size)


def _rate(sample: list[Item], embedder: Embedder, options: Options) -> tuple[float, float]:
    """Return images a second, with reading and decoding, on one thread and the model's own; and vectors an image."""
    if not sample:
        return 0.0, 1.0
    if len(sample) > 4:
        _embed(sample[:4], embedder, options)  # loads the model and warms it up: that is paid once, not per image
    begin = time.perf_counter()
    vectors = _embed(sample, embedder, options)
    return len(sample) / max(time.perf_counter() - begin, 1e-9), max(1.0, vectors / len(sample))


def _embed(sample: list[Item], embedder: Embedder, options: Options) -> int:
    """Do the work, and return how many vectors it gave."""
    vectors = 0
    for start in range(0, len(sample), options.batch_size):
        prepared = []
        for item in sample[start : start + options.batch_size]:
            try:
                pixels = decode(
                    item.read(), input_size=embedder.input_size, max_megapixels=options.max_megapixels
                ).pixels
            except ImageError:
                continue
            if isinstance(embedder, Regional):
                prepared.append(embedder.views(pixels)[1])
            else:
                prepared.append(embedder.prepare(pixels) if isinstance(embedder, Prepares) else pixels)
        vectors += sum(map(len, prepared)) if isinstance(embedder, Regional) else len(prepared)
        if prepared and isinstance(embedder, Regional):
            embedder.embed_views(prepared)
        elif prepared and isinstance(embedder, Prepares):
            embedder.embed_prepared(prepared)
        elif prepared:
            embedder.embed(prepared)
    return vectors

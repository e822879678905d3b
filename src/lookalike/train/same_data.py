"""Whether a run that goes on has the images and labels that it was begun with, without reading a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .samples import Samples

__all__ = ["changes", "known_of"]


def known_of(train: Samples, validation: Samples | None) -> dict[str, Any]:
    """Return how many images there are, and hashes of names, of names with labels, and of the sizes of files.

    Sizes and not times of change: a copy of the same files is the same data.
    """
    parts = (train, validation)
    return {
        "images": len(train),
        "validation": 0 if validation is None else len(validation),
        "sha256": ["" if part is None else part.digest for part in parts],
        "names": ["" if part is None else _hash(part.names) for part in parts],
        "sizes": ["" if part is None else _hash(_sizes(part)) for part in parts],
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what is another than before, in words; what an earlier version did not write down counts as equal."""
    found: list[str] = []
    for place, (count, what) in enumerate((("images", "to train on"), ("validation", "to measure on"))):

        def differs(key: str, place: int = place) -> bool:
            return key in before and before[key][place] != now[key][place]

        if before[count] != now[count]:
            found.append(f"{before[count]:,} images {what} then, {now[count]:,} now")
        elif differs("names"):
            found.append(f"other names of the images {what}")
        elif differs("sha256"):
            found.append(f"other labels of the images {what}" if "names" in before else f"other data {what}")
        elif differs("sizes"):
            found.append(f"other sizes of the files {what}")
    return found


def _sizes(part: Samples) -> Iterable[str]:
    for name, source in zip(part.names, part.sources, strict=True):
        try:
            yield f"{name}\t{Path(source).stat().st_size}"
        except (OSError, ValueError):
            yield name  # a member of an archive, or an address


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()

"""Benchmarks whose ``labels.csv`` has the class of each image in one column: emoji, logos, scenes, photos, near_dup.

Every image with a class searches all the others; an image without one is a distractor.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..truth.tables import table_of
from .base import Benchmark, Material, Part, Run, held_out, labelled, place, without_skin_tone
from .columns import column_of

__all__ = ["BENCHMARKS"]

METRICS = ("map", "hit_rate@1", "hit_rate@5", "map_at_r", "r_precision")


def _reader(
    column: str, *archives: str, splits: bool = True, class_of: Callable[[str], str] = str
) -> Callable[[Path, Part], Material]:
    """Return what reads ``labels.csv`` by one column; without archives the images are plain files beside it."""

    def read(data: Path, part: Part) -> Material:
        path = place(data, "labels.csv")
        header, lines = table_of(path)
        file_at, class_at = column_of(path, header, "file"), column_of(path, header, column)
        items = [(fields[file_at], class_of(fields[class_at].strip())) for _, fields in lines]
        if splits and part == "held-out":
            items = [(file, name) for file, name in items if not name or held_out(name)]
        truth = labelled(path, [(file, [name] if name else []) for file, name in items], format="benchmark")
        return Material(
            sources=(place(data, *archives) if archives else data,),
            runs=(Run(truth=truth, protocol="leave-one-out", metrics=METRICS),),
            part=part if splits else "",
            copies=not splits,
        )

    return read


BENCHMARKS = (
    Benchmark(
        "emoji",
        "the same emoji drawn by seven sets; a class is a code point without its skin tone",
        "emoji.tar, labels.csv (file, codepoint)",
        "twemoji, Noto, Fluent, Blobmoji, FxEmojis, OpenMoji",
        ("emoji",),
        _reader("codepoint", "emoji.tar", class_of=without_skin_tone),
        splits=True,
    ),
    Benchmark(
        "logos",
        "the same brand's mark from several icon sets",
        "logos.tar, labels.csv (file, brand)",
        "gilbarbara/logos, simple-icons, devicon and others",
        ("logos",),
        _reader("brand", "logos.tar"),
        splits=True,
    ),
    Benchmark(
        "scenes",
        "views of one place or object among unrelated photographs, which have no scene and never search",
        "images.tar, labels.csv (file, scene)",
        "hloc, LoFTR, OpenSfM, VLFeat and BoofCV sample images",
        ("scenes",),
        _reader("scene", "images.tar"),
        splits=True,
    ),
    Benchmark(
        "photos",
        "everyday photographs of objects, animals, flowers, vehicles; a class is a kind",
        "images.tar, labels.csv (file, kind)",
        "Caltech 101, Oxford flowers, Open Images and others",
        ("photos",),
        _reader("kind", "images.tar"),
        splits=True,
    ),
    Benchmark(
        "near_dup",
        "a photograph and its flipped, resized, rotated, grey, corrupt and re-encoded copies",
        "images, labels.csv (file, base_image)",
        "idealo/imagededup",
        ("near_dup",),
        _reader("base_image", splits=False),
    ),
)

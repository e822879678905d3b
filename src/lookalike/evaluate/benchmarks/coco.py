"""Everyday photographs with several classes each: how relevant one is to another is how far their classes overlap.

A photograph's labels are the classes of its boxes, each once. The grade of two photographs is the shared classes over
all classes of the two (Jaccard), so graded metrics (``ndcg``) see how much is shared; ``map`` counts any shared class.
Source: Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from ..truth.folder import images_below
from ..truth.tables import table_of
from .base import Benchmark, Material, Part, Run, labelled, place
from .columns import column_of

__all__ = ["BENCHMARKS"]

METRICS = ("ndcg@10", "map", "precision@10", "hit_rate@1")


def read(data: Path, part: Part) -> Material:
    """Read ``boxes.csv``; a photograph without boxes is a distractor."""
    path, images = place(data, "boxes.csv"), place(data, "images.tar")
    header, lines = table_of(path)
    file_at, class_at = column_of(path, header, "file"), column_of(path, header, "class_name")
    classes: dict[str, set[str]] = defaultdict(set)
    for _, fields in lines:
        classes[fields[file_at]].add(fields[class_at])
    names = dict.fromkeys([*images_below(images), *classes])
    truth = labelled(path, [(name, sorted(classes.get(name, ()))) for name in names], format="benchmark")
    note = "Relevance is graded by shared classes; intervals draw photographs, which have several classes."
    return Material(
        sources=(images,),
        runs=(Run(truth=truth, protocol="leave-one-out", metrics=METRICS, notes=(note,)),),
    )


BENCHMARKS = (
    Benchmark(
        "coco",
        "photographs with several classes each; relevance is graded by the classes that two of them share",
        "images.tar, boxes.csv (file, class_name)",
        "Lin et al., ECCV 2014 (coco128 of train2017)",
        ("coco", "coco128"),
        read,
    ),
)

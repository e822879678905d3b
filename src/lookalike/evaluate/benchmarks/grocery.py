"""Groceries, two tasks: catalogue pictures search shop photographs, and test photographs search training ones.

Source: Klasson, Zhang and Kjellström, A Hierarchical Grocery Store Image Dataset with Visual and Semantic Labels,
WACV 2019. Classes are the fine ones.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..truth.base import Truth
from ..truth.tables import table_of
from .base import Benchmark, Material, Part, Run, held_out, labelled, place
from .columns import column_of

__all__ = ["BENCHMARKS"]

SPLITS = ("iconic", "train", "val", "test")
METRICS = ("map", "hit_rate@1", "hit_rate@5", "r_precision")


def read(data: Path, part: Part) -> Material:
    """Read ``labels.csv``."""
    path = place(data, "labels.csv")
    header, lines = table_of(path)
    file_at, split_at, class_at = (column_of(path, header, name) for name in ("file", "split", "fine"))
    rows = [(fields[file_at], fields[split_at], fields[class_at]) for _, fields in lines]
    if part == "held-out":
        rows = [row for row in rows if held_out(row[2])]
    truth = labelled(path, [(file, [name]) for file, _, name in rows], format="benchmark")
    splits = np.array([split for _, split, _ in rows])
    if strange := sorted(set(splits.tolist()) - set(SPLITS)):
        raise BadInput(f"{path} has the split {strange[0]!r}.", hint=f"Known are {', '.join(SPLITS)}.")
    return Material(
        sources=(place(data, "images.tar"),),
        runs=(
            Run(
                name="iconic-to-photo",
                truth=_between(truth, splits == "iconic", splits != "iconic"),
                protocol="query-gallery",
                metrics=METRICS,
                notes=("Catalogue pictures search all shop photographs.",),
            ),
            Run(
                name="test-to-train",
                truth=_between(truth, splits == "test", splits == "train"),
                protocol="query-gallery",
                metrics=METRICS,
                notes=("Test photographs search training photographs.",),
            ),
        ),
        part=part,
    )


def _between(truth: Truth, queries: npt.NDArray[np.bool_], base: npt.NDArray[np.bool_]) -> Truth:
    return replace(truth, queries=np.flatnonzero(queries), base=np.flatnonzero(base))


BENCHMARKS = (
    Benchmark(
        "grocery",
        "catalogue picture to shop photographs, and test photographs to training photographs; 50 fine classes",
        "images.tar, labels.csv (file, split, fine)",
        "Klasson, Zhang and Kjellström, WACV 2019",
        ("grocery",),
        read,
        splits=True,
    ),
)

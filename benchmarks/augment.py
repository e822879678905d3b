"""Test-time augmentation: what averaging over views of a picture gains, when indexing and for the query alone.

mAP on the held-out classes of the sets, for `builtin-1` and MobileNet v2, with the views of `tta:` (mirror, crops,
zooms, and all of them) on both sides, and on the query's side alone (`search --augment`). Each is compared with plain
vectors by the paired test, whose intervals are 95%, bootstrapped by class.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

import lookalike
from harness import SHARED, arguments, write_result
from lookalike.collection import Collection
from lookalike.evaluate.benchmarks import Material, read_benchmark
from lookalike.evaluate.benchmarks.running import Prepared, index_benchmark, prepare
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.paired import compare
from lookalike.evaluate.protocols.engine import run_plan
from lookalike.types import Candidates, Rows, Vectors

SETS = ("emoji", "logos", "scenes", "grocery", "photos", "coco128")
VIEWS = ("mirror", "crops", "zooms", "mirror,crops,zooms")
MOBILENET = SHARED / "weights" / "tf2_mobilenet_v2_1.0_224_ptq.tflite"


class QuerySide:
    """Searches plain vectors by augmented ones; keeps the ``Searcher`` protocol."""

    def __init__(self, plain: Collection, augmented: Collection) -> None:
        self._plain = plain
        self._augmented = augmented

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k nearest plain vectors."""
        return self._plain.searcher.search(vectors, k, allowed=allowed)

    def vectors(self, ids: Rows) -> Vectors:
        """Return the augmented vectors of the plain collection's rows."""
        names = [record.id for record in self._plain.store.get_rows(ids) if record is not None]
        rows = [record.row for record in self._augmented.store.get(names) if record is not None]
        return self._augmented.searcher.vectors(np.array(rows, np.int64))


def main() -> None:
    """Measure every set, embedder and kind of views."""
    options = arguments(__doc__ or "", only="sets")
    if not (SHARED / "data").is_dir():
        raise SystemExit("this benchmark needs the shared data, a folder `shared` beside the checkout; it is not there")
    embedders = {"builtin-1": "builtin-1", "MobileNet v2 1.0 224": f"tflite:{MOBILENET}"}
    if options.quick:
        embedders = {"builtin-1": "color-layout"}
    figures: dict[str, Any] = {}
    images = 0
    for name in options.only or SETS:
        material = read_benchmark("coco" if name == "coco128" else name, SHARED / "data" / name)
        for label, spec in embedders.items():
            found, count = measure(material, spec, options.seed)
            figures.setdefault(name, {})[label] = found
            images += count
            for views, answer in found.items():
                if views != "plain":
                    print(
                        f"{name:8} {label:22} {views:30} " + "  ".join(shown(*each) for each in answer.items()),
                        flush=True,
                    )
    write_result("augment", __doc__ or "", figures, n=images, seed=options.seed, quick=options.quick)


def shown(side: str, found: dict[str, Any]) -> str:
    """Return one comparison in words."""
    return f"{side} {found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}] {found['verdict']}"


def measure(material: Material, spec: str, seed: int) -> tuple[dict[str, Any], int]:
    """Return the mAP of plain vectors, and what each kind of views changes; and how many images there are."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        plain = opened.enter_context(lookalike.open(Path(folder) / "plain", embedder=spec))
        index_benchmark(plain, material)
        prepared = prepare(plain, material.runs[0], seed=seed)
        base = judge(plain, prepared, plain)
        answer: dict[str, Any] = {}
        for views in VIEWS:
            augmented = opened.enter_context(lookalike.open(Path(folder) / views, embedder=f"tta:{views}:{spec}"))
            index_benchmark(augmented, material)
            both = judge(augmented, prepare(augmented, material.runs[0], seed=seed), augmented)
            query = judge(plain, prepared, QuerySide(plain, augmented))
            answer[views] = {"both sides": against(base, both, seed), "query alone": against(base, query, seed)}
        answer["plain"] = {"map": answer[VIEWS[0]]["both sides"]["plain"]}
        return answer, len(plain)


def judge(photos: Collection, prepared: Prepared, by: Collection | QuerySide) -> Judged:
    """Search and judge, queries in the order of their names."""
    searcher = by.searcher if isinstance(by, Collection) else by
    return run_plan(searcher, len(photos), prepared.joined, prepared.plan, cut=prepared.run.cut, shown=0).judged


def against(plain: Judged, other: Judged, seed: int) -> dict[str, Any]:
    """Return the comparison in mAP as JSON values."""
    found = compare(plain, other, ["map"], seed=seed)["map"]
    return {
        "plain": found.first,
        "value": found.second,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "verdict": found.verdict,
        "n": found.n,
    }


if __name__ == "__main__":
    main()

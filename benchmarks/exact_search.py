"""Exact search is at most 1.3 times as slow as the better of numpy and FAISS, for one query and for a hundred.

Ours searches a memory-mapped file, as the program does; numpy and FAISS hold the vectors in memory, which favours them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from harness import interleave, ratios, row, spread, write_result
from lookalike.index.exact import Exact
from lookalike.store.snapshot import Identity, VectorSnapshot, write_vectors
from lookalike.types import Rows, Segment, Vectors, VectorSpace

K = 20
BATCHES = (1, 100)
TARGET = 1.3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--n", type=int, default=1_000_000, help="stored vectors")
    options.add_argument("--dim", type=int, default=256)
    options.add_argument("--repeats", type=int, default=9)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--quick", action="store_true", help="a tenth of the vectors, three runs; means nothing")
    given = options.parse_args()
    n, repeats = (given.n // 10, 3) if given.quick else (given.n, given.repeats)
    with tempfile.TemporaryDirectory() as folder:
        figures = {batch: measure(Path(folder), n, given.dim, batch, repeats, given.seed) for batch in BATCHES}
    rows = []
    for batch, measured in figures.items():
        seconds = measured["seconds"]
        beside = ", ".join(f"{name} {1000 * spread(times)['median']:.1f} ms" for name, times in seconds.items())
        what = f"Exact search of {n:,} x {given.dim}, batch {batch}: time against the better of numpy and FAISS Flat"
        rows.append(row(what, measured["to_best"], unit="x", at_most=TARGET, beside=beside))
    write_result(
        "exact_search",
        __doc__ or "",
        {"dim": given.dim, "k": K, "batch": figures},
        n=n,
        seed=given.seed,
        rows=rows,
        quick=given.quick,
    )


def measure(folder: Path, n: int, dim: int, batch: int, repeats: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    vectors, queries = unit(rng, n, dim), unit(rng, batch, dim)
    space = VectorSpace("benchmark", dim, "benchmark")

    def parts() -> Iterator[tuple[Rows, Vectors]]:
        for start in range(0, n, 10_000):
            yield np.arange(start, min(start + 10_000, n)), vectors[start : start + 10_000]

    mapped = write_vectors(folder / "vectors", Identity("0" * 32, space), 1, n, parts())
    if mapped is None:
        raise SystemExit("the vectors could not be written")
    ours = Exact.over(VectorSnapshot(space, 1, (Segment(mapped.rows, mapped.vectors),)))
    flat = faiss.IndexFlatIP(dim)
    flat.add(vectors)
    if (ours.search(queries, K).rows == numpy_search(vectors, queries)).mean() < 0.999:
        raise SystemExit("the neighbours differ: nothing was measured")
    seconds = interleave(
        {
            "ours": lambda: ours.search(queries, K),
            "numpy": lambda: numpy_search(vectors, queries),
            "FAISS": lambda: flat.search(queries, K),
        },
        repeats,
    )
    best = min((seconds["numpy"], seconds["FAISS"]), key=statistics.median)
    return {
        "to_best": ratios({**seconds, "best": best}, "ours", "best"),
        "to_numpy": ratios(seconds, "ours", "numpy"),
        "to_faiss": ratios(seconds, "ours", "FAISS"),
        "seconds": seconds,
    }


def unit(rng: np.random.Generator, n: int, dim: int) -> Vectors:
    drawn = rng.standard_normal((n, dim), dtype=np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn


def numpy_search(vectors: Vectors, queries: Vectors) -> npt.NDArray[np.int64]:
    """Search as most people write it; the matrix-vector product for one query, which is the faster way."""
    scores = (vectors @ queries[0])[None] if len(queries) == 1 else queries @ vectors.T
    top = np.argpartition(scores, len(vectors) - K, axis=1)[:, -K:]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1)
    found: npt.NDArray[np.int64] = np.take_along_axis(top, order, axis=1)
    return found


if __name__ == "__main__":
    main()

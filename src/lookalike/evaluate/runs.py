"""Runs of other programs: rankings from a TREC run file, judged by the same engine as a collection's.

A run has lines ``query Q0 item rank score tag``, separated by spaces. Higher scores come first; equal scores keep the
order of the rank column, because only the program that wrote it knows better (trec_eval orders them by name).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import BadInput
from ..types import Candidates, Record, Rows, Vectors
from .comparison import take
from .evaluation import Evaluation
from .protocols import run_protocol
from .truth import Truth, join
from .truth.joining import match
from .truth.tables import lines_of

__all__ = ["Run", "evaluate_run", "read_run"]

Ranked = tuple[list[str], list[float]]  # items and scores, best first


class Run:
    """The rankings of a file as something that can be searched: a query is its row, and finds what the file says.

    Args:
        ranked: query -> its items and scores, best first.
        others: names that are images too, without being in the run.
        images: the folder that the names are files of; None shows no pictures.
    """

    def __init__(self, ranked: dict[str, Ranked], *, others: Sequence[str] = (), images: Path | None = None) -> None:
        items = (item for found, _ in ranked.values() for item in found)
        self.names = tuple(dict.fromkeys([*ranked, *items, *others]))
        self.ranked = ranked
        self._row = {name: row for row, name in enumerate(self.names)}
        self._images = images

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Record]:
        for row in range(len(self)):
            yield self._record(row)

    @property
    def depth(self) -> int:
        """Return the length of the longest ranking."""
        return max((len(items) for items, _ in self.ranked.values()), default=0)

    @property
    def searcher(self) -> Run:
        """Return itself; keeps the ``Searcher`` protocol."""
        return self

    def with_names(self, others: Sequence[str]) -> Run:
        """Return the same run over more images."""
        return Run(self.ranked, others=others, images=self._images)

    def vectors(self, ids: Rows) -> Vectors:
        """Return (B, 1): the row itself, which is all that ``search`` needs; exact up to 2**24 rows."""
        return ids.astype(np.float32)[:, None]

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the first k of each query's ranking; a shorter ranking leaves slots unused."""
        rows = np.full((len(vectors), k), -1, np.int64)
        scores = np.full((len(vectors), k), -np.inf, np.float32)
        inside = None if allowed is None else set(allowed.tolist())
        for at, query in enumerate(vectors[:, 0].astype(np.int64).tolist()):
            items, values = self.ranked.get(self.names[query], ([], []))
            pairs = [(self._row[item], value) for item, value in zip(items, values, strict=True)]
            kept = [pair for pair in pairs if inside is None or pair[0] in inside][:k]
            rows[at, : len(kept)] = [row for row, _ in kept]
            scores[at, : len(kept)] = [value for _, value in kept]
        return Candidates(rows, scores)

    def get_rows(self, rows: Sequence[int]) -> list[Record | None]:
        """Return the records of rows, as a collection's store does."""
        return [self._record(row) if 0 <= row < len(self) else None for row in rows]

    def _record(self, row: int) -> Record:
        name = self.names[row]
        return Record(row, name, os.fspath(self._images / name) if self._images else "")


def read_run(path: Path, *, images: Path | None = None) -> Run:
    """Read a TREC run.

    Raises:
        NoSuchFile: there is no such file. BadInput: a line without six fields, a rank or score that is no finite
            number, an item that comes twice for one query, or no line at all.
    """
    found: dict[str, dict[str, tuple[float, int]]] = {}
    for line, fields in lines_of(path, separator=None):
        if len(fields) != 6:
            raise BadInput(
                f"line {line} of {path} has {len(fields)} fields, a line of a run has 6.",
                hint="Write: query Q0 item rank score tag",
            )
        query, _, item, rank, score, _ = fields
        try:
            key = (-float(score), int(rank))
        except ValueError:
            key = (math.nan, 0)
        if not math.isfinite(key[0]):
            raise BadInput(
                f"line {line} of {path} has the rank {rank!r} and the score {score!r}.",
                hint="A rank is a whole number, a score a finite one.",
            )
        if item in found.setdefault(query, {}):
            raise BadInput(
                f"line {line} of {path} names {item!r} for the query {query!r} again.", hint="Keep one line of the two."
            )
        found[query][item] = key
    if not found:
        raise BadInput(f"{path} has no lines.", hint="Write: query Q0 item rank score tag")
    ranked = {}
    for query, keys in found.items():
        order = sorted(keys, key=keys.__getitem__)
        ranked[query] = (order, [-keys[item][0] for item in order])
    return Run(ranked, images=images)


def evaluate_run(
    run: Run, truth: Truth, protocol: str | None = None, *, shown: int = 10, cut: int | None = None, seed: int = 0
) -> tuple[Evaluation, Run]:
    """Judge a run, and return the evaluation with the run that its rows are of.

    Images that only the truth names are in the base: not to find them costs recall. Queries of the truth that the run
    has no line of are left out, and counted.

    Args:
        run: what ``read_run`` gave.
        truth: what is relevant.
        protocol, shown, seed: as in ``run_protocol``.
        cut: how many results are judged; None: as many as the run's longest ranking has.
    """
    known, _ = match(truth.names, run)
    run = run.with_names([name for position, name in enumerate(truth.names) if position not in known])
    depth = max(1, min(cut or run.depth, run.depth, len(run) - 1))
    evaluation = run_protocol(run, join(truth, run), protocol, cut=depth, shown=shown, seed=seed)
    asked = [run.names[row] in run.ranked for row in evaluation.query_rows.tolist()]
    if not any(asked):
        raise BadInput(
            f"the run answers none of the {len(asked)} queries of {truth.path}; it begins with "
            f"{next(iter(run.ranked))!r}.",
            hint="The first field of a run names the query as the truth does.",
        )
    answered = np.flatnonzero(asked)
    skipped = {**evaluation.skipped, "unanswered": len(asked) - len(answered)}
    return replace(take(evaluation, answered), skipped=skipped), run

"""Indexes a benchmark's images by the normal way in, and runs the user's own search over them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...collection import Collection
from ...collection.in_memory import items_of
from ...collection.ingest import Ingest, Options
from ...collection.learning import teach, untaught
from ...collection.reports import AddReport, OnProgress
from ...errors import BadInput
from ...images import Item, scan
from ...protocols import Embedder
from ...types import Image
from ..evaluation import Evaluation
from ..leak_report import PlanLeaks, leaks_of_plan
from ..outside import with_outside
from ..protocols import plan_of
from ..protocols.engine import run_plan
from ..protocols.plan import Plan
from ..truth.base import Ints
from ..truth.joining import Joined, join, match
from .base import Material, Run

__all__ = ["Prepared", "index_benchmark", "prepare", "run_benchmark", "taught_by"]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One run, joined to a collection.

    Attributes:
        run: what is measured.
        joined: its truth and the images that it means.
        plan: who searches what; nothing but the benchmark's own images.
    """

    run: Run
    joined: Joined
    plan: Plan

    def leaks(self, photos: Collection) -> PlanLeaks:
        """Look for copies of queries in what they search."""
        return leaks_of_plan(photos, self.joined, self.plan)


def index_benchmark(photos: Collection, material: Material, *, on_progress: OnProgress | None = None) -> AddReport:
    """Index those of a benchmark's images that its runs need; what the collection has already is not read again.

    Raises:
        BadInput: no name of the benchmark is among the images.
    """
    held = material.pixels() if material.pixels is not None else {}
    names = [name for name in material.names if name not in held]
    in_memory = _in_memory(photos, [name for name in material.names if name in held], held)
    if held and not (names and material.sources):
        return in_memory
    items = _items(material, names)
    report, begin = AddReport(), time.monotonic()
    with photos.store.writing():
        ingest = Ingest(photos.store, photos.embedder, Options(), on_progress=on_progress)
        ingest.run(iter(items), report, lambda row: None)
        photos.settle()
    report.seconds = time.monotonic() - begin
    report.merge(in_memory)
    return report


def taught_by(embedder: str, material: Material, *, collection: Path | None = None, seed: int = 0) -> str | Embedder:
    """Return an embedder that learns from images as the benchmark's own have taught it, and any other as it is.

    Its labels teach nothing. What such an embedder scores is what it would in a collection of these very images.

    Args:
        embedder: a name.
        material: the benchmark.
        collection: one that may have been taught before.
        seed: of the sample and of the learning.
    """
    pupil = untaught(embedder, collection=collection)
    if pupil is None:
        return embedder
    pixels = material.pixels() if material.pixels is not None else {}
    held = [name for name in material.names if name in pixels]
    names = [name for name in material.names if name not in pixels]
    files = _items(material, names) if names and material.sources else []
    return teach(pupil, chain(files, items_of([pixels[name] for name in held], held, None)), seed=seed)


def _items(material: Material, names: Sequence[str]) -> list[Item]:
    """Return the images of these names; each gets its name as its id, so that a truth joins at once."""
    entries = (entry for source in material.sources for entry in scan(source) if isinstance(entry, Item))
    found, _ = match(names, entries)
    if not found:
        folders = ", ".join(str(source) for source in material.sources)
        raise BadInput(
            f"none of the {len(names)} images of the benchmark is in {folders}; the first is {names[0]!r}.",
            hint="Unpack its images there.",
        )
    return [replace(item, id=names[at], given_id=True) for at, item in found.items()]


def _in_memory(photos: Collection, names: Sequence[str], pixels: Mapping[str, Image]) -> AddReport:
    if not names:
        return AddReport()
    known = photos.store.get(names)
    fresh = [name for name, record in zip(names, known, strict=True) if record is None]
    report = photos.add_images([pixels[name] for name in fresh], ids=fresh)
    report.unchanged = len(names) - len(fresh)
    return report


def prepare(photos: Collection, run: Run, *, seed: int = 0, boxes: bool = True) -> Prepared:
    """Join a run's truth to a collection, and plan it.

    A collection that holds more images is searched as if it held this benchmark alone. ``boxes``: the truth's are
    applied.

    Raises:
        BadInput: the collection has none of its images, or the truth does not fit the protocol.
    """
    joined = with_outside(photos, join(run.truth, photos), boxes=boxes)
    plan = plan_of(joined, run.protocol, seed=seed)
    rows = np.unique(joined.rows[joined.rows >= 0])
    if len(rows) < len(joined.all_rows):
        plan = replace(plan, parts=tuple(p if p.base is not None else replace(p, base=rows) for p in plan.parts))
    return Prepared(run, joined, plan)


def run_benchmark(photos: Collection, prepared: Prepared, *, shown: int = 10) -> Evaluation:
    """Search and judge; the classes of the result are what intervals draw."""
    run = prepared.run
    evaluation = run_plan(photos.searcher, len(photos), prepared.joined, prepared.plan, cut=run.cut, shown=shown)
    notes = [*run.notes, *_texts(evaluation.protocol.get("notes"))]
    protocol = {**evaluation.protocol, "name": run.protocol, **({"notes": notes} if notes else {})}
    judged = evaluation.judged
    if run.classes is not None:
        judged = replace(judged, classes=_classes(run, prepared.joined, evaluation.query_rows))
    return replace(evaluation, protocol=protocol, judged=judged)


def _classes(run: Run, joined: Joined, rows: Ints) -> npt.NDArray[np.object_]:
    classes = run.classes or {}
    named = zip(joined.rows.tolist(), joined.truth.names, strict=True)
    by_row = {row: classes[name] for row, name in named if name in classes}  # distractors have none
    return np.array([by_row[int(row)] for row in rows], dtype=object)


def _texts(notes: object) -> list[str]:
    return [str(note) for note in notes] if isinstance(notes, list) else []

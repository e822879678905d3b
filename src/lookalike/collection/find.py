"""Looks through a collection's pictures themselves for a small one inside them."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadInput, LookalikeError
from ..images import Skipped, read_source
from ..images.decode import decode
from ..images.printable import printable
from ..local.template import Template
from ..types import Match, Record

__all__ = ["FindReport", "Found", "find_template"]

NAMED = 1000  # skipped pictures that a report names


@dataclass(frozen=True, slots=True)
class Found:
    """A place in a stored picture; the match's box is in pixels of the upright original."""

    record: Record
    match: Match


@dataclass(slots=True)
class FindReport:
    """What a look through a collection found.

    Attributes:
        hits: best first; equal scores by lower row.
        searched: how many pictures were looked through, and ``skipped_count`` how many could not be.
        skipped: the first of those, with the reasons.
        seconds: how long it took.
    """

    hits: list[Found] = field(default_factory=list)
    searched: int = 0
    skipped_count: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return JSON values: hits with their ``region``, and what was skipped."""
        return {
            "hits": [_to_json(rank, hit) for rank, hit in enumerate(self.hits, start=1)],
            "searched": self.searched,
            "skipped": [
                {"source": printable(each.source), "error": printable(each.error.message)} for each in self.skipped
            ],
            "skipped_count": self.skipped_count,
            "seconds": round(self.seconds, 3),
        }


def find_template(
    records: Iterable[Record],
    template: Template,
    *,
    k: int = 20,
    per_image: int = 1,
    workers: int | None = None,
    max_megapixels: float = 200.0,
    on_progress: Callable[[FindReport], None] | None = None,
) -> FindReport:
    """Return the k best places of a template in stored pictures.

    Each picture is read from where it was indexed and decoded by one of ``workers`` threads; no more than twice as
    many are in memory at once. One that cannot be used is skipped and named in the report.

    Args:
        records: where to look; a collection gives all of its own.
        template: what to look for.
        k: how many places, > 0. per_image: how many of one picture, > 0.
        workers: threads; None: one a core.
        max_megapixels: larger pictures are skipped.
        on_progress: called with the report after every picture.

    Raises:
        BadInput: k, per_image or workers is not positive.
    """
    for name, number in (("k", k), ("per_image", per_image), ("workers", workers)):
        if number is not None and number <= 0:
            raise BadInput(f"{name} must be at least 1, got {number}.")
    threads = workers or os.cpu_count() or 1
    report = FindReport()
    begin = time.monotonic()
    waiting: deque[tuple[Record, Future[list[Match]]]] = deque()

    def take() -> None:
        record, future = waiting.popleft()
        _note(report, record, future, k)
        if on_progress:
            on_progress(report)

    with ThreadPoolExecutor(threads, thread_name_prefix="lookalike-find") as pool:
        try:
            for record in records:
                waiting.append((record, pool.submit(_look, record, template, per_image, max_megapixels)))
                if len(waiting) >= 2 * threads:
                    take()
            while waiting:
                take()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    report.seconds = time.monotonic() - begin
    return report


def _look(record: Record, template: Template, limit: int, max_megapixels: float) -> list[Match]:
    # A reduced decode keeps 2.2 times the size asked for on its shorter side: the detail is all there.
    decoded = decode(
        read_source(record.source), input_size=max(1, round(template.detail / 2.2)), max_megapixels=max_megapixels
    )
    return template.find(decoded.pixels, limit=limit, original=(decoded.width, decoded.height))


def _note(report: FindReport, record: Record, future: Future[list[Match]], k: int) -> None:
    try:
        matches = future.result()
    except LookalikeError as error:
        report.skipped_count += 1
        if len(report.skipped) < NAMED:
            report.skipped.append(Skipped(record.source, error))
        return
    report.searched += 1
    hits = [*report.hits, *(Found(record, match) for match in matches)]
    report.hits = sorted(hits, key=lambda hit: (-hit.match.score, hit.record.row))[:k]


def _to_json(rank: int, hit: Found) -> Mapping[str, Any]:
    box = hit.match.region
    return {
        "rank": rank,
        "id": hit.record.id,
        "row": hit.record.row,
        "source": printable(hit.record.source),
        "score": round(hit.match.score, 6),
        "region": {"x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1},
        "scale": round(hit.match.scale, 4),
        "rotation": hit.match.rotation,
        "metadata": dict(hit.record.metadata),
    }

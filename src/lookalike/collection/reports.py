"""What indexing tells while it runs and when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..images import Skipped
from ..images.printable import printable

__all__ = ["AddReport", "Estimate", "OnProgress"]

KEPT_REASONS = 1000  # skipped entries that a report names one by one; beyond that they are only counted


@dataclass(slots=True)
class AddReport:
    """What one run of indexing did.

    Attributes:
        added, replaced, unchanged: images; ``replaced`` had other content under the same id.
        reused: of those added or replaced, how many took the vector of identical bytes that were known already.
        embedded: images that have their vector and wait for the next commit.
        skipped: the first entries that could not be used, each with its reason; ``skipped_count`` counts all.
        vanished: sources that are in the collection and no longer there; ``pruned`` says how many were removed.
        seconds: wall time.
        stopped: the run was interrupted; what was committed stays, and the next run goes on.
    """

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    reused: int = 0
    embedded: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    skipped_count: int = 0
    vanished: list[str] = field(default_factory=list)
    vanished_count: int = 0
    pruned: int = 0
    seconds: float = 0.0
    stopped: bool = False

    @property
    def done(self) -> int:
        """Return how many entries have been dealt with so far."""
        return self.added + self.replaced + self.unchanged + self.embedded + self.skipped_count

    def skip(self, skipped: Skipped) -> None:
        """Count one entry that cannot be used."""
        self.skipped_count += 1
        if len(self.skipped) < KEPT_REASONS:
            self.skipped.append(skipped)

    def merge(self, other: AddReport) -> None:
        """Add what another run did."""
        for name in ("added", "replaced", "unchanged", "reused", "vanished_count", "pruned"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.skipped_count += other.skipped_count
        self.skipped = (self.skipped + other.skipped)[:KEPT_REASONS]
        self.vanished = (self.vanished + other.vanished)[:KEPT_REASONS]
        self.seconds += other.seconds
        self.stopped = self.stopped or other.stopped

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``lookalike index --json`` prints."""
        return {
            "added": self.added,
            "replaced": self.replaced,
            "unchanged": self.unchanged,
            "reused": self.reused,
            "vanished": self.vanished_count,
            "pruned": self.pruned,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "skipped": {
                "count": self.skipped_count,
                "reasons": dict(Counter(skipped.error.code for skipped in self.skipped)),
                "entries": [
                    {"source": printable(skipped.source), "code": skipped.error.code, "message": skipped.error.message}
                    for skipped in self.skipped
                ],
            },
        }


OnProgress: TypeAlias = Callable[[AddReport], None]  # called after each step, from the thread that indexes


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long and how large, before starting; measured on a sample of the images themselves."""

    images: int
    unchanged: int
    sampled: int
    images_per_second: float
    seconds: float
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``lookalike index --estimate --json`` prints."""
        return {
            "images": self.images,
            "unchanged": self.unchanged,
            "sampled": self.sampled,
            "images_per_second": round(self.images_per_second, 2),
            "seconds": round(self.seconds, 1),
            "bytes": self.bytes,
        }

"""What a search gives back: ranked hits, the query as it was understood, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from ..images.printable import printable
from ..types import Hit, Query, Region

__all__ = ["Results"]


@dataclass(frozen=True, slots=True, eq=False)
class Results(Sequence[Hit]):
    """The hits of one search, best first; a sequence of ``Hit``.

    Attributes:
        query: what was searched for, as it was understood.
        hits: at most k, by falling score, equal scores by lower row.
        took_ms: milliseconds by stage (``read``, ``embed``, ``search``, ``fetch``) and in ``total``.
        note: a sentence for the person when there is nothing to show, or nothing that stands out; else empty.
    """

    query: Query
    hits: tuple[Hit, ...]
    took_ms: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Hit]: ...
    def __getitem__(self, place: int | slice) -> Hit | Sequence[Hit]:
        return self.hits[place]

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``lookalike search --json`` prints."""
        items = [
            {"kind": item.kind, "value": printable(item.value), "weight": item.weight} for item in self.query.items
        ]
        answer: dict[str, Any] = {
            "query": {"items": items},
            "hits": [hit_to_json(hit) for hit in self.hits],
            "took_ms": {stage: round(ms, 3) for stage, ms in self.took_ms.items()},
        }
        if self.note:
            answer["note"] = self.note
        return answer


def hit_to_json(hit: Hit) -> dict[str, Any]:
    """Return one hit as JSON values; ``relevance`` only where the collection is calibrated.

    ``region`` is there only where a part of the image is more alike than the whole.
    """
    answer: dict[str, Any] = {
        "rank": hit.rank,
        "id": hit.id,
        "row": hit.row,
        "source": printable(hit.source),
        "score": round(hit.score, 6),
    }
    if hit.relevance is not None:
        answer["relevance"] = round(hit.relevance, 6)
    if hit.verified is not None:
        answer["verified"] = round(hit.verified, 6)
    answer["found_by"] = hit.found_by
    if hit.group is not None:
        answer["group"] = {"by": hit.group.by, "value": hit.group.value, "size": hit.group.size}
    if hit.region is not None:
        answer["region"] = region_to_json(hit.region)
    answer["metadata"] = dict(hit.metadata)
    return answer


def region_to_json(region: Region) -> dict[str, Any]:
    """Return a box in pixels, with its score and label, as JSON values."""
    return {
        "x0": region.x0,
        "y0": region.y0,
        "x1": region.x1,
        "y1": region.y1,
        "score": round(region.score, 6),
        "label": region.label,
    }

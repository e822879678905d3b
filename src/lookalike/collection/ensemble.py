"""Several vector spaces of one collection, searched together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, UnknownName
from ..types import Region, Rows
from .word_search import FUSED, FindRegions, Ranking, no_regions

__all__ = ["Fusion", "Member", "check_spaces", "fuse_spaces", "fused_as_deep", "parse_spaces"]

Fusion = Literal["sum", "rrf"]

_K = 60  # of reciprocal-rank fusion, as in ``word_search``


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One space's part in an ensemble.

    Attributes:
        weight: > 0.
        first: gives the first n rows and scores of its own ranking, best first.
        scores: gives, of int64 (B,) ascending rows, those that have a vector here, in any order, and their scores.
        regions: gives, of images, the part of each that is more alike than the whole, where one is.
    """

    weight: float
    first: Callable[[int], tuple[Rows, npt.NDArray[np.floating]]]
    scores: Callable[[Rows], tuple[Rows, npt.NDArray[np.floating]]]
    regions: FindRegions = no_regions


def fuse_spaces(
    members: Sequence[Member], fusion: Fusion = "sum", *, depth: int = FUSED, extra: Rows | None = None
) -> Ranking:
    """Rank the union of the first ``depth`` of each space, and of ``extra`` rows; equal scores by lower row.

    ``sum``: the sum of weight × score over the spaces, divided by the sum of weights. An image without a vector in a
    space has the lowest score that a candidate has there. Scores of spaces are added as they are: only the weights say
    how a unit of one compares with a unit of another. ``rrf``: the sum of weight / (60 + rank) over the spaces that
    have the image among their first (Cormack, Clarke and Büttcher, SIGIR 2009), which needs no such comparison.
    """
    ranked = [member.first(depth)[0] for member in members]
    more = [] if extra is None or fusion == "rrf" else [_known(extra, members)]
    rows: Rows = np.unique(np.concatenate([*ranked, *more]))
    total = np.zeros(len(rows))
    for member, first in zip(members, ranked, strict=True):
        if fusion == "rrf":
            total[np.searchsorted(rows, first)] += member.weight / (_K + np.arange(1, len(first) + 1))
            continue
        having, scores = member.scores(rows)
        own = np.full(len(rows), scores.min(initial=np.inf) if len(scores) else 0.0)
        own[np.searchsorted(rows, having)] = scores
        total += member.weight * own
    if fusion == "sum":
        total /= sum(member.weight for member in members)
    order = np.lexsort((rows, -total))
    rows, total = rows[order], total[order]
    return Ranking(lambda depth: (rows[:depth], total[:depth]), lambda row: "vector", "both", _regions_of(members))


def _regions_of(members: Sequence[Member]) -> FindRegions:
    def regions(rows: Rows) -> dict[int, Region]:
        found: dict[int, Region] = {}
        for member in sorted(members, key=lambda member: member.weight):  # the heaviest space has the last word
            found.update(member.regions(rows))
        return found

    return regions


def _known(rows: Rows, members: Sequence[Member]) -> Rows:
    """Return the rows that have a vector in one of the spaces."""
    return np.intersect1d(rows, np.concatenate([member.scores(rows)[0] for member in members]))


def fused_as_deep(members: Sequence[Member], fusion: Fusion, extra: Rows | None = None) -> Ranking:
    """Return the fused ranking, of more than the first FUSED of each space where more results are asked for."""
    known: dict[int, Ranking] = {}

    def first(depth: int) -> tuple[Rows, npt.NDArray[np.floating]]:
        deep = max(depth, FUSED)
        if deep not in known:
            known[deep] = fuse_spaces(members, fusion, depth=deep, extra=extra)
        return known[deep].first(depth)

    return Ranking(first, lambda row: "vector", "both", _regions_of(members))


def parse_spaces(text: str) -> dict[str, float]:
    """Understand ``A,B:2``: names of vector spaces, each with its weight, 1 where none is given.

    Raises:
        BadInput: an empty name, one that comes twice, or a weight that is not positive.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, colon, tail = part.strip().rpartition(":")
        try:
            weight = float(tail) if colon else 1.0
        except ValueError:
            name, weight = part.strip(), 1.0  # the colon is part of the name
        else:
            name = name if colon else part.strip()
        if not name or name in found or not 0 < weight < np.inf:
            raise BadInput(
                f"{text!r} does not name vector spaces with weights above 0, each once.",
                hint="Write NAME,NAME:WEIGHT; `lookalike info` lists the spaces.",
            )
        found[name] = weight
    return found


def check_spaces(wanted: Mapping[str, float], known: Sequence[str]) -> None:
    """Refuse names that the collection does not have, and weights that are not above 0."""
    if not wanted:
        raise BadInput("an ensemble needs at least one vector space.", hint=f"Known: {', '.join(known)}.")
    for name, weight in wanted.items():
        if name not in known:
            raise UnknownName(
                f"the collection has no vector space {name!r}.",
                hint=f"Known: {', '.join(known)}; add one with `lookalike index --embedder NAME --add-space`.",
            )
        if not 0 < weight < np.inf:
            raise BadInput(f"the weight of the space {name!r} must be above 0 and finite, got {weight}.")

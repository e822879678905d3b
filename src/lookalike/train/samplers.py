"""The table of samplers: which images stand in a batch together. A new one is a function and its line here.

A sampler is asked once an epoch and gives all batches of it, the same for the same seed and epoch, so that a run that
was stopped goes on with the batches that it would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, UnknownName
from ..nearest_name import choices
from .samples import Samples
from .targets import Labels

__all__ = ["BY_CLASS", "SAMPLERS", "Asked", "batches_of", "sampler_for"]

Ints = npt.NDArray[np.int64]
Batches = list[list[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a sampler is told.

    Attributes:
        samples, labels: the M images, and what is known of them.
        batch: images a batch.
        per_class: images of one class in a batch.
        rng: the epoch's own.
        vectors: float32 (M, D) of unit norm, what the network gave at the last look; None before the first.
    """

    samples: Samples
    labels: Labels
    batch: int
    per_class: int
    rng: np.random.Generator
    vectors: npt.NDArray[np.float32] | None = None


def _random(asked: Asked) -> Batches:
    """Every image once, in a new order."""
    order = asked.rng.permutation(len(asked.samples))
    return _cut(order, asked.batch // asked.labels.views)


def _by_class(asked: Asked) -> Batches:
    """Some images of each of some classes; every class about as often as it has images."""
    by_class = _members(asked)
    turns = [chunk for members in by_class for chunk in _chunks(asked, members)]
    order = asked.rng.permutation(len(turns))
    return _filled(asked, [turns[at] for at in order])


def _hierarchical(asked: Asked) -> Batches:
    """As by class, but the classes of a batch share the first part of their name (``fruit/apple``, ``fruit/pear``)."""
    if asked.samples.labels is None or asked.samples.kind != "classes":
        raise BadInput("the sampler 'hierarchical' needs a class for each image.", hint="Use --sampler random.")
    above = [name.rpartition("/")[0] for name in asked.samples.labels.names]
    if len(set(above)) < 2:
        raise BadInput(
            "the sampler 'hierarchical' needs classes with a group in front, such as fruit/apple and fruit/pear.",
            hint="Use --sampler per-class.",
        )
    groups: dict[str, list[Ints]] = {}
    for code, members in enumerate(_members(asked)):
        groups.setdefault(above[code], []).extend(_chunks(asked, members))
    batches: Batches = []
    for name in sorted(groups):
        turns = groups[name]
        batches += _filled(asked, [turns[at] for at in asked.rng.permutation(len(turns))])
    return [batches[at] for at in asked.rng.permutation(len(batches))]


def _hard(asked: Asked) -> Batches:
    """As by class, but a batch holds classes that the network confuses: those with the nearest mean vectors."""
    if asked.vectors is None:
        return _by_class(asked)
    by_class = _members(asked)
    centres = np.stack([asked.vectors[members].mean(axis=0) for members in by_class])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    waiting: list[list[Ints]] = [list(_chunks(asked, members)) for members in by_class]
    near = np.argsort(-(centres @ centres.T), axis=1, kind="stable")
    wanted = max(2, asked.batch // asked.per_class)
    batches: Batches = []
    for first in asked.rng.permutation(len(by_class)):
        while waiting[first]:
            some = [other for other in near[first] if waiting[other]][:wanted]
            batches.append([int(at) for other in some for at in waiting[other].pop()])
    return [batch for batch in batches if len(batch) > asked.per_class]


def _by_pair(asked: Asked) -> Batches:
    """Every pair that is said to be alike or not, both images of it in one batch."""
    pairs = asked.samples.pairs
    if pairs is None:
        raise BadInput("the sampler 'pairs' needs labels that say pairs.", hint="Use --sampler per-class or random.")
    by_query: dict[int, list[int]] = {}
    for query, item in zip(pairs.query, pairs.item, strict=True):
        by_query.setdefault(int(query), [int(query)]).append(int(item))
    turns = [np.array(members, np.int64) for members in by_query.values()]
    return _filled(asked, [turns[at] for at in asked.rng.permutation(len(turns))])


def _by_triplet(asked: Asked) -> Batches:
    """Every triplet once, its three images in one batch; those of one anchor mostly together."""
    triplets = asked.samples.triplets
    if triplets is None:
        raise BadInput("the sampler 'triplets' needs labels that say triplets.", hint="Use --sampler auto.")
    if asked.batch < 3:
        raise BadInput(f"a batch of {asked.batch} holds no triplet.", hint="Raise --batch to 3 or more.")
    turn = asked.rng.permutation(len(asked.samples))  # of the anchors
    order = np.lexsort((asked.rng.permutation(len(triplets)), turn[triplets[:, 0]]))
    batches: Batches = []
    current: dict[int, None] = {}
    for triplet in triplets[order].tolist():
        fresh = [at for at in triplet if at not in current]
        if current and len(current) + len(fresh) > asked.batch:
            batches.append(list(current))
            current, fresh = {}, triplet
        current.update(dict.fromkeys(fresh))
    return [*batches, list(current)] if current else batches


BY_CLASS = ("hard", "hierarchical", "per-class")  # need a class for each image

SAMPLERS: Mapping[str, Callable[[Asked], Batches]] = MappingProxyType(
    {
        "hard": _hard,
        "hierarchical": _hierarchical,
        "pairs": _by_pair,
        "per-class": _by_class,
        "random": _random,
        "triplets": _by_triplet,
    }
)


def sampler_for(name: str, labels: Labels, *, needs: str) -> str:
    """Return the sampler of a name, ``auto`` resolved: by class for losses that compare pairs, else random.

    Raises:
        UnknownName: no such sampler. BadInput: it needs classes that are not there.
    """
    if name == "auto":
        if labels.kind == "triplets":
            return "triplets"
        if labels.kind == "pairs" and labels.classes is None:
            return "pairs"
        return "per-class" if labels.classes is not None and needs != "classes" else "random"
    if name not in SAMPLERS:
        raise UnknownName(f"unknown sampler {name!r}.", hint=choices(name, ["auto", *SAMPLERS]))
    if name in BY_CLASS and labels.classes is None:
        raise BadInput(f"the sampler {name!r} needs a class for each image.", hint="Use --sampler random.")
    return name


def batches_of(name: str, asked: Asked) -> Batches:
    """Return the batches of one epoch: lists of positions."""
    return SAMPLERS[name](asked)


def _members(asked: Asked) -> list[Ints]:
    classes = asked.labels.classes
    assert classes is not None
    order = np.argsort(classes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(classes[order])) + 1)


def _chunks(asked: Asked, members: Ints) -> Sequence[Ints]:
    """Cut the images of a class, shuffled, into turns of ``per_class``; a short last turn is filled up from the class.

    A class of one image gives that image alone: it is a negative of the others.
    """
    shuffled = asked.rng.permutation(members)
    size = min(asked.per_class, len(members))
    turns = [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
    if len(turns[-1]) < size:
        rest = asked.rng.permutation(np.setdiff1d(members, turns[-1]))
        turns[-1] = np.concatenate([turns[-1], rest[: size - len(turns[-1])]])
    return turns


def _filled(asked: Asked, turns: Sequence[Ints]) -> Batches:
    """Join turns to batches of at most ``batch`` images; a last one of a single turn joins the one before."""
    batches: Batches = []
    current: list[int] = []
    for turn in turns:
        if current and len(current) + len(turn) > asked.batch:
            batches.append(current)
            current = []
        current.extend(int(at) for at in turn)
    if current and (len(current) > asked.per_class or not batches):
        batches.append(current)
    return batches


def _cut(order: Ints, size: int) -> Batches:
    batches = [[int(at) for at in order[start : start + size]] for start in range(0, len(order), max(size, 1))]
    if len(batches) > 1 and len(batches[-1]) < 2:
        batches.pop()  # batch normalisation needs two
    return batches

"""What a run trains on, what picks its weights and what it is tested on; and that the three share no picture."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadInput
from ..images.printable import printable
from .copies import Copies, Prints, copies_between, prints_of
from .samples import Samples
from .settings import Settings
from .split import split

__all__ = ["Found", "Parts", "parts_of", "without_copies"]

NAMED = 3
GIVEN = "its own list"
_MEND = "Take them out of one of the two, or say --allow-leak: the figures are too good then."


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The three parts; two of them may be empty.

    Attributes:
        train, validation, test: the images.
        by, test_by: what was kept apart whole: ``class``, ``group``, ``image``; or that it was given.
        copies: of what was measured on in what came before, as the model's card says it.
        broken: names of images that could not be read to look for copies, with the reason.
        notes: in sentences.
    """

    train: Samples
    validation: Samples
    test: Samples
    by: str
    test_by: str
    copies: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def parts_of(
    samples: Samples,
    settings: Settings,
    *,
    validation: Samples | None = None,
    test: Samples | None = None,
    allow_copies: bool = False,
    check: bool = True,
    memory: Path | None = None,
) -> Parts:
    """Keep images apart, and look for copies of the others among them.

    What is kept apart here loses its copies of the others; in lists that were given they are refused.

    Args:
        samples: what there is.
        settings: which shares are kept apart, where no list is given; the seed.
        validation, test: lists that were given.
        allow_copies: go on with copies in lists that were given.
        check: False looks for none.
        memory: a file that keeps what was found, so that a run that goes on does not read all images again.

    Raises:
        BadInput: a given list holds copies, or nothing is left to train on.
    """
    notes: list[str] = []
    by, test_by = GIVEN, GIVEN
    given = [name for name, part in (("validation", validation), ("test", test)) if part is not None]
    whole = samples
    if test is None:
        parts = split(samples, settings.test, seed=settings.seed, purpose=8)
        samples, test, test_by = parts.train, parts.validation, parts.by
    if validation is None:
        parts = split(samples, settings.validation, seed=settings.seed)
        samples, validation, by = parts.train, parts.validation, parts.by
    if samples.triplets is not None and whole.triplets is not None:
        kept = sum(len(part.triplets) for part in (samples, validation, test) if part.triplets is not None)
        if kept < len(whole.triplets) and not given:
            lost = len(whole.triplets) - kept
            notes.append(f"{lost} triplets have images on both sides of what was kept apart, and are left out")
    sides = {"training": samples, "validation": validation, "test": test}
    if not allow_copies:
        _refuse_same_files(sides, given)
    found = Found()
    if check:
        found = without_copies(sides, settings, given=given, allow=allow_copies, memory=memory)
    return Parts(
        train=samples,
        validation=replace(sides["validation"], notes=()),
        test=replace(sides["test"], notes=()),
        by=by,
        test_by=test_by,
        copies=found.said,
        broken=found.broken,
        notes=(*notes, *found.notes),
    )


@dataclass(slots=True)
class Found:
    """What looking for copies found: for the card, the names of what could not be read, and in sentences."""

    said: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def without_copies(
    sides: dict[str, Samples],
    settings: Settings,
    *,
    given: Sequence[str] = (),
    allow: bool = False,
    memory: Path | None = None,
) -> Found:
    """Take copies of what comes before out of the validation and the test; refuse them in lists that were given.

    Args:
        sides: ``training``, ``validation`` and ``test``; changed where copies are taken out.
        settings: how many threads read.
        given: names of sides that somebody gave as they are.
        allow: leave the copies in those.
        memory: as in ``parts_of``.

    Raises:
        BadInput: copies in a list that was given.
    """
    result = Found()
    if not len(sides["validation"]) and not len(sides["test"]):
        return result
    pairs, result.broken = _looked(sides, settings, memory)
    before = dict(sides)  # which the positions are of
    for name in ("validation", "test"):
        mine = {earlier: copies for (earlier, later), copies in pairs.items() if later == name}
        if not any(map(len, mine.values())):
            continue
        sentence = _sentence(before, name, mine, result.broken)
        if name in given and not allow:
            raise BadInput(sentence, hint=_MEND)
        touched = np.unique(np.concatenate([copies.second for copies in mine.values()]))
        result.said[name] = {"images": len(touched), "kept": name in given}
        result.notes.append(sentence.rstrip(".") + ("" if name in given else "; they are not measured on"))
        if name not in given:
            sides[name] = sides[name].part(np.setdiff1d(np.arange(len(sides[name])), touched))
    return result


def _refuse_same_files(sides: dict[str, Samples], given: Sequence[str]) -> None:
    """Refuse a file that stands in two lists, without reading any."""
    names = list(sides)
    for number, after in enumerate(names):
        for before in names[:number] if after in given else ():
            both = sorted(set(sides[before].sources) & set(sides[after].sources))
            if both:
                raise BadInput(
                    f"{len(both)} images are in the training and in the {after}, such as {both[0]!r}."
                    if before == "training"
                    else f"{len(both)} images are in the {before} and in the {after}, such as {both[0]!r}.",
                    hint=_MEND,
                )


_PAIRS = (("training", "validation"), ("training", "test"), ("validation", "test"))


def _looked(
    sides: dict[str, Samples], settings: Settings, memory: Path | None
) -> tuple[dict[tuple[str, str], Copies], dict[str, str]]:
    """Return the copies between every two sides, and the names of what could not be read."""
    key = _key(sides)
    if memory is not None and memory.is_file():
        kept = json.loads(memory.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return {pair: _loaded(kept["copies"]["/".join(pair)]) for pair in _PAIRS}, dict(kept["broken"])
    threads = settings.threads or os.cpu_count() or 1
    prints: dict[str, Prints] = {name: prints_of(part, threads) for name, part in sides.items()}
    found = {(a, b): copies_between(prints[a], prints[b]) for a, b in _PAIRS}
    broken = {sides[name].names[at]: why for name in sides for at, why in prints[name].broken.items()}
    if memory is not None:
        said = {"/".join(pair): _dumped(copies) for pair, copies in found.items()}
        aside = memory.with_name(f"{memory.name}.{os.getpid()}.part")
        aside.write_text(json.dumps({"key": key, "copies": said, "broken": broken}), encoding="utf-8")
        aside.replace(memory)
    return found, broken


def _key(sides: dict[str, Samples]) -> str:
    """Return a hash of which files stand where, and of their sizes and times."""
    made = hashlib.sha256()
    for name, part in sides.items():
        made.update(f"{name}\n".encode())
        for source in part.sources:
            try:
                facts = Path(source).stat()
                seen = f"{facts.st_size} {facts.st_mtime_ns}"
            except (OSError, ValueError):
                seen = ""  # a member of an archive, or an address
            made.update(f"{source}\t{seen}\n".encode("utf-8", "surrogateescape"))
    return made.hexdigest()


def _dumped(copies: Copies) -> list[Any]:
    return [copies.first.tolist(), copies.second.tolist(), copies.exact.tolist(), copies.left]


def _loaded(kept: list[Any]) -> Copies:
    first, second, exact, left = kept
    return Copies(np.array(first, np.int64), np.array(second, np.int64), np.array(exact, np.bool_), int(left))


def _sentence(sides: dict[str, Samples], name: str, mine: dict[str, Copies], broken: dict[str, str]) -> str:
    touched = {int(at) for copies in mine.values() for at in copies.second}
    exact = {int(at) for copies in mine.values() for at in copies.second[copies.exact]}
    pairs = [
        f"{printable(sides[before].names[a])} = {printable(sides[name].names[b])}"
        for before, copies in mine.items()
        for a, b in zip(copies.first, copies.second, strict=True)
    ]
    of = " or ".join(before for before, copies in mine.items() if len(copies))
    one = len(touched) == 1
    said = (
        f"{len(touched)} of {len(sides[name])} {name} images {'is a copy' if one else 'are copies'} of {of} images: "
        f"{len(exact)} of equal bytes, {len(touched) - len(exact)} of equal pixels, "
        f"such as {', '.join(pairs[:NAMED])}."
    )
    if broken:
        said += f" {len(broken)} images could not be read to look, such as {printable(next(iter(broken)))}."
    if left := sum(copies.left for copies in mine.values()):
        said += f" {left} more pairs look alike; their pixels were not compared: too many."
    return said

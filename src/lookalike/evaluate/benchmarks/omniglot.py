"""Omniglot: 20-way 1-shot episodes, within an alphabet and across alphabets, which are two tasks and not comparable.

Within an alphabet all twenty characters share a script and a drawer's hand tells little: harder. The two archives
``small1`` and ``small2`` share alphabets (Greek, Latin): their drawings count once. A class that is held out is a whole
alphabet; a figure across alphabets needs at least two of them.
Source: Lake, Salakhutdinov and Tenenbaum, Human-level concept learning ..., Science 350, 2015.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...errors import NoSuchFile
from ..truth.omniglot import read as read_names
from .base import Benchmark, Material, Part, Run, held_out, labelled

__all__ = ["BENCHMARKS"]

ARCHIVES = ("images_background*.zip", "images_evaluation*.zip")
METRICS = ("hit_rate@1",)
NOT_COMPARABLE = "Episodes within an alphabet and across alphabets are two tasks: their figures are not comparable."


def read(data: Path, part: Part) -> Material:
    """Read the names in the archives, or in folders of the same names."""
    sources = [path for pattern in ARCHIVES for path in sorted(data.glob(pattern))] or [
        path for pattern in ARCHIVES for path in sorted(data.glob(pattern.removesuffix(".zip"))) if path.is_dir()
    ]
    if not sources:
        raise NoSuchFile(f"{data} holds no {' or '.join(ARCHIVES)}.", hint="Name the folder of Omniglot's archives.")
    drawings: dict[str, tuple[str, str, str]] = {}  # alphabet/character/file -> name, character, alphabet
    for source in sources:
        known = read_names(source)
        for at, (name, alphabet) in enumerate(zip(known.names, known.groups or (), strict=True)):
            drawings.setdefault("/".join(name.split("/")[-3:]), (name, known.text(at), alphabet))
    if part == "held-out":
        drawings = {key: item for key, item in drawings.items() if held_out(item[2])}
    items = list(drawings.values())
    truth = labelled(data, [(name, [character]) for name, character, _ in items], format="omniglot")
    truth = replace(truth, groups=tuple(alphabet for *_, alphabet in items))
    alphabets = sorted({alphabet for *_, alphabet in items})
    several = len(alphabets) > 1
    by_alphabet = {name: alphabet for name, _, alphabet in items} if several else None
    unit = "alphabets" if several else "characters, as there is one alphabet"
    notes = (f"Alphabets: {', '.join(alphabets)}; intervals draw {unit}.",)
    within = Run(
        name="within-alphabet",
        truth=truth,
        protocol="20-way-1-shot-within",
        metrics=METRICS,
        classes=by_alphabet,
        notes=(*notes, NOT_COMPARABLE)
        if several
        else (*notes, "Across alphabets needs two of them or more, so there is no such figure here (see --all)."),
    )
    across = replace(within, name="across-alphabets", protocol="20-way-1-shot", notes=(*notes, NOT_COMPARABLE))
    return Material(sources=tuple(sources), runs=(within, across) if several else (within,), part=part)


BENCHMARKS = (
    Benchmark(
        "omniglot",
        "handwritten characters, 20-way 1-shot: within an alphabet and across alphabets, which are not comparable",
        "images_background*.zip: .../ALPHABET/characterNN/*.png",
        "Lake, Salakhutdinov and Tenenbaum, Science 350, 2015",
        ("omniglot",),
        read,
        splits=True,
    ),
)

"""Revisited Oxford and Paris: ``gnd_roxford5k.pkl`` with ``imlist``, ``qimlist`` and ``gnd`` of each query.

Each query knows its easy, hard and junk images. *Easy* finds the easy ones among the rest without hard and junk;
*medium* finds easy and hard without junk; *hard* finds the hard ones without easy and junk. A query is the part of its
image that ``bbx`` (left, top, right, bottom) names; what is searched is whole.
Source: Radenović, Iscen, Tolias, Avrithis and Chum, Revisiting Oxford and Paris, CVPR 2018, sec. 3; ``revisitop``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BadInput
from .base import Box, Ints, Pairs, Reader, Truth
from .building import Names
from .pickles import array_of, load_plain

__all__ = ["READER", "VARIANTS", "read"]

# What counts, and what is taken out; medium first: it is the default.
VARIANTS = {
    "medium": (("easy", "hard"), ("junk",)),
    "easy": (("easy",), ("junk", "hard")),
    "hard": (("hard",), ("junk", "easy")),
}


def looks(path: Path) -> bool:
    """Whether it is called ``gnd_*.pkl``, or a folder with one such file."""
    return _file(path) is not None


def read(path: Path) -> Truth:
    """Read it; no code runs.

    Raises:
        NoSuchFile, BadInput: not that layout, an index out of range, or a pickle of something else.
    """
    where = _file(path) or path
    found = load_plain(where)
    try:
        items, asking, judged = ([*array_of(found[key])] for key in ("imlist", "qimlist", "gnd"))
    except (TypeError, KeyError, IndexError) as error:
        raise BadInput(
            f"{where} does not hold imlist, qimlist and gnd.", hint="Use gnd_roxford5k.pkl or gnd_rparis6k.pkl."
        ) from error
    if len(asking) != len(judged) or not asking:
        raise BadInput(f"{where} has {len(asking)} queries and the ground truth of {len(judged)}.")
    names = Names()
    base = np.array([names.position(str(name)) for name in items], np.int64)
    queries = np.array([names.position(str(name)) for name in asking], np.int64)
    lists = [{key: _indices(where, number, entry, key, len(items)) for key in ("easy", "hard", "junk")}
             for number, entry in enumerate(judged)]  # fmt: skip
    if any(not sum(len(some) for some in entry.values()) for entry in lists):
        first = next(number for number, entry in enumerate(lists) if not sum(map(len, entry.values())))
        raise BadInput(
            f"query {first} of {where} has no easy, hard or junk images.", hint="It may be the ground truth of 2007."
        )
    boxes = {int(queries[number]): box for number, entry in enumerate(judged) if (box := _box(entry)) is not None}
    return Truth(
        path=where,
        format="revisited",
        names=names.all(),
        variants={
            name: (_pairs(queries, base, lists, right), _pairs(queries, base, lists, junk))
            for name, (right, junk) in VARIANTS.items()
        },
        queries=queries,
        base=base,
        boxes=boxes,
        folders=(where.parent / "jpg", where.parent),
    )


def _file(path: Path) -> Path | None:
    if path.is_dir():
        some = sorted(path.glob("gnd_*.pkl"))
        return some[0] if len(some) == 1 else None
    return path if path.suffix == ".pkl" else None


def _indices(path: Path, query: int, entry: Any, key: str, size: int) -> Ints:
    values = array_of(entry.get(key, [])) if isinstance(entry, dict) else []
    out = np.asarray(values, np.float64).reshape(-1)
    if len(out) and not ((out >= 0) & (out < size) & (out == np.floor(out))).all():
        raise BadInput(f"query {query} of {path} names an image outside 0..{size - 1} in {key!r}.")
    return out.astype(np.int64)


def _pairs(queries: Ints, base: Ints, lists: Sequence[dict[str, Ints]], kinds: tuple[str, ...]) -> Pairs:
    found = [np.unique(np.concatenate([entry[kind] for kind in kinds])) for entry in lists]
    items = np.concatenate(found)
    return Pairs(np.repeat(queries, [len(some) for some in found]), base[items], np.ones(len(items), np.float32))


def _box(entry: Any) -> Box | None:
    values = array_of(entry.get("bbx")) if isinstance(entry, dict) else None
    if values is None or len(values) != 4:
        return None
    x0, y0, x1, y1 = (float(value) for value in values)
    return x0, y0, x1, y1


READER = Reader("revisited", "Revisited Oxford and Paris: gnd_roxford5k.pkl, gnd_rparis6k.pkl", looks, read)

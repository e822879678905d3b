"""BEIR: ``qrels/test.tsv`` with the header ``query-id corpus-id score``, beside ``corpus.jsonl`` and ``queries.jsonl``.

With ``corpus.jsonl`` its items are the base; without it the whole collection is. An image's name is the field
``image``, ``path`` or ``file`` of its line in the jsonl, else its ``_id``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import BadInput, NoSuchFile
from .base import Reader, Truth
from .building import Names, PairList, taken
from .tables import first_line, grade_of, table_of

__all__ = ["READER", "read"]

HEADER = ["query-id", "corpus-id", "score"]
PARTS = ("test", "dev", "validation", "val")
IMAGE = ("image", "path", "file", "_id")


def looks(path: Path) -> bool:
    """Whether it is a folder with qrels, or a TSV with their header."""
    if path.is_dir():
        return _qrels(path) is not None
    return path.suffix.lower() == ".tsv" and first_line(path, separator="\t") == HEADER


def read(path: Path) -> Truth:
    """Read one part: ``test``, else ``dev``, ``validation`` or ``val`` when a folder is given.

    Raises:
        NoSuchFile, BadInput: no qrels, another header, a grade that is no number from 0 up, a pair with two grades.
    """
    return _part(path, _qrels(path) if path.is_dir() else path)


def read_training(path: Path) -> Truth:
    """Read ``qrels/train.tsv`` of a folder; a file is taken as it is.

    Raises:
        As ``read``.
    """
    if not path.is_dir():
        return taken(_part(path, path), "all lines")
    qrels = path / "qrels" / "train.tsv"
    if not qrels.is_file():
        raise NoSuchFile(f"{path} has no qrels/train.tsv to train on.", hint="Name the TSV itself.")
    return taken(_part(path, qrels), "all lines")


def _part(path: Path, qrels: Path | None) -> Truth:
    if qrels is None:
        raise NoSuchFile(f"{path} has no qrels/test.tsv.", hint="Name the TSV itself.")
    root = path if path.is_dir() else qrels.parent.parent if qrels.parent.name == "qrels" else qrels.parent
    query_names, item_names = _images(root / "queries.jsonl"), _images(root / "corpus.jsonl")
    header, lines = table_of(qrels, separator="\t")
    if header != HEADER:
        raise BadInput(
            f"the first line of {qrels} is {' '.join(header)!r}.", hint="BEIR's is: query-id corpus-id score"
        )
    names, found = Names(), PairList(qrels)
    queries: dict[int, None] = {}
    base = [names.position(name) for name in item_names.values()]
    for line, (query, item, score, *_) in lines:
        asking = names.position(query_names.get(query, query))
        queries[asking] = None
        relevant = names.position(item_names.get(item, item))
        said = f"the pair {query!r}, {item!r}"
        found.add(line, asking, relevant, grade_of(qrels, line, score), said=said)
    return Truth(
        path=qrels,
        format="beir",
        names=names.all(),
        pairs=found.pairs(),
        queries=np.array(list(queries), np.int64),
        base=np.array(base, np.int64) if base else None,
        folders=(root,),
        notes=found.notes(),
    )


def _qrels(folder: Path) -> Path | None:
    return next((path for part in PARTS if (path := folder / "qrels" / f"{part}.tsv").is_file()), None)


def _images(path: Path) -> Mapping[str, str]:
    """Return id -> name of the image; empty without the file."""
    out: dict[str, str] = {}
    if not path.is_file():
        return out
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                out[str(entry["_id"])] = str(next(entry[key] for key in IMAGE if entry.get(key)))
            except (ValueError, KeyError, TypeError, StopIteration) as error:
                raise BadInput(f"line {number} of {path} is no JSON object with an _id.") from error
    return out


READER = Reader(
    "beir", "BEIR: qrels/test.tsv (query-id corpus-id score), corpus.jsonl, queries.jsonl", looks, read, read_training
)

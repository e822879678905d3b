"""Google Landmarks v2: ``retrieval_solution_v2.1.csv`` (``id,images,Usage``) and ``recognition_solution_v2.1.csv``.

Queries whose Usage is ``Ignored`` are left out. In a recognition solution (``id,landmarks,Usage``) the images of the
base have their landmarks in ``train.csv`` (``id,...,landmark_id``) beside it; a query without a landmark has nothing to
find and counts in pooled metrics only. Source: Weyand, Araujo, Cao and Sim, CVPR 2020.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import BadInput, NoSuchFile
from .base import Reader, Truth
from .building import Labelled, Names, PairList
from .tables import column, first_line, table_of

__all__ = ["READER", "read"]

TRAIN = ("train.csv", "train_clean.csv", "index_image_to_landmark.csv")


def looks(path: Path) -> bool:
    """Whether the header is that of a solution."""
    header = first_line(path) if path.suffix.lower() == ".csv" else []
    return header[:2] in (["id", "images"], ["id", "landmarks"])


def read(path: Path) -> Truth:
    """Read it.

    Raises:
        NoSuchFile, BadInput: another header, or no train.csv beside a recognition solution.
    """
    header = first_line(path)
    if header[:2] == ["id", "landmarks"]:
        return _recognition(path)
    header, lines = table_of(path)
    if header[:2] != ["id", "images"]:
        raise BadInput(f"the first line of {path} is {','.join(header)!r}.", hint="It should be id,images,Usage.")
    usage = column(header, ("usage",))
    names, found = Names(), PairList(path)
    queries: dict[int, None] = {}
    for line, fields in lines:
        if usage is not None and fields[usage].strip().lower() == "ignored":
            continue
        query = names.position(fields[0])
        queries[query] = None
        for item in fields[1].split():
            if item.lower() != "none":
                found.add(line, query, names.position(item), 1.0, said=f"the pair {fields[0]!r}, {item!r}")
    return Truth(
        path=path,
        format="landmarks",
        names=names.all(),
        pairs=found.pairs(),
        queries=np.array(list(queries), np.int64),
        folders=(path.parent / "test", path.parent),
        notes=found.notes(),
    )


def _recognition(path: Path) -> Truth:
    train = next((path.parent / name for name in TRAIN if (path.parent / name).is_file()), None)
    if train is None:
        raise NoSuchFile(
            f"the landmarks of the base are not beside {path}.", hint=f"Put one of {', '.join(TRAIN)} there."
        )
    items = Labelled(path)
    base, queries = [], []
    header, lines = table_of(train)
    landmark = column(header, ("landmark_id",))
    if landmark is None or header[0] != "id":
        raise BadInput(f"{train} has no columns 'id' and 'landmark_id'; its first line is {','.join(header)!r}.")
    for line, fields in lines:
        if (position := items.add(line, fields[0], [fields[landmark].strip()])) is not None:
            base.append(position)
    header, lines = table_of(path)
    usage = column(header, ("usage",))
    for line, fields in lines:
        if usage is not None and fields[usage].strip().lower() == "ignored":
            continue
        if (position := items.add(line, fields[0], fields[1].split())) is not None:
            queries.append(position)
    return Truth(
        path=path,
        format="landmarks",
        names=items.names(),
        labels=items.sets(),
        overlap="any",
        queries=np.array(queries, np.int64),
        base=np.array(base, np.int64),
        folders=(path.parent / "test", path.parent),
    )


READER = Reader("landmarks", "Google Landmarks v2: retrieval_solution or recognition_solution CSV", looks, read)

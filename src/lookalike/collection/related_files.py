"""Lists of related images in a file: CSV, Parquet, or a sparse matrix of numpy."""

from __future__ import annotations

import csv
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput, LookalikeError, MissingExtra, StorageFailed
from ..types import Rows
from .related import Related

if TYPE_CHECKING:
    from .facade import Collection

__all__ = ["SUFFIXES", "check_target", "write_related"]

SUFFIXES = (".csv", ".parquet", ".npz")

_NAMES = 4096  # records looked up at a time when ids are written


def write_related(photos: Collection, lists: Related, target: str | os.PathLike[str]) -> None:
    """Write the lists as the suffix of ``target`` says; the file appears whole or not at all.

    - ``.csv`` and ``.parquet``: one row a pair: ``id, rank, related_id, score``; ranks count from 1.
    - ``.npz``: a CSR matrix in the layout of ``scipy.sparse.load_npz`` (``indices``, ``indptr``, ``data``, ``shape``,
      ``format``), (N, N) scores whose row i is that of ``ids[i]``, and ``ids`` (N,) and ``rows`` (N,) beside it.

    Raises:
        BadInput: another suffix, or the folder does not exist. MissingExtra: Parquet without pyarrow.
        StorageFailed: it cannot be written.
    """
    path = Path(target).expanduser()
    check_target(path)
    if path.suffix.lower() == ".npz":
        with _whole(path) as file:
            _write_npz(photos, lists, file)
        return
    if path.suffix.lower() == ".parquet":
        with _whole(path) as file:
            _write_parquet(photos, lists, file)
        return
    with _whole(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        table = csv.writer(text)
        table.writerow(["id", "rank", "related_id", "score"])
        for ids, ranks, others, scores in _pairs(photos, lists):
            table.writerows(zip(ids, ranks, others, (f"{score:.6f}" for score in scores), strict=True))
        text.flush()
        text.detach()


def check_target(path: Path) -> None:
    """Refuse, before any work, a file that could not be written.

    Raises:
        BadInput: the suffix or the folder is wrong. MissingExtra: Parquet without pyarrow.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(
            f"{path.name!r} has none of the suffixes {', '.join(SUFFIXES)}, which say how lists are written.",
            hint="Name the file related.csv, for one.",
        )
    if not path.parent.is_dir() or path.is_dir():
        raise BadInput(
            f"{path} cannot be written: {'it' if path.is_dir() else path.parent} is "
            f"{'a folder' if path.is_dir() else 'no folder'}.",
            hint="Name a file in a folder that exists.",
        )
    if path.suffix.lower() == ".parquet":
        _arrow()


def _pairs(photos: Collection, lists: Related) -> Iterator[tuple[list[str], list[int], list[str], list[float]]]:
    """Yield columns of pairs, some thousands of images at a time; records removed meanwhile are left out."""
    for start in range(0, len(lists), _NAMES):
        end = min(start + _NAMES, len(lists))
        part = slice(int(lists.indptr[start]), int(lists.indptr[end]))
        counts = np.diff(lists.indptr[start : end + 1])
        rows = np.repeat(lists.rows[start:end], counts)
        ranks = np.arange(len(rows)) - np.repeat(lists.indptr[start:end] - lists.indptr[start], counts) + 1
        names = _names(photos, np.union1d(rows, lists.neighbours[part]))
        columns = zip(
            rows.tolist(), ranks.tolist(), lists.neighbours[part].tolist(), lists.scores[part].tolist(), strict=True
        )
        kept = [(names[a], rank, names[b], score) for a, rank, b, score in columns if a in names and b in names]
        yield tuple(list(column) for column in zip(*kept, strict=True)) if kept else ([], [], [], [])  # type: ignore[misc]


def _names(photos: Collection, rows: Rows) -> dict[int, str]:
    return {record.row: record.id for record in photos.store.get_rows(rows) if record is not None}


def _write_npz(photos: Collection, lists: Related, file: IO[bytes]) -> None:
    names: dict[int, str] = {}
    for start in range(0, len(lists), _NAMES):
        names.update(_names(photos, lists.rows[start : start + _NAMES]))
    n = len(lists)
    np.savez_compressed(
        file,
        indices=np.searchsorted(lists.rows, lists.neighbours),
        indptr=lists.indptr,
        data=lists.scores,
        shape=np.array([n, n]),
        format=np.array(b"csr"),
        ids=np.array([names.get(row, "") for row in lists.rows.tolist()], np.str_),
        rows=lists.rows,
    )


def _write_parquet(photos: Collection, lists: Related, file: IO[bytes]) -> None:
    arrow, parquet = _arrow()
    schema = arrow.schema(
        [("id", arrow.string()), ("rank", arrow.int32()), ("related_id", arrow.string()), ("score", arrow.float32())]
    )
    with parquet.ParquetWriter(file, schema) as writer:
        for columns in _pairs(photos, lists):
            writer.write_table(arrow.table(list(columns), schema=schema))


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("pyarrow"):
            raise
        raise MissingExtra(
            "Parquet needs the package 'pyarrow', which is not installed.", hint="pip install 'lookalike[parquet]'"
        ) from error
    return pyarrow, pyarrow.parquet


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """Lend a file beside ``path`` that takes its place, synced, when the block ends well; else it is removed."""
    aside = path.with_name(f".{path.name[:40]}-{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except LookalikeError:
        raise
    except OSError as error:
        raise StorageFailed(f"{path} could not be written: {error.strerror}.") from error
    finally:
        aside.unlink(missing_ok=True)

"""Lists of pictures: CSV, TSV and Parquet tables with a column of paths or URLs, and names on standard input."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from ..errors import BadInput, FetchFailed, MissingExtra
from ..types import Metadata, Stamp
from .archives import read_member
from .http import fetch
from .item import Item, Skipped
from .names import is_url, path_id, path_within, split_archive
from .reading import FetchLimits, failure, file_item
from .sidecars import json_value

__all__ = ["LIST_SUFFIXES", "is_list", "named_item", "names_in", "scan_names", "scan_table"]

LIST_SUFFIXES = (".csv", ".tsv", ".parquet")
# The names people give to the column that matters, the surest first; compared without case (LAION writes URL).
_COLUMNS = ("file", "path", "image_path", "image", "filename", "filepath", "url", "source")

_Row = tuple[int, Mapping[str, Any]]  # line (CSV) or row number (Parquet), and its cells by column


def is_list(path: str) -> bool:
    """Say whether a path ends like that of a table."""
    return path.lower().endswith(LIST_SUFFIXES)


def scan_table(path: str, *, limits: FetchLimits) -> Iterator[Item | Skipped]:
    """Yield the pictures that a table names; the table is opened at once, its rows are read as they are wanted.

    The column is the first of ``file, path, image_path, image, filename, filepath, url, source``. A column ``id``
    gives the ids; all other columns are metadata, without the empty cells. Paths are relative to the table's folder.

    Raises:
        BadInput: the table cannot be read, or has no such column.
        MissingExtra: a Parquet file, and pyarrow is not installed.
    """
    try:
        rows = _parquet(path) if path.lower().endswith(".parquet") else _csv(path)
    except OSError as error:
        raise BadInput(f"cannot read the list {path!r}: {error.strerror or error}.") from error
    return _items(path, rows, limits)


@dataclass(frozen=True, slots=True)
class _Rows:
    column: str  # the one with the path or URL
    id_column: str | None
    rows: Iterator[_Row]
    unit: str  # what a row is called in messages


def _items(path: str, table: _Rows, limits: FetchLimits) -> Iterator[Item | Skipped]:
    folder = os.path.dirname(path)
    number = 0
    try:
        for number, cells in table.rows:
            where = f"{path!r}, {table.unit} {number}"
            name = cells.get(table.column)
            if not isinstance(name, str) or not name:
                yield Skipped(path, FetchFailed(f"{where}: the column {table.column!r} is empty."))
                continue
            metadata = {
                key: json_value(value)
                for key, value in cells.items()
                if key not in (table.column, table.id_column) and value is not None and value != ""
            }
            item = named_item(name, folder, limits, metadata=metadata, where=where)
            given = cells.get(table.id_column) if table.id_column else None
            if isinstance(item, Item) and given is not None and given != "":
                item = replace(item, id=path_id(str(given), separator="/"), given_id=True)
            yield item
    except (csv.Error, OSError, ValueError) as error:  # pyarrow's errors are among these
        yield Skipped(path, FetchFailed(f"{path!r} cannot be read after {table.unit} {number}: {error}."))


def _columns(path: str, names: Sequence[str]) -> tuple[str, str | None]:
    by_lower = {name.strip().lower(): name for name in reversed(names)}
    column = next((by_lower[wanted] for wanted in _COLUMNS if wanted in by_lower), None)
    if column is None:
        raise BadInput(
            f"{path!r} has no column with paths or URLs; its columns are {', '.join(map(repr, names)) or 'none'}.",
            hint=f"Name one of them {', '.join(_COLUMNS[:-1])} or {_COLUMNS[-1]}.",
        )
    return column, by_lower.get("id")


def _csv(path: str) -> _Rows:
    # Names that are not UTF-8 survive as surrogate escapes, as they do everywhere else.
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        first = file.readline(1_000_000)
        delimiter = "\t" if path.lower().endswith(".tsv") else max(",;\t", key=first.count)
        file.seek(0)
        names = next(csv.reader(file, delimiter=delimiter), [])
    column, id_column = _columns(path, names)

    def rows() -> Iterator[_Row]:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            for cells in reader:
                yield reader.line_num, {key: cell for key, cell in cells.items() if key is not None}

    return _Rows(column, id_column, rows(), "line")


def _parquet(path: str) -> _Rows:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as missing:
        raise MissingExtra(
            f"reading {path!r} needs pyarrow, which is not installed.", hint="Try: pip install 'lookalike[parquet]'"
        ) from missing
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
    except (pyarrow.ArrowException, ValueError) as error:
        raise BadInput(f"{path!r} is not a Parquet file that can be read: {error}.") from error
    kinds = pyarrow.types
    columns = [field.name for field in schema if not (kinds.is_binary(field.type) or kinds.is_large_binary(field.type))]
    texts = [field.name for field in schema if kinds.is_string(field.type) or kinds.is_large_string(field.type)]
    column, _ = _columns(path, texts)

    def rows() -> Iterator[_Row]:
        with pyarrow.parquet.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=1024, columns=columns)
            yield from enumerate(chain.from_iterable(batch.to_pylist() for batch in batches), start=1)

    id_column = next((name for name in columns if name.strip().lower() == "id"), None)
    return _Rows(column, id_column, rows(), "row")


def named_item(
    name: str, folder: str, limits: FetchLimits, *, metadata: Metadata | None = None, where: str = ""
) -> Item | Skipped:
    """Return what a list means by a path, a URL or ``archive.tar!/member``.

    Args:
        name: as it stands in the list.
        folder: absolute; what a relative path is relative to.
        limits: of reading.
        metadata: what the list says about it.
        where: file and line, for messages.
    """
    if is_url(name):
        return Item(name, "", name, None, partial(fetch, name, limits=limits), metadata or {})
    path = os.path.normpath(os.path.join(folder, name))
    archive, member = split_archive(os.path.join(folder, name))
    if archive and not os.path.lexists(path):
        return _member_item(os.path.normpath(archive), member, folder, limits, metadata or {}, where)
    root, id = path_within(path, folder)
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(None, "it is a folder, not a picture")
        return file_item(path, root, id, os.stat(path), limits, metadata)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return Skipped(path, _with_place(path, error, where))


def _member_item(
    archive: str, member: str, folder: str, limits: FetchLimits, metadata: Metadata, where: str
) -> Item | Skipped:
    try:
        status = os.stat(archive)
    except OSError as error:
        return Skipped(f"{archive}!/{member}", _with_place(archive, error, where))
    root, id = path_within(archive, folder)
    # Each is read once at most, so looking for the member is left to the reading.
    return Item(
        id=f"{id}/{path_id(member, separator='/')}",
        root=root,
        source=f"{archive}!/{member}",
        stamp=Stamp(status.st_size, status.st_mtime_ns),
        read=partial(read_member, archive, member, limits),
        metadata=metadata,
    )


def _with_place(path: str, error: Exception, where: str) -> FetchFailed:
    told = failure(path, error) if isinstance(error, OSError) else FetchFailed(f"cannot read {path!r}: {error}.")
    return FetchFailed(f"{where}: {told.message}" if where else told.message, hint=told.hint)


def scan_names(stream: BinaryIO | None, *, limits: FetchLimits) -> Iterator[Item | Skipped]:
    """Yield the pictures whose paths or URLs a stream lists (None: standard input); paths are relative to here."""
    folder = os.getcwd()
    for name in names_in(stream if stream is not None else sys.stdin.buffer):
        yield named_item(name, folder, limits)


def names_in(stream: BinaryIO) -> Iterator[str]:
    """Yield the names in a stream as they come: one a line, or ended by NULs where the first block has one.

    Empty lines are passed over. Undecodable bytes become surrogate escapes.
    """
    read = getattr(stream, "read1", stream.read)
    block: bytes = read(65536).removeprefix(b"\xef\xbb\xbf")
    separator = b"\0" if b"\0" in block else b"\n"
    rest = b""
    while block:
        *whole, rest = (rest + block).split(separator)
        yield from _decoded(whole, separator)
        block = read(65536)
    yield from _decoded([rest], separator)


def _decoded(names: Sequence[bytes], separator: bytes) -> Iterator[str]:
    for name in names:
        if separator == b"\n":
            name = name.removesuffix(b"\r")
        if name:
            yield os.fsdecode(name)

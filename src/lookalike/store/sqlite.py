"""The store in one SQLite file: records, metadata and vectors, one folder a collection."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import BadInput, OtherEmbedder, UnknownName
from ..nearest_name import choices
from ..protocols import NewRecord
from ..types import Metadata, Record, Regions, Rows, Stamp, Vectors, VectorSpace
from . import backup as backups
from . import derived, paths
from .connections import Connections
from .lock import WriterLock
from .opening import FILE, open_folder
from .regions import drop_regions, put_regions, read_regions
from .rows import COLUMNS, check_vectors, hash_bytes, record, values
from .snapshot import MappedFiles, VectorSnapshot
from .words import find_words, forget_words, put_words

__all__ = ["FILE", "SqliteStore", "open_sqlite"]

T = TypeVar("T")

_AT_ONCE = 500  # values in one IN (...): every SQLite takes 999
_PAGE = 1000  # records read ahead by ``records``


class SqliteStore:
    """Keeps the ``Store`` protocol; made by ``open``. May be shared by threads; open it again in each process.

    Every writing method is one transaction, synced to the disk before it returns. Readers in any process see what has
    been committed and wait for nobody.
    """

    def __init__(self, path: Path, connections: Connections, lock: WriterLock) -> None:
        self._path = path
        self._connections = connections
        self._lock = lock
        self._files = MappedFiles()

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> SqliteStore:
        """Open the collection folder ``path``, bringing its format up to date; make it when ``create`` is given.

        Raises:
            NoCollection: there is none, or the folder holds other things.
            NewerFormat: a newer version of lookalike made it.
            CollectionBusy: its format must be brought up to date while another process writes.
            StorageFailed: it is damaged, or cannot be read (or made).
        """
        return cls(Path(path), *open_folder(Path(path), create))

    def __repr__(self) -> str:
        return f"SqliteStore({str(self._path)!r})"

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The collection's folder."""
        return self._path

    @property
    def version(self) -> int:
        """A number that grows with every committed change, in whichever process."""
        with self._connections.use() as db:
            return _clock(db)

    def close(self) -> None:
        """Close the files; using the store afterwards is an error."""
        self._files.close()
        self._connections.close()

    def writing(self, *, wait_s: float = 0.0) -> AbstractContextManager[None]:
        """Hold the writer's lock; may be nested.

        Raises:
            CollectionBusy: another process holds it, still so after ``wait_s`` seconds.
        """
        return self._lock.held(wait_s=wait_s)

    def setting(self, key: str, default: str = "") -> str:
        """Return a setting."""
        with self._connections.use() as db:
            found = db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        return default if found is None else str(found[0])

    def set_setting(self, key: str, value: str) -> None:
        """Store a setting."""
        with self._changing() as (db, _):
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))

    def spaces(self) -> Mapping[str, VectorSpace]:
        """Return the vector spaces by name, in the order they were added."""
        with self._connections.use() as db:
            return {name: space for name, (_, space) in _spaces(db).items()}

    def add_space(self, space: VectorSpace) -> None:
        """Add a vector space; adding the same one again does nothing.

        Raises:
            OtherEmbedder: the name is taken by a space that differs.
            BadInput: a kind that is not stored yet.
        """
        if space.similarity not in ("cosine", "l2", "hamming"):
            raise BadInput(
                f"the space {space.name!r} is {space.kind}/{space.similarity}; the store holds float vectors compared "
                "by cosine or l2, and bits."
            )
        known = self.spaces().get(space.name)
        if known == space:
            return
        if known is not None:
            raise OtherEmbedder(
                f"the collection {self._path} has another space named {space.name!r}: stored {known}, given {space}.",
                hint="Use the embedder it was made with, or a collection of its own for the other one.",
            )
        with self._changing() as (db, _):
            added = db.execute(
                "INSERT INTO spaces (name, dim, kind, similarity, fingerprint) VALUES (?, ?, ?, ?, ?)",
                (space.name, space.dim, space.kind, space.similarity, space.fingerprint),
            ).lastrowid
            db.execute(
                f"CREATE TABLE vectors_{added} (row INTEGER PRIMARY KEY, seq INTEGER NOT NULL, vector BLOB NOT NULL)"
            )
            db.execute(f"CREATE INDEX vectors_{added}_by_seq ON vectors_{added} (seq)")

    def put(
        self,
        records: Sequence[NewRecord],
        vectors: Mapping[str, Vectors],
        *,
        regions: Mapping[str, Regions] | None = None,
        indexed_ns: int | None = None,
    ) -> Rows:
        """Add or replace records by id, with their vectors by space name; one transaction.

        A replaced record keeps its row. When its content hash has changed, its vectors of spaces that are not given
        are dropped, for they are of other bytes. Of an id that comes twice the last wins.

        Args:
            records: what to store.
            vectors: space name -> (len(records), dim) float32, finite, of unit norm where the space is cosine;
                packed uint8 where it is of bits.
            regions: space name -> parts of the images, in spaces whose ``vectors`` are given; they take the place of
                what there was. Their owners are positions in ``records``.
            indexed_ns: the time just before the first of them was read, nanoseconds since the epoch; None means now.

        Returns:
            (len(records),) int64 row ids, in the order given.

        Raises:
            BadInput, BadShape: a record or vectors that cannot be stored; nothing is changed.
            UnknownName: a space that has not been added.
            CollectionBusy, StorageFailed: the change was not made.
        """
        with self._connections.use() as db:
            spaces = _spaces(db)
        for name, given in vectors.items():
            check_vectors(_named(spaces, name)[1], given, len(records))
        for name, parts in (regions or {}).items():
            if name not in vectors or (len(parts) and not 0 <= parts.owners[0] <= parts.owners[-1] < len(records)):
                raise BadInput(f"regions of {name!r} need the vectors of the whole images beside them.")
            check_vectors(spaces[name][1], parts.vectors, len(parts))
        last = {new.id: position for position, new in enumerate(records)}
        columns = [values(records[position]) for position in last.values()]
        if not columns:
            return np.empty(0, np.int64)
        now = time.time_ns() if indexed_ns is None else indexed_ns
        with self._changing() as (db, seq):
            before = {
                name: (row, content)
                for name, row, content in _select_in(db, "id, row, content_hash FROM records WHERE id", list(last))
            }
            fresh = itertools.count(_next_row(db))
            roots = _root_ids(db, {records[position].root for position in last.values()})
            for column, position in zip(columns, last.values(), strict=True):
                found = before.get(column["id"])
                column["row"] = found[0] if found is not None else next(fresh)
                column["root_id"] = roots[records[position].root]
                column["indexed_ns"], column["seq"] = now, seq
            _write_records(db, [c for c in columns if c["id"] not in before], [c for c in columns if c["id"] in before])
            put_words(db, columns)
            for name, given in vectors.items():
                db.executemany(
                    f"INSERT OR REPLACE INTO vectors_{spaces[name][0]} VALUES (?, ?, ?)",
                    (
                        (column["row"], seq, given[position].astype(spaces[name][1].dtype, copy=False).tobytes())
                        for column, position in zip(columns, last.values(), strict=True)
                    ),
                )
            known = [c for c in columns if c["id"] in before]
            changed = [c["row"] for c in known if before[c["id"]][1] != c["content_hash"]]
            for name, (space_id, space) in spaces.items():
                if name not in vectors:
                    _drop_vectors(db, space_id, changed, seq)
                drop_regions(db, space_id, [c["row"] for c in known] if name in vectors else changed, seq)
                if regions and name in regions:
                    at = {position: c["row"] for c, position in zip(columns, last.values(), strict=True)}
                    put_regions(db, space_id, space, seq, regions[name], at)
        rows = {column["id"]: column["row"] for column in columns}
        return np.fromiter((rows[new.id] for new in records), np.int64, len(records))

    def remove(self, rows: Sequence[int] | Rows) -> int:
        """Remove records with their vectors and return how many there were; unknown rows are passed over."""
        wanted = sorted({int(row) for row in rows})
        with self._changing() as (db, seq):
            for space_id, _ in _spaces(db).values():
                _drop_vectors(db, space_id, wanted, seq)
                drop_regions(db, space_id, wanted, seq)
            forget_words(db, wanted)
            return sum(
                db.execute(f"DELETE FROM records WHERE row IN ({_marks(part)})", part).rowcount
                for part in _parts(wanted)
            )

    def touch(self, stamps: Mapping[int, Stamp], *, indexed_ns: int | None = None) -> None:
        """Note new sizes and times of files whose content is the same; row -> stamp."""
        now = time.time_ns() if indexed_ns is None else indexed_ns
        with self._changing() as (db, seq):
            db.executemany(
                "UPDATE records SET size = ?, mtime_ns = ?, indexed_ns = ?, seq = ? WHERE row = ?",
                [(stamp.size, stamp.mtime_ns, now, seq, int(row)) for row, stamp in stamps.items()],
            )

    def get(self, ids: Sequence[str]) -> list[Record | None]:
        """Return the records of these ids, None for an unknown one."""
        found = {r.id: r for r in self._records_in("records.id", [i for i in set(ids) if _storable(i)])}
        return [found.get(name) for name in ids]

    def get_rows(self, rows: Sequence[int] | Rows) -> list[Record | None]:
        """Return the records of these rows, None for one that is no more."""
        wanted = [int(row) for row in rows]
        found = {r.row: r for r in self._records_in("records.row", list(set(wanted)))}
        return [found.get(row) for row in wanted]

    def known(self, sources: Sequence[str]) -> list[Record | None]:
        """Return the records whose bytes are at these paths or URLs, None for an unknown one.

        Where several records share a source (two ids of a list), the one of the lowest row.
        """
        found: dict[str, Record] = {}
        for r in self._records_in("records.source", [os.fsencode(source) for source in set(sources)]):
            if r.source not in found or r.row < found[r.source].row:
                found[r.source] = r
        return [found.get(source) for source in sources]

    def under(self, root: str) -> Iterator[tuple[str, int]]:
        """Yield (source, row) of every record below a folder or archive, or at that very path, in bytewise order."""
        at = (b"", -1)
        for low, high in paths.ranges(root):
            at = max(at, (low, -1))
            while True:
                with self._connections.use() as db:
                    page = db.execute(
                        "SELECT source, row FROM records WHERE (source, row) > (?, ?) AND source < ? "
                        "ORDER BY source, row LIMIT ?",
                        (*at, high, _PAGE),
                    ).fetchall()
                for source, row in page:
                    yield os.fsdecode(source), row
                if len(page) < _PAGE:
                    break
                at = page[-1]

    def find_hash(self, hashes: Sequence[str], space: str) -> dict[str, int]:
        """Map content hashes to the lowest row whose vector in ``space`` is of those very bytes."""
        wanted = [raw for raw in map(hash_bytes, set(hashes)) if raw is not None]
        with self._connections.reading() as db:
            table = f"vectors_{_named(_spaces(db), space)[0]}"
            found: dict[str, int] = {}
            for part in _parts(wanted):
                for raw, row in db.execute(
                    f"SELECT content_hash, MIN(records.row) FROM records JOIN {table} ON {table}.row = records.row "
                    f"WHERE content_hash IN ({_marks(part)}) GROUP BY content_hash",
                    part,
                ):
                    found[raw.hex()] = row
        return found

    def records(self, *, after: int = -1) -> Iterator[Record]:
        """Yield records by ascending row, a page at a time: a long walk sees what is committed meanwhile."""
        last = after
        while True:
            with self._connections.use() as db:
                page = db.execute(
                    f"SELECT {COLUMNS} WHERE records.row > ? ORDER BY records.row LIMIT ?", (last, _PAGE)
                ).fetchall()
            yield from map(record, page)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def metadata(self) -> Iterator[tuple[int, Metadata]]:
        """Yield (row, metadata) of every record by ascending row; quicker than ``records``."""
        last = -1
        while True:
            with self._connections.use() as db:
                page = db.execute(
                    "SELECT row, metadata FROM records WHERE row > ? ORDER BY row LIMIT ?", (last, _PAGE)
                ).fetchall()
            for row, text in page:
                yield row, json.loads(text)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def column(self, name: str) -> Iterator[tuple[int, Any]]:
        """Yield (row, value) of every record whose metadata has the column, by ascending row; null is no value."""
        if not _storable(name):
            return  # no query can ask for it
        last = -1
        while True:
            # By json_each and not by a path: a path cannot name every key, nor one that JSON wrote with escapes.
            with self._connections.use() as db:
                page = db.execute(
                    "SELECT records.row, f.type, CASE WHEN f.type IN ('text', 'array', 'object') "
                    "THEN CAST(f.value AS BLOB) ELSE f.value END FROM records, json_each(records.metadata) AS f "
                    "WHERE records.row > ? AND f.key = ? AND f.type != 'null' ORDER BY records.row LIMIT ?",
                    (last, name, _PAGE),
                ).fetchall()
            for row, kind, value in page:
                yield row, _json_value(kind, value)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def rows(self) -> Iterator[int]:
        """Yield the row of every record, ascending."""
        last = -1
        while True:
            with self._connections.use() as db:
                page = db.execute(
                    "SELECT row FROM records WHERE row > ? ORDER BY row LIMIT ?", (last, _PAGE)
                ).fetchall()
            yield from (row for (row,) in page)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def same_bytes(self, content_hash: str) -> list[int]:
        """Return the rows of the records with this content hash, ascending."""
        with self._connections.use() as db:
            found = db.execute(
                "SELECT row FROM records WHERE content_hash = ? ORDER BY row", (hash_bytes(content_hash),)
            ).fetchall()
        return [row for (row,) in found]

    def find_words(self, words: str, *, without: str = "", limit: int | None = None) -> list[tuple[int, float]]:
        """Return (row, score) of the records whose id, file name or metadata has any of the words, best first.

        Args:
            words: any text; its words are looked for one by one.
            without: records that have one of these words are left out.
            limit: at most so many; None: all.

        Returns:
            Scores in (0, 1) by BM25, on a scale of their own; equal ones by lower row.
        """
        with self._connections.use() as db:
            return find_words(db, words, without, limit)

    def count(self) -> int:
        """Return the number of records."""
        with self._connections.use() as db:
            return int(db.execute("SELECT COUNT(*) FROM records").fetchone()[0])

    def vectors(self, space: str, rows: Sequence[int] | Rows) -> Vectors:
        """Return (len(rows), dim) float32 in the order of ``rows``; packed uint8 in a space of bits.

        Raises:
            UnknownName: no such space, or a row that has no vector in it.
        """
        wanted = [int(row) for row in rows]
        with self._connections.reading() as db:
            space_id, meaning = _named(_spaces(db), space)
            # Each goes where it belongs as it is read: thousands of them at once are held a single time.
            made = np.empty((len(wanted), meaning.width), meaning.dtype)
            places = {row: place for place, row in enumerate(wanted)}
            missing = set(wanted)
            for row, vector in _select_in(db, f"row, vector FROM vectors_{space_id} WHERE row", list(missing)):
                made[places[row]] = np.frombuffer(vector, meaning.dtype)
                missing.discard(row)
        if missing:
            first = next(row for row in wanted if row in missing)
            raise UnknownName(f"row {first} has no vector in the space {space!r} ({len(missing)} such rows).")
        for place, row in enumerate(wanted):
            if places[row] != place:  # asked for twice
                made[place] = made[places[row]]
        return made

    def snapshot(self, space: str) -> VectorSnapshot:
        """Return the vectors of one space at this moment: a mapped file and the changes since it was written.

        The file is made anew when it is absent, torn or far behind; where the folder cannot be written, the vectors
        are read into memory instead.
        """
        return derived.snapshot(self._path, self._connections, space, derived.far_behind, self._files)

    def regions(self, space: str, rows: Sequence[int] | Rows) -> Regions:
        """Return the parts of the images in ``rows``, ascending by row, each image's in the order they were put.

        Raises:
            UnknownName: no such space.
        """
        with self._connections.reading() as db:
            space_id, meaning = _named(_spaces(db), space)
            return read_regions(db, space_id, meaning, sorted({int(row) for row in rows}))

    def region_snapshot(self, space: str) -> VectorSnapshot | None:
        """Return the vectors of all parts of images, as ``snapshot`` does; None where the space has never had any.

        Its ``rows`` are ``row * MOST_REGIONS + n``: the n-th part, from 0, of the image in ``row``.
        """
        return derived.region_snapshot(self._path, self._connections, space, derived.far_behind, self._files)

    def refresh_derived(self) -> None:
        """Write the mapped files of all spaces anew where they are behind; for the end of a long run of writing.

        Raises:
            CollectionBusy: another process is writing.
            StorageFailed: no room, or a read-only folder.
        """
        with self.writing():
            derived.sweep(self._path)
            for name in self.spaces():
                derived.refresh(self._path, self._connections, name, self._files)

    def rebase(self, old: str, new: str) -> int:
        """Say that what lay under ``old`` now lies under ``new``; whole path components only.

        Ids and rows stay as they are. Returns how many records moved.

        Raises:
            BadInput: a record would come to lie where another one is; nothing is changed.
        """
        with self._changing() as (db, seq):
            return paths.rebase(db, old, new, seq)

    def backup(self, target: Path) -> None:
        """Write a consistent copy of everything to one file, while others read and write.

        Raises:
            BadInput: ``target`` is a folder, or a file that is no backup of a collection.
            StorageFailed: it could not be written; nothing is left behind.
        """
        with self._connections.use() as db:
            backups.backup(db, Path(target))

    @classmethod
    def restore(cls, backup_file: Path, path: Path) -> SqliteStore:
        """Make the collection folder ``path`` from a backup and open it.

        Raises:
            NoSuchFile, BadInput: there is no backup, or the file is none, or ``path`` is in use already.
            NewerFormat: a newer version of lookalike made the backup.
            StorageFailed: no room, or the backup is damaged.
        """
        backups.restore(Path(backup_file), Path(path), Path(path) / FILE)
        return cls.open(Path(path))

    @contextlib.contextmanager
    def _changing(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Hold the lock and lend a transaction with its tick of the clock; committed when the block ends well."""
        with self.writing(), self._connections.changing() as db:
            db.execute("UPDATE clock SET seq = seq + 1")
            yield db, _clock(db)

    def _records_in(self, column: str, wanted: Sequence[Any]) -> list[Record]:
        if not wanted:
            return []
        with self._connections.reading() as db:
            return [record(found) for found in _select_in(db, f"{COLUMNS} WHERE {column}", wanted)]


def open_sqlite(path: Path, *, create: bool = False) -> SqliteStore:
    """Open a store; what the table of stores names."""
    return SqliteStore.open(path, create=create)


def _clock(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT seq FROM clock").fetchone()[0])


def _spaces(db: sqlite3.Connection) -> dict[str, tuple[int, VectorSpace]]:
    found = db.execute("SELECT id, name, dim, fingerprint, kind, similarity FROM spaces ORDER BY id").fetchall()
    return {row[1]: (row[0], VectorSpace(*row[1:])) for row in found}


def _named(spaces: Mapping[str, tuple[int, VectorSpace]], name: str) -> tuple[int, VectorSpace]:
    if name not in spaces:
        raise UnknownName(f"there is no vector space {name!r}.", hint=choices(name, spaces))
    return spaces[name]


def _next_row(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'records'").fetchone()
    return 1 if found is None else int(found[0]) + 1


def _root_ids(db: sqlite3.Connection, roots: Iterable[str]) -> dict[str, int | None]:
    ids: dict[str, int | None] = {"": None}
    for root in roots:
        if root:
            ids[root] = paths.root_id(db, os.fsencode(root))
    return ids


def _write_records(
    db: sqlite3.Connection, added: Sequence[Mapping[str, Any]], replaced: Sequence[Mapping[str, Any]]
) -> None:
    db.executemany(
        "INSERT INTO records VALUES (:row, :id, :source, :root_id, :size, :mtime_ns, :content_hash, :width, :height, "
        ":metadata, :indexed_ns, :seq)",
        added,
    )
    db.executemany(
        "UPDATE records SET source = :source, root_id = :root_id, size = :size, mtime_ns = :mtime_ns, "
        "content_hash = :content_hash, width = :width, height = :height, metadata = :metadata, "
        "indexed_ns = :indexed_ns, seq = :seq WHERE row = :row",
        replaced,
    )


def _drop_vectors(db: sqlite3.Connection, space_id: int, rows: Sequence[int], seq: int) -> None:
    for part in _parts(rows):
        held = f"FROM vectors_{space_id} WHERE row IN ({_marks(part)})"
        db.execute(f"INSERT INTO gone SELECT {seq}, {space_id}, row {held}", part)
        db.execute(f"DELETE {held}", part)


def _select_in(db: sqlite3.Connection, what: str, wanted: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for part in _parts(wanted):
        yield from db.execute(f"SELECT {what} IN ({_marks(part)})", part)


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


def _marks(part: Sequence[object]) -> str:
    return ",".join("?" * len(part))


def _json_value(kind: str, value: Any) -> Any:
    """Return what json_each gives of a value as Python has it."""
    if kind in ("true", "false"):
        return kind == "true"
    if not isinstance(value, bytes):
        return value
    text = value.decode("utf-8", "surrogatepass")  # JSON can hold lone surrogates, of file names that are not UTF-8
    return text if kind == "text" else json.loads(text)


def _storable(name: str) -> bool:
    """Say whether an id can be in the database at all: a lone surrogate cannot even be asked for."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)

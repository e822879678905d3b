"""Images → vectors → store. Reading and decoding run ahead in threads, the model in a thread of its own.

What is committed stays: a run that is killed at any moment goes on where it stopped, and nothing is doubled.
Memory does not depend on how many images there are: a fixed number are in flight, and a batch waits for its commit.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from ..embed.blas import one_blas_thread
from ..errors import ImageError, MissingExtra
from ..images import Item, Skipped
from ..images.decode import Decoded, decode
from ..protocols import Embedder, Prepares, Regional, Store
from ..types import Metadata, Record, Region, Stamp
from .identity import identify
from .parts import in_original, joined, split
from .reports import AddReport, OnProgress

__all__ = ["Ingest", "Options", "is_unchanged"]

T = TypeVar("T")

TOGETHER = 4  # images a thread reads before it hands them over: handing over wakes another thread
LOOK_UP = 256  # entries whose records are looked up in one query
RACY_NS = 2_000_000_000  # file systems keep times to within 2 s (FAT); a younger file may change without a trace


@dataclass(frozen=True, slots=True)
class Options:
    """How to index.

    Attributes:
        batch_size: images the model is given at once.
        commit_every_s: seconds of work that a crash may cost at most (besides one batch).
        max_megapixels: larger images are skipped, with a sentence that names this limit.
        workers: threads that read and decode; None for one a core.
    """

    batch_size: int = 32
    commit_every_s: float = 2.0
    max_megapixels: float = 200.0
    workers: int | None = None


@dataclass(slots=True, eq=False)
class _Fresh:
    """One image that has been read and prepared, or whose vector is known from identical bytes."""

    id: str
    root: str
    source: str
    stamp: Stamp | None
    content_hash: str
    width: int
    height: int
    metadata: Metadata
    prepared: np.ndarray[Any, Any] | None  # what the embedder takes; None when ``vector`` is known
    vector: np.ndarray[Any, Any] | None  # (D,); with regions (1 + R, D): the whole image, then its parts
    read_ns: int  # just before the bytes were read
    given_id: bool  # the id stays as it is: the caller's, or that of the record that is replaced
    boxes: tuple[Region, ...] = ()  # of the R parts


@dataclass(frozen=True, slots=True)
class _Same:
    """A file whose bytes have not changed, though its time has."""

    row: int
    stamp: Stamp | None
    read_ns: int


@dataclass(slots=True)
class _Pending:
    """What waits for its commit."""

    fresh: list[_Fresh] = field(default_factory=list)
    vectors: list[np.ndarray[Any, Any]] = field(default_factory=list)
    touched: dict[int, Stamp] = field(default_factory=dict)
    touched_ns: int = 0  # before the first of the touched was read
    # The batch that the model has in hand.
    running: tuple[list[_Fresh], Future[Sequence[np.ndarray[Any, Any]]]] | None = None


class Ingest:
    """One run of indexing into one vector space of a store.

    Args:
        store: where records and vectors go; the caller holds its writer's lock.
        embedder: makes the vectors; with ``Prepares``, the work on single images runs in the reading threads.
        options: how to.
        on_progress: called after every batch of entries with the report so far.
    """

    def __init__(
        self, store: Store, embedder: Embedder, options: Options, *, on_progress: OnProgress | None = None
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._space = embedder.space.name
        self._options = options
        self._tell: Callable[[AddReport], None] = on_progress or (lambda report: None)
        self._embedded = store.snapshot(self._space).rows  # (N,), ascending: who has a vector already
        self._workers = options.workers or os.cpu_count() or 1

    def run(self, entries: Iterable[Item | Skipped], report: AddReport, seen: Callable[[int], None]) -> None:
        """Index the entries and count into ``report``; ``seen`` is told the row of each that is in the store.

        On KeyboardInterrupt what has been embedded is committed first; the interrupt then goes on to the caller.
        """
        with one_blas_thread():
            self._run(entries, report, seen)

    def _run(self, entries: Iterable[Item | Skipped], report: AddReport, seen: Callable[[int], None]) -> None:
        pending = _Pending()
        batch: list[_Fresh] = []
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="lookalike-decode")
        model = ThreadPoolExecutor(1, thread_name_prefix="lookalike-model")
        ahead: deque[Future[list[_Fresh | _Same | Skipped]]] = deque()
        # While the model has one batch and the next is full, enough for the one after it, and no more.
        limit = self._options.batch_size // TOGETHER + self._workers
        last = time.monotonic()
        try:
            for tasks in _chunks(self._tasks(entries, report, seen), TOGETHER):
                ahead.append(pool.submit(_read, tasks))
                if len(ahead) >= limit:
                    self._take(ahead.popleft().result(), batch, pending, report, model)
                if time.monotonic() - last >= self._options.commit_every_s:
                    self._commit(pending, report, seen)
                    last = time.monotonic()
            while ahead:
                self._take(ahead.popleft().result(), batch, pending, report, model)
            self._embed(batch, pending, report, model)
            self._gather(pending, report)
            self._commit(pending, report, seen)
        except KeyboardInterrupt:
            self._commit(pending, report, seen)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            model.shutdown(wait=True, cancel_futures=True)

    def _tasks(
        self, entries: Iterable[Item | Skipped], report: AddReport, seen: Callable[[int], None]
    ) -> Iterator[Callable[[], _Fresh | _Same | Skipped]]:
        """Yield the work that is left for the entries which are not known to be unchanged."""
        for some in _chunks(entries, LOOK_UP):
            items = [entry for entry in some if isinstance(entry, Item)]
            for entry in some:
                if isinstance(entry, Skipped):
                    report.skip(entry)
            known = self._store.known([item.source for item in items])
            for item, record in zip(items, known, strict=True):
                if record:
                    seen(record.row)
                has_vector = record is not None and self._has_vector(record.row)
                if record and has_vector and is_unchanged(item, record):
                    report.unchanged += 1
                else:
                    yield _Task(self, item, record, has_vector)
            self._tell(report)

    def read(self, item: Item, record: Record | None, has_vector: bool) -> _Fresh | _Same | Skipped:
        """Read, hash, decode and prepare one entry; runs in a decoding thread."""
        read_ns = time.time_ns()
        try:
            data = item.read()
            digest = hashlib.sha256(data).hexdigest()
            if record and has_vector and record.content_hash == digest and _same_metadata(item, record):
                return _Same(record.row, item.stamp, read_ns)
            twin = self._store.find_hash([digest], self._space).get(digest)
            width = height = 0
            prepared = vector = None
            boxes: tuple[Region, ...] = ()
            if twin is not None:
                (original,) = self._store.get_rows([twin])
                if original is not None:
                    vector = self._store.vectors(self._space, [twin])[0]
                    if isinstance(self._embedder, Regional):
                        vector, boxes = joined(vector, self._store.regions(self._space, [twin]))
                    width, height = original.width, original.height
            if vector is None:
                decoded = decode(
                    data, input_size=self._embedder.input_size, max_megapixels=self._options.max_megapixels
                )
                width, height = decoded.width, decoded.height
                prepared, boxes = self._prepared(decoded)
        except (ImageError, MissingExtra) as error:
            return Skipped(item.source, error)
        return _Fresh(
            id=record.id if record else item.id,
            root=item.root,
            source=item.source,
            stamp=item.stamp,
            content_hash=digest,
            width=width,
            height=height,
            metadata=item.metadata or (record.metadata if record else {}),
            prepared=prepared,
            vector=vector,
            read_ns=read_ns,
            given_id=item.given_id or record is not None,
            boxes=boxes,
        )

    def _prepared(self, decoded: Decoded) -> tuple[np.ndarray[Any, Any], tuple[Region, ...]]:
        if isinstance(self._embedder, Regional):
            boxes, views = self._embedder.views(decoded.pixels)
            return views, in_original(boxes, decoded)
        if isinstance(self._embedder, Prepares):
            return self._embedder.prepare(decoded.pixels), ()
        return decoded.pixels, ()

    def _take(
        self,
        several: Sequence[_Fresh | _Same | Skipped],
        batch: list[_Fresh],
        pending: _Pending,
        report: AddReport,
        model: ThreadPoolExecutor,
    ) -> None:
        for done in several:
            self._take_one(done, batch, pending, report, model)

    def _take_one(
        self,
        done: _Fresh | _Same | Skipped,
        batch: list[_Fresh],
        pending: _Pending,
        report: AddReport,
        model: ThreadPoolExecutor,
    ) -> None:
        if isinstance(done, Skipped):
            report.skip(done)
        elif isinstance(done, _Same):
            report.unchanged += 1
            if done.stamp:
                pending.touched_ns = min(done.read_ns, pending.touched_ns) if pending.touched else done.read_ns
                pending.touched[done.row] = done.stamp
        elif done.vector is not None:
            pending.fresh.append(done)
            pending.vectors.append(done.vector)
            report.reused += 1
        else:
            batch.append(done)
            if len(batch) >= self._options.batch_size:
                self._embed(batch, pending, report, model)

    def _embed(self, batch: list[_Fresh], pending: _Pending, report: AddReport, model: ThreadPoolExecutor) -> None:
        """Hand a batch to the model, which takes one at a time; commits and look-ups go on meanwhile."""
        self._gather(pending, report)
        if batch:
            pending.running = list(batch), model.submit(self._vectors, list(batch))
            batch.clear()

    def _gather(self, pending: _Pending, report: AddReport) -> None:
        """Wait for the batch that the model has in hand."""
        if pending.running is None:
            return
        batch, vectors = pending.running
        pending.vectors.extend(vectors.result())
        for fresh in batch:
            fresh.prepared = None  # pixels do not wait for the commit
        pending.fresh.extend(batch)
        pending.running = None
        report.embedded = len(pending.fresh)
        self._tell(report)

    def _vectors(self, batch: Sequence[_Fresh]) -> Sequence[np.ndarray[Any, Any]]:
        images = [fresh.prepared for fresh in batch if fresh.prepared is not None]
        if isinstance(self._embedder, Regional):
            return self._embedder.embed_views(images)
        if isinstance(self._embedder, Prepares):
            return list(self._embedder.embed_prepared(images))
        return list(self._embedder.embed(images))

    def _has_vector(self, row: int) -> bool:
        place = int(np.searchsorted(self._embedded, row))
        return place < len(self._embedded) and int(self._embedded[place]) == row

    def _commit(self, pending: _Pending, report: AddReport, seen: Callable[[int], None]) -> None:
        if pending.touched:
            self._store.touch(pending.touched, indexed_ns=pending.touched_ns)
            pending.touched.clear()
        if pending.fresh:
            ids = identify(pending.fresh, self._store)
            replaced = sum(record is not None for record in self._store.get(sorted(set(ids))))
            vectors, regions = pending.vectors, None
            if isinstance(self._embedder, Regional):
                vectors, regions = split(pending.vectors, [fresh.boxes for fresh in pending.fresh])
            rows = self._store.put(
                [
                    fresh if fresh.id == id else replace(fresh, id=id)
                    for fresh, id in zip(pending.fresh, ids, strict=True)
                ],
                {self._space: np.stack(vectors)},
                regions=None if regions is None else {self._space: regions},
                indexed_ns=min(fresh.read_ns for fresh in pending.fresh),
            )
            for row in rows.tolist():
                seen(row)
            report.replaced += replaced
            report.added += len(set(ids)) - replaced
            pending.fresh.clear()
            pending.vectors.clear()
        report.embedded = 0
        self._tell(report)


@dataclass(frozen=True, slots=True)
class _Task:
    ingest: Ingest
    item: Item
    record: Record | None
    has_vector: bool

    def __call__(self) -> _Fresh | _Same | Skipped:
        return self.ingest.read(self.item, self.record, self.has_vector)


def _read(tasks: Sequence[Callable[[], _Fresh | _Same | Skipped]]) -> list[_Fresh | _Same | Skipped]:
    return [task() for task in tasks]


def is_unchanged(item: Item, record: Record) -> bool:
    """Whether size and time say that the file is the one that was read."""
    if not _same_metadata(item, record):
        return False
    if item.stamp is None:  # a URL is taken once: asking again would cost the download; pixels in memory are new
        return "://" in item.source
    if item.stamp != record.stamp:
        return False
    # A file written within the clock's tick of our reading it, or "after" it by a clock that jumped back,
    # may have changed since without its time showing it: only its bytes can tell.
    return bool(item.stamp.mtime_ns < record.indexed_ns - RACY_NS)


def _same_metadata(item: Item, record: Record) -> bool:
    # A source that brings none (a folder) says nothing about what another one (a list) brought.
    return not item.metadata or dict(item.metadata) == dict(record.metadata)


def _chunks(entries: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(entries)
    while some := list(islice(iterator, size)):
        yield some

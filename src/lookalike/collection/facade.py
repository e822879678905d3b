"""The collection: add, search, get, remove. It wires the rooms together and holds no algorithm."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..embed import create
from ..embed.augment import parse_views
from ..errors import BadInput, OtherEmbedder
from ..images import FetchLimits, Item, Skipped, scan
from ..protocols import Embedder, Searcher, Store
from ..types import Metadata, Record, Rows, Vectors, VectorSpace
from . import confidence
from .ensemble import Fusion, check_spaces, parse_spaces
from .estimate import estimate
from .in_memory import AnyImage, items_of
from .ingest import Ingest, Options
from .learned_weights import LEARNED, read_weights
from .learning import recalled
from .likeness import Liking, understand_likings
from .multiview import Merge
from .near_pairs import NearPairs, near_pairs
from .pipeline import MAX_MEGAPIXELS, AskIndex, How, Pipeline
from .queries import Searchable, understand
from .reports import AddReport, Estimate, OnProgress
from .results import Results
from .sameness import near_score
from .together import Together
from .vanished import Seen, prune
from .where import Where, understand_where

__all__ = ["Collection"]

Source = str | os.PathLike[str]


class Collection:
    """Images, their vectors, and the search among them. Made by ``lookalike.open``, closed by ``close`` or ``with``.

    Many processes may read a collection at once; one at a time may write.

    Args:
        store: the records and vectors; an open one.
        space: the name of the vector space that is searched and added to.
        embedder: what makes the vectors; None: made from the stored name when it is first needed.
        device: where a model runs: ``auto``, ``cpu``, ``cuda``, ``coreml`` or ``openvino``.
        max_megapixels: a larger picture is refused as a query.
    """

    def __init__(
        self,
        store: Store,
        space: str,
        *,
        embedder: Embedder | None = None,
        device: str = "auto",
        max_megapixels: float = MAX_MEGAPIXELS,
    ) -> None:
        self.store = store
        self.device = device
        self.max_megapixels = max_megapixels
        self._space = space
        self._embedder = embedder
        self._others: dict[str, Collection] = {}
        self._pipeline = Pipeline(store, self.space, lambda: self.embedder, max_megapixels=max_megapixels)

    def __enter__(self) -> Collection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Collection {str(self.path)!r}: {len(self)} images, {self._space}>"

    def __len__(self) -> int:
        return self.store.count()

    def __contains__(self, id: str) -> bool:
        return self.get(id) is not None

    def __iter__(self) -> Iterator[Record]:
        return self.store.records()

    def close(self) -> None:
        """Release the files; the collection cannot be used afterwards."""
        self.store.close()

    @property
    def path(self) -> Path:
        """Return the folder that holds the collection."""
        return self.store.path

    @property
    def space(self) -> VectorSpace:
        """Return the vector space that is searched and added to."""
        return self.store.spaces()[self._space]

    @property
    def embedder(self) -> Embedder:
        """Return the embedder, made on first use.

        Raises:
            OtherEmbedder: the stored name now gives other weights, or the vectors were imported without an embedder.
        """
        if self._embedder is None:
            spec = self.store.setting(f"embedder:{self._space}")
            if not spec:
                raise OtherEmbedder(
                    f"the vectors {self._space!r} of {self.path} came without the model that made them, so a new "
                    "image cannot be compared with them.",
                    hint="Search by id:..., or open the collection with the embedder that made them.",
                )
            made = recalled(self.store, create(spec, device=self.device))
            if made.fingerprint != self.space.fingerprint:
                raise OtherEmbedder(
                    f"the embedder {spec!r} has changed since {self.path} was made: it was "
                    f"{self.space.fingerprint}, now it is {made.fingerprint}.",
                    hint="Bring the old weights back, or index again into a new collection.",
                )
            self._embedder = made
        return self._embedder

    # -- adding ---------------------------------------------------------------------------------------------------

    def add(
        self,
        source: Source | Sequence[Source],
        *,
        exclude: Sequence[str] = (),
        include_hidden: bool = False,
        prune_vanished: bool = False,
        options: Options | None = None,
        limits: FetchLimits | None = None,
        on_progress: OnProgress | None = None,
    ) -> AddReport:
        """Index a folder, a file, a glob, an archive, a list or a URL, or several of them.

        Unchanged files are skipped, changed ones embedded again. A picture that cannot be used is skipped and named
        in the report; it never stops the rest.

        Args:
            source: see ``lookalike.images.scan``; ``~`` is expanded.
            exclude: file-name patterns to leave out.
            include_hidden: also take files and folders whose name begins with a dot.
            prune_vanished: remove the records of files below ``source`` that are no longer there.
            options: batch size, limits and threads.
            limits: the largest file and the longest download.
            on_progress: called with the report so far.

        Returns:
            What was added, replaced, unchanged, skipped and vanished.

        Raises:
            NoSuchFile: the source does not exist. CollectionBusy: another process is writing.
        """
        report = AddReport()
        begin = time.monotonic()
        scans = self._scans(source, exclude, include_hidden, limits)
        with self.store.writing():
            seen = Seen()
            ingest = Ingest(self.store, self.embedder, options or Options(), on_progress=on_progress)
            try:
                for root, entries in scans:
                    ingest.run(entries, report, seen.add)
                    prune(self.store, root, seen, report, remove=prune_vanished)
            except KeyboardInterrupt:
                report.stopped = True
            self.settle()
        report.seconds = time.monotonic() - begin
        return report

    def estimate(
        self,
        source: Source | Sequence[Source],
        *,
        exclude: Sequence[str] = (),
        include_hidden: bool = False,
        options: Options | None = None,
    ) -> Estimate:
        """Say how long ``add`` would take and how large it would be; nothing is stored."""
        entries = (entry for _, some in self._scans(source, exclude, include_hidden, None) for entry in some)
        return estimate(entries, self.store, self.embedder, options or Options())

    def add_images(
        self,
        images: Sequence[AnyImage],
        *,
        ids: Sequence[str],
        metadata: Sequence[Metadata] | None = None,
        options: Options | None = None,
    ) -> AddReport:
        """Index pictures in memory under the ids given; an id that exists is replaced.

        Args:
            images: encoded bytes, Pillow images or arrays (H, W, 3) uint8.
            ids: one for each image. metadata: JSON values, one mapping for each image.

        Raises:
            BadInput: the lengths differ, or an id is empty.
        """
        report = AddReport()
        begin = time.monotonic()
        with self.store.writing():
            Ingest(self.store, self.embedder, options or Options()).run(
                items_of(images, ids, metadata), report, seen=lambda row: None
            )
            self.settle()
        report.seconds = time.monotonic() - begin
        return report

    def remove(self, ids: str | Sequence[str]) -> int:
        """Remove records by id and return how many there were; the files themselves stay."""
        wanted = [ids] if isinstance(ids, str) else list(ids)
        rows = [record.row for record in self.store.get(wanted) if record]
        removed = self.store.remove(rows)
        if removed:
            self.store.refresh_derived()
        return removed

    def rebase(self, old: Source, new: Source) -> int:
        """Say that what lay under ``old`` now lies under ``new``: no image is read, ids and vectors stay.

        Returns:
            How many records moved.
        """
        return self.store.rebase(_absolute(old), _absolute(new))

    def _scans(
        self, source: Source | Sequence[Source], exclude: Sequence[str], hidden: bool, limits: FetchLimits | None
    ) -> list[tuple[str, Iterator[Item | Skipped]]]:
        sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
        if not sources:
            raise BadInput("there is nothing to index.", hint="Name a folder, an image, an archive, a list or a URL.")
        # Every source is checked before the first image is read: a misspelt second folder costs no time.
        return [
            (
                _absolute(each),
                scan(_expand(each), exclude=exclude, include_hidden=hidden, limits=limits or FetchLimits()),
            )
            for each in sources
        ]

    def settle(self) -> None:
        """Bring up to date what is derived from the vectors; nothing where they are as they were the last time."""
        with self.store.writing():
            self.store.refresh_derived()
            space = self.space
            settled = f"settled:{space.name}"
            if space.similarity not in ("cosine", "hamming") or self.store.setting(settled) == str(self.store.version):
                return
            rows = confidence.sample(self.store.snapshot(space.name).rows, seed=0)
            vectors, parts = self.store.vectors(space.name, rows.tolist()), self.store.regions(space.name, rows)
            nearest = confidence.nearest_scores(space, vectors, rows, parts)
            for key, figure in (
                (f"expected_best:{space.name}", confidence.expected_best(nearest)),
                (f"near_copies:{space.name}", confidence.least_of_copies(nearest)),
            ):
                text = "" if figure is None else repr(figure)
                if text != self.store.setting(key):
                    self.store.set_setting(key, text)
            self.store.set_setting(settled, str(self.store.version + 1))  # + 1: what this writing makes it

    def ask_index_by(self, ask: AskIndex) -> None:
        """Let every search of the vectors go through a function; a server gathers those of several threads by one."""
        self._pipeline.ask_index = ask

    def warm(self) -> None:
        """Map the vectors now, so that the first search need not."""
        _ = self._pipeline.index

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Record | None:
        """Return the record with this id, or None."""
        return self.store.get([id])[0]

    @property
    def searcher(self) -> Searcher:
        """Return the search by vector that every search here goes through; evaluation runs the same."""
        return self._pipeline

    def search(
        self,
        what: Searchable,
        k: int = 20,
        *,
        min_relevance: float | None = None,
        not_same: bool = False,
        group_by: str | None = None,
        spaces: Mapping[str, float] | str | None = None,
        fusion: Fusion = "sum",
        where: Where | None = None,
        merge: Merge = "best",
        metadata: str | Sequence[Liking] = (),
        like: Mapping[str, Any] | None = None,
        augment: str = "",
    ) -> Results:
        """Return the k images most alike.

        Args:
            what: a path, a URL, ``id:...``, encoded bytes, an array (H, W, 3) uint8, a Pillow image, a vector, a
                ``Query``, or several of these in a list (their mean).
            k: how many hits, > 0.
            min_relevance: leave out hits whose probability of being relevant is below it; in [0, 1], and only where
                the collection is calibrated.
            not_same: more like the query, not the same: without the query itself, files of the same bytes,
                near-copies (by a score that depends on the collection: see docs/search.md) and, with ``group_by``, its
                own group.
            group_by: a metadata column; one result, the best, of all images that share its value.
            spaces: vector spaces that are searched together, name -> weight, or ``"builtin-1,dhash:2"``; ``"learned"``:
                with the weights that ``lookalike weigh`` learned, of metadata too. None: the collection's own.
            fusion: ``sum`` of their scores or ``rrf``, of their ranks; see ``lookalike.collection.ensemble``.
            where: conditions on the metadata that every result fulfils: ``"price<20"``, several in a list, or as
                ``lookalike.collection.where`` has them.
            merge: with ``group_by``: ``best``, the nearest image of a group stands for it; ``mean`` or ``gem``, one
                vector of all of them does. Several pictures of the query are merged in the same way.
            metadata: columns that are a part of the score, with their weights beside 1 for the picture:
                ``"tags:0.2,price:log:0.1"``; see ``lookalike.collection.likeness``.
            like: values that count as the query's metadata; else those of the stored image that it is.
            augment: ``"mirror,crops,zooms"`` or some of them: the vectors of these views of the query's pictures are
                averaged.

        Returns:
            The hits, best first, with their ``relevance`` where the collection is calibrated; ``note`` says so in
            words when there is none, or none that stands out.

        Raises:
            BadInput: k is not positive, the query cannot be understood, the collection is not calibrated, or has no
                such column.
            ImageError: the query image is unusable.
        """
        return self._pipeline.run(
            understand(what),
            k,
            how=How(
                where=understand_where(where),
                together=self._together(spaces),
                fusion=fusion,
                group_by=group_by,
                merge=merge,
                metadata=self._columns(spaces, metadata),
                like=like or {},
                augment=parse_views(augment) if augment else (),
            ),
            min_relevance=min_relevance,
            not_same=not_same,
        )

    def searching(
        self,
        *,
        spaces: Mapping[str, float] | str | None = None,
        fusion: Fusion = "sum",
        metadata: str | Sequence[Liking] = (),
    ) -> Searcher:
        """Return the search by stored images that ``search`` makes with the same options; evaluation runs it."""
        how = How(together=self._together(spaces), fusion=fusion, metadata=self._columns(spaces, metadata))
        return Together(self._pipeline, self.store, how)

    def _together(self, spaces: Mapping[str, float] | str | None) -> list[tuple[Pipeline, float]]:
        if spaces == LEARNED:
            spaces = read_weights(self.store).spaces
        elif isinstance(spaces, str):
            spaces = parse_spaces(spaces)
        return [(self.in_space(name)._pipeline, weight) for name, weight in self._checked(spaces).items()]

    def _columns(self, spaces: object, metadata: str | Sequence[Liking]) -> tuple[Liking, ...]:
        given = understand_likings(metadata)
        return read_weights(self.store).metadata if spaces == LEARNED and not given else given

    def vector(self, what: Searchable) -> Vectors:
        """Return (1, D), the vector that ``search`` would search by.

        Args:
            what: as in ``search``.

        Raises:
            BadInput, ImageError: as in ``search``; or words that the embedder does not understand.
        """
        return self._pipeline.vector_of(understand(what))

    def _checked(self, spaces: Mapping[str, float] | None) -> Mapping[str, float]:
        if spaces is None:
            return {}
        check_spaces(spaces, list(self.store.spaces()))
        return spaces

    def in_space(self, name: str) -> Collection:
        """Return this collection as its search in another of its spaces sees it; its index is kept.

        Raises:
            UnknownName: it has no such space.
        """
        if name == self._space:
            return self
        check_spaces({name: 1.0}, list(self.store.spaces()))
        if name not in self._others:
            self._others[name] = Collection(self.store, name, device=self.device, max_megapixels=self.max_megapixels)
        return self._others[name]

    def near_pairs(self, threshold: float, *, rows: Rows | None = None, against: Rows | None = None) -> NearPairs:
        """Return the pairs of images that score at least ``threshold``: ``(rows_a, rows_b, scores)``, each pair once.

        Args:
            threshold: a score of the collection's space.
            rows: the rows that are looked at; None: all.
            against: the rows they are compared with; None: with one another.

        Raises:
            BadInput: as in ``lookalike.collection.near_pairs.near_pairs``, which says more.
        """
        return near_pairs(self.store.snapshot(self._space), threshold, rows=rows, against=against)

    def info(self) -> Mapping[str, Any]:
        """Return what ``lookalike info --json`` prints: the number of images, the embedder, sizes on disk."""
        spaces = self.store.spaces()
        return {
            "path": str(self.path),
            "images": len(self),
            "space": self._space,
            "spaces": {
                name: {
                    "dim": space.dim,
                    "similarity": space.similarity,
                    "fingerprint": space.fingerprint,
                    "embedder": self.store.setting(f"embedder:{name}"),
                    "near_copies": near_score(space, self.store),
                }
                for name, space in spaces.items()
            },
            "roots": dict(Counter(record.root for record in self)),
            "bytes": sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file()),
        }

    def backup(self, target: Source) -> None:
        """Write a consistent copy of everything into one file, also while another process writes."""
        self.store.backup(Path(target).expanduser())


def _expand(source: Source) -> str:
    text = os.fspath(source)
    return os.path.expanduser(text) if text.startswith("~") else text


def _absolute(source: Source) -> str:
    return os.path.abspath(_expand(source))

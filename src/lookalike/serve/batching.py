"""Many threads' single calls as a few calls over several: what a model, and a search by matrix product, are fast at."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..collection.pipeline import Searching
from ..embed.subwords import vocabulary_of
from ..errors import Overloaded, TimedOut
from ..protocols import Embedder, Prepares, Regional, TextEmbedder
from ..types import Candidates, Image, Region, Rows, Vectors, VectorSpace
from .working import remaining_s

__all__ = ["BatchedEmbedder", "BatchedWordEmbedder", "Batcher", "GatheredSearch", "batched"]

A = TypeVar("A")
R = TypeVar("R")


# Searches of one matrix product: a product of two to three rows was measured as slow as four products of one, for BLAS
# copies the vectors into another order first.
_WORTH_A_PRODUCT = 4


class _Ticket(Generic[A, R]):
    __slots__ = ("error", "item", "leads", "result", "woken")

    def __init__(self, item: A) -> None:
        self.item = item
        self.result: R | None = None
        self.error: BaseException | None = None
        self.leads = False
        self.woken = threading.Event()


class Batcher(Generic[A, R]):
    """Collects calls into batches; one batch runs at a time, in the thread of one of its callers.

    A caller who finds nobody working does its own at once: an idle server adds no wait and no change of threads.
    Whoever comes meanwhile queues, and the first of them takes all that wait, up to ``size``, when its turn comes.

    Args:
        work: from several items to as many results, in their order.
        size: most items of one batch.
        wait_s: how long a batch waits for more, at most, and at most a quarter of what the last one took; only after
            one that was shared: where calls come one by one, never.
        waiting: how many calls may queue; the next is refused at once.
    """

    def __init__(
        self, work: Callable[[Sequence[A]], Sequence[R]], *, size: int, wait_s: float = 0.0, waiting: int = 256
    ) -> None:
        self.size = size
        self.wait_s = wait_s
        self.waiting = waiting
        self.batches = 0
        self.items = 0
        self._work = work
        self._queue: deque[_Ticket[A, R]] = deque()
        self._guard = threading.Lock()
        self._more = threading.Condition(self._guard)
        self._busy = False
        self._shared = False
        self._took_s = 0.0

    def __call__(self, item: A) -> R:
        """Return the result of one item, whichever batch it went with.

        Raises:
            Overloaded: too many calls wait. TimedOut: the request's time ran out first. Whatever ``work`` raises.
        """
        ticket: _Ticket[A, R] = _Ticket(item)
        with self._guard:
            if self._busy and len(self._queue) >= self.waiting:
                raise Overloaded(
                    f"{len(self._queue)} images wait for the model, and no more are queued.",
                    hint="Come back in a moment.",
                    retry_after_s=1,
                )
            self._queue.append(ticket)
            if not self._busy:
                self._busy = ticket.leads = True
            else:
                self._more.notify()
        if not ticket.leads:
            self._await(ticket)
        if ticket.leads:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]

    def _await(self, ticket: _Ticket[A, R]) -> None:
        left = remaining_s()
        if ticket.woken.wait(None if left is None else max(left, 0.0)):
            return
        with self._guard:
            if ticket.woken.is_set():  # at the last moment
                return
            # Not there: its batch is running and its result will be nobody's.
            if ticket in self._queue:
                self._queue.remove(ticket)
        raise TimedOut("the time limit of the request has passed while it waited for the model.", retry_after_s=1)

    def _lead(self) -> None:
        with self._guard:
            if self._shared:
                self._gather()
            batch = [self._queue.popleft() for _ in range(min(self.size, len(self._queue)))]
            self._shared = len(batch) > 1
            self.batches += 1
            self.items += len(batch)
        begin = time.monotonic()
        try:
            self._run(batch)
        finally:
            with self._guard:
                self._took_s = time.monotonic() - begin
                for ticket in batch:
                    ticket.leads = False
                    ticket.woken.set()
                if self._queue:
                    self._queue[0].leads = True
                    self._queue[0].woken.set()
                else:
                    self._busy = False

    def _gather(self) -> None:
        """Wait for more while more keep coming, and no longer than a batch is worth; the guard is held."""
        end = time.monotonic() + min(self.wait_s, self._took_s / 4)
        while len(self._queue) < self.size and (left := end - time.monotonic()) > 0:
            before = len(self._queue)
            self._more.wait(min(left, self.wait_s / 4))
            if len(self._queue) == before:
                return

    def _run(self, batch: Sequence[_Ticket[A, R]]) -> None:
        try:
            results = self._work([ticket.item for ticket in batch])
            for ticket, result in zip(batch, results, strict=True):
                ticket.result = result
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            for ticket in batch:  # one that the model does not take must not fail its neighbours
                self._run([ticket])


class _Search(NamedTuple):
    among: Searching
    vector: Vectors  # (1, D)
    k: int


class GatheredSearch:
    """Single searches of several threads as one matrix product, which reads the vectors once for all of them.

    Exact scores depend on the two vectors alone, so nobody's result changes by it.

    Args:
        size, wait_s, waiting: see ``Batcher``.
    """

    def __init__(self, *, size: int, wait_s: float = 0.0, waiting: int = 256) -> None:
        self.searches: Batcher[_Search, Candidates] = Batcher(self._run, size=size, wait_s=wait_s, waiting=waiting)

    def __call__(self, index: Searching, vectors: Vectors, k: int, allowed: Rows | None) -> Candidates:
        """Return the k best of each query; an ``AskIndex``."""
        if len(vectors) != 1 or allowed is not None:
            return index.search(vectors, k, allowed=allowed)
        return self.searches(_Search(index, vectors, k))

    @staticmethod
    def _run(searches: Sequence[_Search]) -> Sequence[Candidates]:
        # A deep search must not cost the others its depth, nor one of an index that is out of date its freshness.
        alike: dict[tuple[int, int], list[int]] = {}
        for place, each in enumerate(searches):
            alike.setdefault((id(each.among), each.k), []).append(place)
        found: list[Candidates | None] = [None] * len(searches)
        for places in alike.values():
            first = searches[places[0]]
            if len(places) < _WORTH_A_PRODUCT:
                for place in places:
                    found[place] = first.among.search(searches[place].vector, first.k)
                continue
            several = first.among.search(np.concatenate([searches[place].vector for place in places]), first.k)
            for row, place in enumerate(places):
                found[place] = Candidates(several.rows[row : row + 1], several.scores[row : row + 1])
        return [each for each in found if each is not None]


class BatchedEmbedder:
    """An embedder whose single calls, from many threads, reach the model in batches; an ``Embedder`` and ``Prepares``.

    Args:
        embedder: what does the work.
        size, wait_s, waiting: see ``Batcher``.
    """

    def __init__(self, embedder: Embedder, *, size: int, wait_s: float, waiting: int) -> None:
        self.embedder = embedder
        self.images: Batcher[npt.NDArray[Any], npt.NDArray[Any]] = Batcher(
            self._rows, size=size, wait_s=wait_s, waiting=waiting
        )

    def __repr__(self) -> str:
        return f"BatchedEmbedder({self.embedder!r})"

    @property
    def space(self) -> VectorSpace:
        """Return the space of the embedder behind it."""
        return self.embedder.space

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the embedder behind it."""
        return self.embedder.fingerprint

    @property
    def input_size(self) -> int:
        """Return the input size of the embedder behind it."""
        return self.embedder.input_size

    @property
    def spec(self) -> str:
        """Return what makes the embedder behind it again."""
        return str(getattr(self.embedder, "spec", ""))

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Do the work on a single image, in the calling thread."""
        return self.embedder.prepare(image) if isinstance(self.embedder, Prepares) else image

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) of what is a batch already; it runs beside the others."""
        inner = self.embedder
        return inner.embed_prepared(prepared) if isinstance(inner, Prepares) else inner.embed(prepared)

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D), each row from whichever batch its image went with."""
        if not images:
            return self.embedder.embed(images)
        return np.stack([self.images(self.prepare(image)) for image in images])

    def _rows(self, prepared: Sequence[npt.NDArray[Any]]) -> Sequence[npt.NDArray[Any]]:
        return list(self.embed_prepared(prepared))


class BatchedWordEmbedder(BatchedEmbedder):
    """The same for an embedder that also understands words."""

    def __init__(self, embedder: Embedder, *, size: int, wait_s: float, waiting: int) -> None:
        super().__init__(embedder, size=size, wait_s=wait_s, waiting=waiting)
        assert isinstance(embedder, TextEmbedder)
        words = embedder
        self.texts: Batcher[str, npt.NDArray[Any]] = Batcher(
            lambda texts: list(words.embed_text(texts)), size=size, wait_s=wait_s, waiting=waiting
        )

    @property
    def vocabulary(self) -> frozenset[str] | None:
        """Return the words that it has learned; None: of all kinds."""
        return vocabulary_of(self.embedder)

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Return (B, D) of words."""
        return np.stack([self.texts(text) for text in texts])


class BatchedRegionalEmbedder(BatchedEmbedder):
    """The same for an embedder that also gives parts of images vectors; those of one image are a batch already."""

    def views(self, image: Image) -> tuple[Sequence[Region], npt.NDArray[Any]]:
        """Cut one image, in the calling thread."""
        assert isinstance(self.embedder, Regional)
        return self.embedder.views(image)

    def embed_views(self, prepared: Sequence[npt.NDArray[Any]]) -> list[Vectors]:
        """Return (1 + R, D) of each image."""
        assert isinstance(self.embedder, Regional)
        return self.embedder.embed_views(prepared)


class BatchedRegionalWordEmbedder(BatchedRegionalEmbedder, BatchedWordEmbedder):
    """The same for one that does both."""


def batched(embedder: Embedder, *, size: int, wait_s: float, waiting: int) -> BatchedEmbedder:
    """Return the embedder with batches in front, able to do what it is able to."""
    words = isinstance(embedder, TextEmbedder)
    if isinstance(embedder, Regional):
        kind: type[BatchedEmbedder] = BatchedRegionalWordEmbedder if words else BatchedRegionalEmbedder
    else:
        kind = BatchedWordEmbedder if words else BatchedEmbedder
    return kind(embedder, size=size, wait_s=wait_s, waiting=waiting)

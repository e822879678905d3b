"""The classifiers of a collection: what the content filter and ``/knn-service`` ask about its images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from ..classify import create_classifier
from ..classify.column import Column
from ..collection import Collection
from ..errors import CollectionError, ImageError, LookalikeError, NotFound, UnknownName
from ..images.decode import decode
from ..protocols import Classifier
from ..types import Hit, Record, Vectors, VectorSpace
from .ledger import Ledger
from .settings import Settings
from .working import check_deadline

__all__ = ["FOLDER", "USUAL", "Classifiers"]

Doubles = npt.NDArray[np.float64]
Read = Callable[[Record], bytes]

FOLDER = "classifiers"  # within a collection: where relative paths are looked for first
# Columns that img2dataset and the tables of LAION have, for what nobody has named a classifier for.
USUAL: Mapping[str, tuple[str, ...]] = {
    "safety": ("punsafe", "nsfw", "NSFW"),
    "violence": ("pviolence", "violence"),
    "aesthetic": ("aesthetic", "aesthetic_score", "AESTHETIC_SCORE"),
}
_LOOKED_AT = 1000  # records, for whether the collection has such a column at all
_REMEMBERED = 1_000_000  # scores of pictures
_UNREADABLE = 1.0  # what cannot be looked at is not shown as harmless


class Classifiers:
    """Opens what the settings name, and scores images by it.

    Scores of pictures are kept in ``service.sqlite``, by the hash of their bytes and that of the model: each is looked
    at once.

    Args:
        collection: whose images they are.
        folder: of the collection.
        ledger: keeps the scores of pictures.
        settings: ``classifiers``, ``filter`` and limits.

    Raises:
        BadInput, ModelError: a classifier that cannot be used with this collection.
    """

    def __init__(self, collection: Collection, folder: Path, ledger: Ledger, settings: Settings) -> None:
        self._collection = collection
        self._ledger = ledger
        self._settings = settings
        specs = dict(settings.classifiers)
        if settings.filter and settings.filter not in specs:
            specs[settings.filter] = settings.filter
        self._known = {
            name: create_classifier(spec, folder=folder / FOLDER, device=settings.device)
            for name, spec in specs.items()
        }
        self._remembered: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._guard = Lock()
        self._columns: tuple[int, frozenset[str]] = (-1, frozenset())
        for name, classifier in self._known.items():
            self._try(name, classifier)

    def get(self, name: str) -> Classifier | None:
        """Return the classifier of a name; of ``safety`` the filter, and of a usual column, where nobody named one.

        None where the collection has nothing of the kind.
        """
        if name in self._known:
            return self._known[name]
        if name == "safety" and self._settings.filter:
            return self._known[self._settings.filter]
        columns = [column for column in USUAL.get(name, ()) if column in self._seen_columns()]
        return Column(*columns) if columns else None

    def flags(self, found: Sequence[Hit | Record], read: Read) -> list[bool]:
        """Return of each image whether the content filter catches it; all false where there is none."""
        if not self._settings.filter:
            return [False] * len(found)
        return self.caught(self._known[self._settings.filter], found, read)

    def caught(self, classifier: Classifier, found: Sequence[Hit | Record], read: Read) -> list[bool]:
        """Return of each image whether its score is at least ``filter_from``; one without a score is not caught."""
        caught: list[bool] = (self.scores(classifier, found, read) >= self._settings.filter_from).tolist()
        return caught

    def scores(self, classifier: Classifier, found: Sequence[Hit | Record], read: Read) -> Doubles:
        """Return (B,), NaN where it is not known; 1 for a picture that the classifier cannot look at.

        Args:
            classifier: one of these.
            found: hits or records.
            read: returns the bytes of a record's picture.
        """
        if classifier.sees == "metadata":
            return classifier.scores([each.metadata for each in found])
        if classifier.sees == "image":
            return self._of_pictures(classifier, found, read)
        return self._of_vectors(classifier, [each.row for each in found])

    def _of_vectors(self, classifier: Classifier, rows: Sequence[int]) -> Doubles:
        """Score by the stored vectors; an image that has none (it was found by words) counts as not looked at."""
        scores = np.full(len(rows), _UNREADABLE)
        store, space = self._collection.store, self._collection.space
        try:
            parts = [(slice(None), store.vectors(space.name, rows))]
        except UnknownName:
            parts = []
            for place, row in enumerate(rows):
                with suppress(UnknownName):
                    parts.append((slice(place, place + 1), store.vectors(space.name, [row])))
        for places, vectors in parts:
            if len(vectors):
                scores[places] = classifier.scores(_numbers(vectors, space))
        return scores

    def _of_pictures(self, classifier: Classifier, found: Sequence[Hit | Record], read: Read) -> Doubles:
        of, scores = classifier.fingerprint, np.empty(len(found))
        known = self._recall(of, [each.content_hash for each in found if each.content_hash])
        fresh: dict[str, float] = {}
        try:
            for place, each in enumerate(found):
                score = known.get(each.content_hash, fresh.get(each.content_hash))
                if score is None:
                    check_deadline()
                    score = self._look(classifier, each, read)
                    if score is not None and each.content_hash:
                        fresh[each.content_hash] = score
                scores[place] = _UNREADABLE if score is None else score
        finally:
            self._note(of, fresh)
            with suppress(CollectionError):  # a read-only disk: what was looked at is looked at again
                self._ledger.keep_scores(of, fresh)
        return scores

    def _look(self, classifier: Classifier, found: Hit | Record, read: Read) -> float | None:
        """Return the score of a picture as it is now; None where there is none to look at, or another by now."""
        (record,) = self._collection.store.get_rows([found.row])
        if record is None or record.content_hash != found.content_hash:
            return None
        try:
            megapixels = self._settings.max_megapixels
            pixels = decode(read(record), input_size=classifier.input_size, max_megapixels=megapixels).pixels
        except (ImageError, NotFound):
            return None
        return float(classifier.scores([pixels])[0])

    def _recall(self, of: str, hashes: Sequence[str]) -> dict[str, float]:
        with self._guard:
            known = {each: self._remembered[of, each] for each in hashes if (of, each) in self._remembered}
        missing = [each for each in hashes if each not in known]
        if missing:
            kept = self._ledger.scores(of, missing)
            self._note(of, kept)
            known |= kept
        return known

    def _note(self, of: str, scores: Mapping[str, float]) -> None:
        with self._guard:
            for each, score in scores.items():
                self._remembered[of, each] = score
                if len(self._remembered) > _REMEMBERED:
                    self._remembered.popitem(last=False)

    def _seen_columns(self) -> frozenset[str]:
        version = self._collection.store.version
        if self._columns[0] != version:
            seen = (
                column for _, metadata in islice(self._collection.store.metadata(), _LOOKED_AT) for column in metadata
            )
            self._columns = version, frozenset(seen)
        return self._columns[1]

    def _try(self, name: str, classifier: Classifier) -> None:
        """Let a classifier that does not fit the collection say so at the start."""
        side = max(1, classifier.input_size)
        space = self._collection.space
        try:
            if classifier.sees == "vector":
                classifier.scores(np.full((1, space.dim), space.dim**-0.5, np.float32))
            elif classifier.sees == "image":
                classifier.scores([np.full((side, side, 3), 128, np.uint8)])
        except LookalikeError as wrong:
            wrong.message = f"the classifier {name!r} of {self._collection.path}: {wrong.message}"
            raise


def _numbers(vectors: Vectors, space: VectorSpace) -> Vectors:
    """Return vectors as a head takes them: packed bits as (B, D) of 0 and 1."""
    if space.kind != "bits":
        return vectors
    return np.unpackbits(vectors.view(np.uint8), axis=1, count=space.dim).astype(np.float32)

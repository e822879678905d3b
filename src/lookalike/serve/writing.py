"""Changes of a collection: several requests' images in one commit, and the wait for another process that writes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..collection import AddReport, Collection, Options
from ..collection.ingest import Ingest
from ..errors import BadInput, LookalikeError
from ..images import Item
from ..types import Stamp
from .batching import Batcher
from .settings import Settings
from .uploads import Uploads

__all__ = ["New", "Saved", "Writer"]

_AT_ONCE = 64  # images of one commit
_REST_S = 10.0  # without changes, after which the derived files are brought up to date
_MUCH = 50  # or when so large a part of the collection has changed: a fiftieth


@dataclass(frozen=True, slots=True)
class New:
    """An image to store; ``metadata`` None: a replaced record keeps its own."""

    id: str
    data: bytes
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of it: a row, or why not."""

    id: str
    row: int = -1
    replaced: bool = False
    error: LookalikeError | None = None


class Writer:
    """Writes to one collection. What a method has returned from survives ``kill -9``.

    Args:
        collection: what is written to.
        folder: where it lies.
        settings: limits.
    """

    def __init__(self, collection: Collection, folder: Path, settings: Settings) -> None:
        self.uploads = Uploads(folder)
        self.changed = 0  # records since the derived files were looked at
        self._seen, self._since = 0, time.monotonic()  # what it was when it last was another, and when
        self._collection = collection
        self._settings = settings
        self._one: Batcher[New, Saved] = Batcher(self.put_all, size=_AT_ONCE, waiting=settings.waiting)

    def put(self, new: New) -> Saved:
        """Store one image; those of other requests that wait go with it, in one commit."""
        return self._one(new)

    def put_all(self, images: Sequence[New]) -> Sequence[Saved]:
        """Store images and return what became of each; of an id that comes twice the last wins.

        Raises:
            CollectionBusy: another process writes, still so after ``write_wait_s``. OtherEmbedder: there is no model.
        """
        embedder = self._collection.embedder
        store = self._collection.store
        with store.writing(wait_s=self._settings.write_wait_s):
            before = {record.id: record for record in store.get([new.id for new in images]) if record}
            files = [str(self.uploads.keep(new.data)) for new in images]
            items = [
                _item(new, file, str(self.uploads.folder), before[new.id].metadata if new.id in before else {})
                for new, file in zip(images, files, strict=True)
            ]
            report = AddReport()
            try:
                Ingest(store, embedder, Options(max_megapixels=self._settings.max_megapixels)).run(
                    items, report, seen=lambda row: None
                )
            finally:
                now = {record.id: record for record in store.get([new.id for new in images]) if record}
                kept = {record.source for record in now.values()}
                for file in [*files, *(record.source for record in before.values())]:
                    if file not in kept:
                        self.uploads.drop(file)
        self.changed += len(images)
        failed = {skipped.source: skipped.error for skipped in report.skipped}
        return [
            Saved(new.id, error=failed[file])
            if file in failed
            else Saved(new.id, now[new.id].row, replaced=new.id in before)
            for new, file in zip(images, files, strict=True)
        ]

    def remove(self, ids: Sequence[str]) -> int:
        """Remove records by id, with the files that were uploaded, and return how many there were."""
        store = self._collection.store
        with store.writing(wait_s=self._settings.write_wait_s):
            records = [record for record in store.get(list(dict.fromkeys(ids))) if record]
            removed = store.remove([record.row for record in records])
        for record in records:
            self.uploads.drop(record.source)
        self.changed += removed
        return removed

    def tidy(self) -> None:
        """Bring up to date what is derived from the vectors: where much has changed, or little and then nothing more.

        Not after every change: it holds up those who write, and searches go on without it, only a little slower.
        """
        seen, store = self.changed, self._collection.store
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        rested = time.monotonic() - self._since >= _REST_S
        if not seen or not (rested or seen > store.count() // _MUCH):
            return
        with store.writing(wait_s=self._settings.write_wait_s):
            self._collection.settle()
        self.changed -= seen


def _item(new: New, file: str, root: str, before: Mapping[str, Any]) -> Item:
    if not new.id or len(new.id) > 4096 or "\0" in new.id:
        raise BadInput("an id has 1 to 4096 characters, without NUL.")
    return Item(
        id=new.id,
        root=root,
        source=file,
        stamp=Stamp(len(new.data), 0),
        read=lambda: new.data,
        metadata=dict(before if new.metadata is None else new.metadata),
        given_id=True,
    )

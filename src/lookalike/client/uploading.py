"""Sending images to a server: what is unchanged stays here, one bad image stops no other."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..collection.reports import AddReport, OnProgress
from ..errors import BadInput, ImageError, LookalikeError, OverLimit, TimedOut
from ..images import Item, Skipped
from ..types import Metadata
from .calls import Call, Work
from .operations import Operations
from .replies import read

__all__ = ["add_entries"]

_LOOKED_UP = 64  # images that are read before the server is asked which of them it has
_BYTES = 16_000_000  # and so many bytes at most: memory does not depend on how many images there are
_LEAST, _MOST = 4, 64  # images of one request
_QUICK_S, _SLOW_S = 1.0, 5.0  # a request that takes less is made larger, one that takes more smaller
_OF_ONE = (OverLimit, BadInput, ImageError)  # what one image of several may be the reason of


@dataclass(frozen=True, slots=True, eq=False)
class _New:
    """An image that has been read."""

    id: str
    source: str
    data: bytes
    metadata: Metadata
    known: bool = False  # the server has other content under this id


def add_entries(
    operations: Operations, scans: Sequence[Iterator[Item | Skipped]], prefix: str, on_progress: OnProgress | None
) -> Work[AddReport]:
    """Send the images of several sources.

    Args:
        operations: the collection.
        scans: the images of each source.
        prefix: what stands before the id of each.
        on_progress: called with the report so far.
    """
    begin = time.monotonic()
    upload = _Upload(operations, prefix, on_progress, several=len(scans) > 1)
    try:
        for number, entries in enumerate(scans):
            for entry in entries:
                yield from upload.take(entry, number)
        yield from upload.flush()
    except KeyboardInterrupt:
        upload.report.stopped = True
    upload.report.seconds = time.monotonic() - begin
    return upload.report


class _Upload:
    def __init__(self, operations: Operations, prefix: str, on_progress: OnProgress | None, *, several: bool) -> None:
        self.report = AddReport()
        self._operations = operations
        self._prefix = prefix
        self._tell: OnProgress = on_progress or (lambda report: None)
        self._waiting: list[_New] = []
        self._bytes = 0
        self._at_once = 16
        self._several = several
        self._from: dict[int, int] = {}  # hash of an id -> the source it came from

    def take(self, entry: Item | Skipped, source: int) -> Work[None]:
        """Read one image; send some once enough wait."""
        if isinstance(entry, Skipped):
            self.report.skip(entry)
            return
        id = self._prefix + entry.id
        # A server knows no roots: the second of two images of one id would silently take the place of the first.
        if self._several and self._from.setdefault(hash(id), source) != source:
            taken = BadInput(f"another source of this run has an image of the id {id!r}.", hint="Give each a prefix.")
            self.report.skip(Skipped(entry.source, taken))
            return
        try:
            data = entry.read()
        except LookalikeError as error:
            self.report.skip(Skipped(entry.source, error))
            return
        self._waiting.append(_New(id, entry.source, data, entry.metadata))
        self._bytes += len(data)
        if len(self._waiting) >= _LOOKED_UP or self._bytes >= _BYTES:
            yield from self.flush()

    def flush(self) -> Work[None]:
        """Send what waits and is not there yet."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if not waiting:
            return
        there = {record.id: record for record in (yield from self._operations.get_many([new.id for new in waiting]))}
        changed: list[_New] = []
        for new in waiting:
            record = there.get(new.id)
            same = record is not None and record.content_hash == hashlib.sha256(new.data).hexdigest()
            if same and record is not None and (not new.metadata or new.metadata == record.metadata):
                self.report.unchanged += 1
            else:
                changed.append(_New(new.id, new.source, new.data, new.metadata, known=record is not None))
        self._tell(self.report)
        while changed:
            some = _first(changed, self._at_once)
            changed = changed[len(some) :]
            begin = time.monotonic()
            yield from self._send(some)
            took = time.monotonic() - begin
            if took < _QUICK_S and len(some) >= self._at_once:
                self._at_once = min(_MOST, self._at_once * 2)
            elif took > _SLOW_S:
                self._at_once = max(_LEAST, self._at_once // 2)
            self._tell(self.report)

    def _send(self, some: Sequence[_New]) -> Work[None]:
        """Send images; where one of them is too much for the server, all the others still arrive."""
        from ..serve import wire

        path = yield from self._operations.here("records")
        names = {f"file{place}": new for place, new in enumerate(some)}
        records = [
            {"id": new.id, "upload": name, "metadata": dict(new.metadata) or None} for name, new in names.items()
        ]
        call = Call("POST", path, body={"records": records}, files={name: new.data for name, new in names.items()})
        try:
            answer = read(wire.SavedRecords, (yield call), self._operations.server)
        except (*_OF_ONE, TimedOut) as error:
            if len(some) > 1:
                middle = len(some) // 2
                yield from self._send(some[:middle])
                yield from self._send(some[middle:])
                return
            if isinstance(error, TimedOut):
                raise
            self.report.skip(Skipped(some[0].source, error))
            return
        known = {new.id: new.known for new in some}
        sources = {new.id: new.source for new in some}
        for saved in answer.saved:
            # Not what the answer says: of a request that was sent twice, the second replaces what the first added.
            self.report.replaced += known[saved.id]
            self.report.added += not known[saved.id]
        for skipped in answer.skipped:
            error_of_it = LookalikeError(skipped.error.message, hint=skipped.error.hint)
            error_of_it.code = skipped.error.code
            self.report.skip(Skipped(sources[skipped.id], error_of_it))


def _first(images: Sequence[_New], most: int) -> list[_New]:
    """Return the first images, as many as go into one request."""
    some: list[_New] = []
    size = 0
    for new in images[:most]:
        size += len(new.data)
        if some and size > _BYTES:
            break
        some.append(new)
    return some

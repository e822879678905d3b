"""What jobs do, a step at a time: between two steps the writer's lock is free, so that single changes get a turn."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ..collection import AddReport, Options
from ..collection.ingest import Ingest
from ..collection.vanished import Seen, prune
from ..errors import LookalikeError, NotAllowed, OverLimit
from ..images import FetchLimits, Item, Skipped, scan
from .collections import Served
from .jobs import Progress, Step
from .settings import Settings
from .writing import New

__all__ = ["allowed_source", "keep_files", "kinds", "staging"]

_STEP = 64  # images
_TURN_S = 0.01  # between two steps: a thread that waits for the lock must wake to take it


def kinds(settings: Settings) -> Mapping[str, Step]:
    """Return what does each kind of job."""
    limits = FetchLimits(max_bytes=settings.max_upload)

    def index(served: Served, spec: Mapping[str, Any], progress: Progress) -> Iterator[None]:
        return _index(served, spec, progress, settings)

    def upload(served: Served, spec: Mapping[str, Any], progress: Progress) -> Iterator[None]:
        return _upload(served, spec, progress, settings, limits)

    return {"index": index, "upload": upload}


def allowed_source(source: str, settings: Settings) -> str:
    """Return the real path of what an admin may index by name.

    Raises:
        NotAllowed: it lies below none of the operator's ``import_roots``.
    """
    real = os.path.realpath(os.path.expanduser(source))
    for root in settings.import_roots:
        folder = os.path.realpath(os.path.expanduser(root))
        if real == folder or real.startswith(folder.rstrip(os.sep) + os.sep):
            return real
    raise NotAllowed(
        f"{source!r} does not lie below a folder that this server may index.",
        hint="The operator names such folders in import_roots; or upload the images.",
    )


def staging(served: Served, job: str) -> Path:
    """Return the folder of the files that were uploaded for a job."""
    return served.folder.absolute() / "uploads" / f"job-{job}"


def _index(served: Served, spec: Mapping[str, Any], progress: Progress, settings: Settings) -> Iterator[None]:
    source = allowed_source(str(spec["source"]), settings)  # again: the roots may have changed since it was queued
    store, embedder = served.collection.store, served.collection.embedder
    progress.begin_again()  # what is unchanged costs no more than a look
    report, seen = AddReport(), Seen()
    entries = scan(source)
    options = Options(max_megapixels=settings.max_megapixels)
    while some := list(islice(entries, _STEP)):
        with store.writing(wait_s=settings.write_wait_s):
            Ingest(store, embedder, options).run(some, report, seen.add)
        served.writer.changed += len(some)
        _count(report, progress, source)
        yield
        time.sleep(_TURN_S)
    with store.writing(wait_s=settings.write_wait_s):
        prune(store, source, seen, report, remove=bool(spec.get("prune")))
    progress.removed, progress.total = report.pruned, progress.done


def _count(report: AddReport, progress: Progress, source: str) -> None:
    progress.added, progress.replaced, progress.unchanged = report.added, report.replaced, report.unchanged
    progress.done = report.done
    for skipped in report.skipped[progress.skipped :]:
        progress.skip(os.path.relpath(skipped.source, source) if "://" not in skipped.source else "URL", skipped.error)
    progress.skipped = report.skipped_count


def _upload(
    served: Served, spec: Mapping[str, Any], progress: Progress, settings: Settings, limits: FetchLimits
) -> Iterator[None]:
    folder = staging(served, str(spec["id"]))
    names: Mapping[str, str] = spec["files"]  # file in the folder -> the name that it came with
    progress.total = None if any(_is_archive(name) for name in names.values()) else len(names)
    waiting = islice(_images(folder, names, str(spec.get("prefix", "")), limits), progress.done, None)
    while some := list(islice(waiting, _STEP)):
        new: list[New] = []
        for id, item in some:
            try:
                new.append(New(id, _bytes(item)))
            except LookalikeError as error:
                progress.skip(id, error)
        for saved in served.writer.put_all(new) if new else ():
            if saved.error is not None:
                progress.skip(saved.id, saved.error)
            elif saved.replaced:
                progress.replaced += 1
            else:
                progress.added += 1
        progress.done += len(some)
        if progress.done > settings.max_job_files:
            raise OverLimit(f"the upload holds more than {settings.max_job_files} files.", hint="Send it in parts.")
        yield
        time.sleep(_TURN_S)
    shutil.rmtree(folder, ignore_errors=True)
    progress.total = progress.done


def _bytes(item: Item | Skipped) -> bytes:
    if isinstance(item, Skipped):
        raise item.error
    return item.read()


def _images(
    folder: Path, names: Mapping[str, str], prefix: str, limits: FetchLimits
) -> Iterator[tuple[str, Item | Skipped]]:
    """Yield the ids and images of an upload, always in the same order."""
    for file, name in sorted(names.items()):
        path = folder / file
        if not _is_archive(name):
            for item in scan(path, limits=limits):
                yield prefix + name, item
            continue
        for item in scan(path, limits=limits):
            yield prefix + (item.id if isinstance(item, Item) else name), item


def _is_archive(name: str) -> bool:
    return name.lower().endswith((".zip", ".tar"))


def keep_files(folder: Path, files: Mapping[str, bytes], names: Mapping[str, str]) -> dict[str, str]:
    """Write the files of an upload for its job, on disk when this returns; return file -> name.

    The names of the files are ours, with the suffix of an archive where it is one.
    """
    kept: dict[str, str] = {}
    folder.mkdir(parents=True)
    for place, (field, data) in enumerate(files.items()):
        name = names.get(field) or field
        suffix = Path(name).suffix.lower() if _is_archive(name) else ".image"
        file = f"{place:06d}{suffix}"
        with (folder / file).open("xb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        kept[file] = name
    return kept

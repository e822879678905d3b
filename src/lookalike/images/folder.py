"""A folder and all that is in it, in one order on every machine; links are followed, loops are not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import FetchFailed
from .archives import scan_archive
from .item import Item, Skipped
from .names import Selection, looks_like_image, path_id
from .reading import FetchLimits, failure, file_item
from .sidecars import beside

__all__ = ["is_collection", "named_file", "scan_folder"]

_COLLECTION_FILE = "collection.sqlite"
_Identity = tuple[int, int]  # device and inode


def is_collection(path: str) -> bool:
    """Say whether a folder is a collection of ours, which is never indexed itself."""
    return path.endswith(".collection") or os.path.lexists(os.path.join(path, _COLLECTION_FILE))


@dataclass(slots=True)
class _Level:
    """A folder that is being walked through."""

    relative: str  # POSIX, relative to the root; empty for the root itself
    identity: _Identity
    entries: Iterator[os.DirEntry[str]]
    names: frozenset[str] = field(default_factory=frozenset)


class _Walk:
    def __init__(self, root: str, selection: Selection, limits: FetchLimits) -> None:
        self._root = root
        self._selection = selection
        self._limits = limits
        self._trail: list[_Level] = []
        # Folders that were entered by a link, and by which: links that point to one another's folders would
        # otherwise be walked through in every order, which is no loop but may take as long as one.
        self._entered: dict[_Identity, str] = {}

    def run(self) -> Iterator[Item | Skipped]:
        yield from self._enter(self._root, "", is_link=False)
        while self._trail:
            level = self._trail[-1]
            entry = next(level.entries, None)
            if entry is None:
                self._trail.pop()
                continue
            relative = f"{level.relative}/{entry.name}" if level.relative else entry.name
            if self._selection.leaves_out(entry.name, relative):
                continue
            try:
                yield from self._entry(entry, relative, level)
            except OSError as error:
                yield Skipped(entry.path, failure(entry.path, error))

    def _entry(self, entry: os.DirEntry[str], relative: str, level: _Level) -> Iterator[Item | Skipped]:
        image, archive = looks_like_image(entry.name), entry.name.lower().endswith(".tar")
        if entry.is_dir():
            yield from self._enter(entry.path, relative, is_link=entry.is_symlink())
        elif not image and not archive:
            # Where a link without a suffix leads nowhere, a folder of pictures may be missing: that is worth a word.
            if entry.is_symlink() and not os.path.splitext(entry.name)[1] and not os.path.exists(entry.path):
                yield _broken_link(entry.path)
        elif not self._selection.wants(relative):
            return
        elif entry.is_symlink() and not os.path.exists(entry.path):
            yield _broken_link(entry.path)
        else:
            status = entry.stat()
            if not stat.S_ISREG(status.st_mode):
                yield Skipped(entry.path, FetchFailed(f"cannot read {entry.path!r}: it is not a regular file."))
            elif archive:
                yield from scan_archive(
                    entry.path, root=self._root, prefix=f"{relative}/", selection=self._selection, limits=self._limits
                )
            else:
                base = os.path.splitext(entry.name)[0]
                metadata = beside(os.path.splitext(entry.path)[0], level.names, base, self._limits)
                yield file_item(
                    entry.path, self._root, path_id(relative, separator="/"), status, self._limits, metadata
                )

    def _enter(self, path: str, relative: str, *, is_link: bool) -> Iterator[Skipped]:
        if self._selection.depth is not None and relative.count("/") + 1 > self._selection.depth and relative:
            return
        try:
            status = os.stat(path)
            identity = (status.st_dev, status.st_ino)
            if any(level.identity == identity for level in self._trail):
                yield Skipped(path, FetchFailed(f"the folder {path!r} is a link to a folder that it lies in (a loop)."))
                return
            if is_link and identity in self._entered:
                first = self._entered[identity]
                yield Skipped(path, FetchFailed(f"the folder {path!r} is the same as {first!r}, already scanned."))
                return
            with os.scandir(path) as found:
                entries = sorted(found, key=_by_name)
        except OSError as error:
            yield Skipped(path, failure(path, error))
            return
        if is_link:
            self._entered[identity] = path
        names = frozenset(entry.name for entry in entries)
        if path != self._root and (path.endswith(".collection") or _COLLECTION_FILE in names):
            return
        has_json = any(name.endswith(".json") for name in names)
        self._trail.append(_Level(relative, identity, iter(entries), names if has_json else frozenset()))


def _by_name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _broken_link(path: str) -> Skipped:
    return Skipped(path, FetchFailed(f"{path!r} is a link to something that does not exist."))


def scan_folder(root: str, *, selection: Selection, limits: FetchLimits) -> Iterator[Item | Skipped]:
    """Yield the pictures below an absolute path, folder by folder in the order of their names.

    A ``.tar`` on the way is looked into, as in the output of img2dataset; its path stands in front of its members' ids.
    Folders that cannot be read, loops and links to nothing are yielded as skipped.
    """
    return _Walk(root, selection, limits).run()


def named_file(path: str, limits: FetchLimits) -> Item:
    """Return the item of a file that was named itself, whatever its suffix.

    Raises:
        OSError: its status cannot be read.
    """
    folder, name = os.path.split(path)
    base = os.path.splitext(name)[0]
    there = frozenset(n for n in (f"{base}.json", f"{base}.txt") if os.path.lexists(os.path.join(folder, n)))
    metadata = beside(os.path.splitext(path)[0], there, base, limits)
    return file_item(path, folder, path_id(name), os.stat(path), limits, metadata)

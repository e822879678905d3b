"""Pictures within tar and zip archives; the parts of a WebDataset sample are put together."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..errors import ImageError
from ..types import Stamp
from .item import Item, Skipped
from .member import Member
from .names import Selection, looks_like_image, path_id
from .reading import FetchLimits, failure
from .sidecars import MAX_BYTES, SIDECARS, metadata_of
from .tars import read_tar_member, tar_members
from .zips import read_zip_member, zip_members

__all__ = ["read_member", "scan_archive"]

_MOST_PARTS = 64  # of one sample; names such as IMG.0001.jpg, IMG.0002.jpg would otherwise all wait for their last


def scan_archive(
    path: str, *, root: str, prefix: str, selection: Selection, limits: FetchLimits
) -> Iterator[Item | Skipped]:
    """Yield the pictures of an archive, in its order (zip: by name); nothing is unpacked.

    Members that share their path up to the first dot of the name are one sample, as in WebDataset: ``000.jpg`` gets
    the keys of ``000.json``, the caption of ``000.txt`` and the label of ``000.cls``. In a tar they must stand side by
    side, as WebDataset demands.

    Args:
        path: absolute path of the archive.
        root: what the items say as their root.
        prefix: stands in front of the members' ids; empty when the archive itself is the root.
        selection: which members to look at.
        limits: of reading.
    """
    try:
        mtime_ns = os.stat(path).st_mtime_ns
    except OSError as error:
        yield Skipped(path, failure(path, error))
        return

    def wanted(name: str) -> bool:
        is_part = looks_like_image(name) or os.path.splitext(name)[1][1:].lower() in SIDECARS
        return is_part and selection.wants_member(prefix + _clean(name))

    def items(sample: list[Member]) -> Iterator[Item]:
        images = [member for member in sample if looks_like_image(member.name)]
        metadata = _metadata(sample) if images else {}
        for member in images:
            yield Item(
                id=path_id(prefix + _clean(member.name), separator="/"),
                root=root,
                source=f"{path}!/{member.name}",
                stamp=Stamp(member.size, mtime_ns),
                read=member.read,
                metadata=metadata,
            )

    members = zip_members if path.lower().endswith(".zip") else tar_members
    sample: list[Member] = []
    for member in members(path, wanted, limits):
        if isinstance(member, Skipped):
            yield from items(sample)
            sample = []
            yield member
            continue
        if sample and (len(sample) >= _MOST_PARTS or _key(member.name) != _key(sample[0].name)):
            yield from items(sample)
            sample = []
        sample.append(member)
    yield from items(sample)


def read_member(archive: str, name: str, limits: FetchLimits) -> bytes:
    """Return the bytes of one member; raises FetchFailed or ImageTooLarge."""
    return (read_zip_member if archive.lower().endswith(".zip") else read_tar_member)(archive, name, limits)


def _clean(name: str) -> str:
    """Return a member's name without what says nothing: ``./`` in front (as ``tar c .`` writes) or a leading slash."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _key(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.partition(".")[0]


def _metadata(sample: list[Member]) -> dict[str, object]:
    key = _key(sample[0].name)
    parts: dict[str, bytes] = {}
    for member in sample:
        suffix = member.name[len(key) + 1 :].lower()
        if suffix in SIDECARS and member.size <= MAX_BYTES:
            try:
                parts[suffix] = member.read()
            except ImageError:
                continue  # the picture is worth having without it
    return metadata_of(parts)

"""Names: which look like pictures, which are left out, and how a path becomes an id. Touches no file."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "ARCHIVE_SUFFIXES",
    "IMAGE_SUFFIXES",
    "Selection",
    "is_archive",
    "is_url",
    "looks_like_image",
    "path_id",
    "path_within",
    "split_archive",
]

# What every installation decodes, what the extra `heic` does, and what the extra `raw` does.
_COMMON = ".jpg .jpeg .jpe .jfif .png .apng .webp .gif .tif .tiff .bmp .dib .avif .ico .tga .pcx .ppm .pgm .pbm .pnm"
_RARER = ".jp2 .j2k .j2c .jpx .psd .qoi"
_HEIC = ".heic .heif .hif"
_RAW = (
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl"
    " .sr2 .srf .srw .x3f"
)
IMAGE_SUFFIXES = frozenset(" ".join((_COMMON, _RARER, _HEIC, _RAW)).split())
ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip")

# Folders and files that hold no pictures of a person's: thumbnails of a NAS, packages, version control, system folders.
_NEVER = frozenset(["@eaDir", "node_modules", ".git", "System Volume Information", "__MACOSX", "Thumbs.db"])
_MEMBER = re.compile(r"\.(?:tar|tar\.gz|tgz|tar\.bz2|tbz2|tar\.xz|txz|zip)!/", re.IGNORECASE)
_URL = re.compile(r"https?://", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def looks_like_image(name: str) -> bool:
    """Say whether a name or path ends like a picture's; case does not matter."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_archive(name: str) -> bool:
    """Say whether a name or path ends like that of an archive that is looked into."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def is_url(text: str) -> bool:
    """Say whether a text is an http or https URL."""
    return _URL.match(text) is not None


def path_id(relative: str, *, separator: str = os.sep) -> str:
    """Return the id of a path relative to its root: ``/`` between the parts, undecodable bytes as ``%XX``.

    Everything that is text stays as it is: spaces, line breaks, ``#``, and ``%`` too, so a name that literally holds
    ``%FF`` and one that holds the undecodable byte FF have the same id. That is rarer than names that came
    percent-encoded from the web, which stay readable this way; the exact name is in the record's ``source``.
    """
    if separator != "/":
        relative = relative.replace(separator, "/")
    return _SURROGATE.sub(_as_percent, relative)


def _as_percent(found: re.Match[str]) -> str:
    point = ord(found.group())
    if 0xDC80 <= point <= 0xDCFF:  # a byte that Python could not decode (PEP 383)
        return f"%{point - 0xDC00:02X}"
    # Half a UTF-16 pair, which Windows allows in names: no byte, but it must not enter an id either.
    return "".join(f"%{byte:02X}" for byte in found.group().encode("utf-8", "surrogatepass"))


def path_within(path: str, folder: str) -> tuple[str, str]:
    """Return the root and the id of an absolute path that a list in ``folder`` names.

    Below ``folder`` the id is relative to it; elsewhere the root is that of the file system, so that ids stay unique.
    """
    drive, rest = os.path.splitdrive(path)
    inside = folder if folder.endswith(os.sep) else folder + os.sep
    if path.startswith(inside):
        return folder, path_id(path[len(inside) :])
    return drive + os.sep, path_id(rest.lstrip(os.sep))


def split_archive(source: str) -> tuple[str, str]:
    """Split ``/a/b.tar!/c/d.jpg`` into ``("/a/b.tar", "c/d.jpg")``; any other source gives ``("", source)``."""
    found = None if is_url(source) else _MEMBER.search(source)
    if found is None:
        return "", source
    return source[: found.end() - 2], source[found.end() :]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which names in a folder or archive are looked at.

    Attributes:
        exclude: patterns as in a shell, against the name or the whole relative POSIX path; a folder that matches is
            left out with all that is in it.
        include_hidden: look at names that begin with a dot as well.
        only: whole relative paths must match it; what a glob means.
        depth: folders below this many levels are left out; None for no limit.
    """

    exclude: re.Pattern[str] | None = None
    include_hidden: bool = False
    only: re.Pattern[str] | None = None
    depth: int | None = None

    @classmethod
    def of(cls, exclude: Sequence[str], *, include_hidden: bool) -> Selection:
        """Compile the patterns; one that ends in a slash means the folder of that name."""
        alternatives = "|".join(fnmatch.translate(pattern.rstrip("/")) for pattern in exclude)
        return cls(re.compile(alternatives) if exclude else None, include_hidden)

    def leaves_out(self, name: str, relative: str) -> bool:
        """Say whether an entry is left out by its own name or path; its parents have been asked about already."""
        if name in _NEVER or (name.startswith(".") and not self.include_hidden):
            return True
        return self.exclude is not None and bool(self.exclude.match(name) or self.exclude.match(relative))

    def wants(self, relative: str) -> bool:
        """Say whether a picture or archive at this path, none of whose folders is left out, is meant."""
        return self.only is None or self.only.fullmatch(relative) is not None

    def wants_member(self, relative: str) -> bool:
        """Say whether a member of an archive is wanted; asks about each folder of its path too."""
        parts = relative.split("/")
        paths = ("/".join(parts[: n + 1]) for n in range(len(parts)))
        return not any(self.leaves_out(name, path) for name, path in zip(parts, paths, strict=True))

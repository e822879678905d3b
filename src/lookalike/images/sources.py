"""What a person names to be indexed, and the pictures in it.

Which kind of source a name is: ``stdin:``, then a URL, then what lies there (folder, table, archive, file), and where
nothing lies there, a pattern.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from itertools import chain

from ..errors import BadInput, NoSuchFile
from .archives import read_member, scan_archive
from .folder import is_collection, named_file, scan_folder
from .globs import has_wildcard, scan_glob
from .http import fetch
from .item import Item, Skipped
from .lists import is_list, named_item, scan_names, scan_table
from .names import Selection, is_archive, is_url, split_archive
from .reading import FetchLimits, read_file

__all__ = ["read_source", "scan"]

Entries = Iterator[Item | Skipped]


def scan(
    source: str | os.PathLike[str],
    *,
    exclude: Sequence[str] = (),
    include_hidden: bool = False,
    limits: FetchLimits | None = None,
) -> Entries:
    """Return an iterator over the pictures of a source, in an order that is the same each time.

    Nothing is read ahead: memory does not depend on how many pictures there are, and their bytes wait for
    ``Item.read``. What cannot be used within the source is yielded as ``Skipped`` and never ends the scan.

    Args:
        source: a folder (with all below it); a picture; a pattern such as ``photos/**/*.jpg``; a tar, tar.gz, tar.bz2,
            tar.xz or zip, WebDataset shards among them; a CSV, TSV or Parquet table; ``stdin:`` or ``-`` for a list of
            paths or URLs on standard input; an http(s) URL.
        exclude: shell patterns against names and relative POSIX paths within folders and archives.
        include_hidden: look at names that begin with a dot as well.
        limits: of reading; the default ones when None.

    Raises:
        NoSuchFile: nothing is there, or nothing matches the pattern.
        BadInput: it is there and is no source: a collection, a device, a table without a column of paths.
        MissingExtra: a Parquet table, and pyarrow is not installed.
    """
    text = os.fspath(source)
    limits = limits or FetchLimits()
    selection = Selection.of(exclude, include_hidden=include_hidden)
    if not text:
        raise BadInput("an empty name is no source of images.", hint="Name a folder, a file, a list or a URL.")
    if text == "stdin:" or (text == "-" and not os.path.lexists(text)):
        return scan_names(None, limits=limits)
    if is_url(text):
        return iter([named_item(text, "", limits)])
    if text.startswith("~") and not os.path.lexists(text):
        text = os.path.expanduser(text)
    status = _status(text)
    if status is None:
        return _matches(text, selection, limits)
    path = os.path.abspath(text)
    if stat.S_ISDIR(status.st_mode):
        if is_collection(path):
            raise BadInput(f"{text!r} is a collection, not images.", hint="Name the folder that holds the images.")
        return scan_folder(path, selection=selection, limits=limits)
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"{text!r} is neither a file nor a folder.", hint="For a list on standard input, write stdin:")
    if is_list(path):
        return scan_table(path, limits=limits)
    if is_archive(path):
        return scan_archive(path, root=path, prefix="", selection=selection, limits=limits)
    return iter([named_file(path, limits)])


def _status(text: str) -> os.stat_result | None:
    """Return what lies there, None for nothing."""
    try:
        return os.stat(text)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return None
    except OSError as error:
        if has_wildcard(text):
            return None
        raise BadInput(f"cannot look at {text!r}: {error.strerror or error}.") from error


def _matches(text: str, selection: Selection, limits: FetchLimits) -> Entries:
    if not has_wildcard(text):
        if os.path.islink(text):
            raise NoSuchFile(f"{text!r} is a link to something that does not exist.")
        raise NoSuchFile(f"no such file or folder: {text!r}.", hint="Check the name and the folder you are in.")
    found = scan_glob(text, selection=selection, limits=limits)
    skipped: list[Item | Skipped] = []
    for entry in found:
        if isinstance(entry, Item):
            return chain(skipped, [entry], found)
        skipped.append(entry)
    if skipped:
        return iter(skipped)
    raise NoSuchFile(f"no image matches {text!r}.", hint="* stops at a slash; ** stands for any number of folders.")


def read_source(source: str, *, limits: FetchLimits | None = None) -> bytes:
    """Return the bytes of a stored record's ``source``: an absolute path, a URL or ``archive.tar!/member``.

    Raises:
        FetchFailed: it is gone, not permitted, or does not answer.
        ImageTooLarge: it is over the limit.
    """
    limits = limits or FetchLimits()
    if is_url(source):
        return fetch(source, limits=limits)
    archive, member = split_archive(source)
    if archive and not os.path.lexists(source):
        return read_member(archive, member, limits)
    return read_file(source, limits)

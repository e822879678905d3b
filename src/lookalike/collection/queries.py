"""What a person typed, understood as a query; and a query turned into one vector."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from ..errors import BadQuery, BadShape, LookalikeError, NoSuchFile
from ..images import looks_like_image
from ..images.names import split_archive
from ..types import Bits, Query, QueryItem, QueryKind, Vectors
from .in_memory import AnyImage, pixels_of
from .multiview import Merge, merge_rows

__all__ = ["Searchable", "combine", "parse", "understand", "vote"]

# Whatever ``Collection.search`` takes: words as on the command line, a picture in memory, or several of them.
Searchable: TypeAlias = "str | os.PathLike[str] | bytes | AnyImage | Query | Sequence[Any]"

_WEIGHT = re.compile(r"(\d+(?:\.\d+)?|\.\d+):(?=.)", re.DOTALL)
_URL = re.compile(r"https?://", re.IGNORECASE)
_PREFIXES: tuple[tuple[str, QueryKind], ...] = (("id:", "id"), ("text:", "text"), ("path:", "path"))


def parse(words: Sequence[str]) -> Query:
    """Understand the words of a command line.

    Each word is a path, an http(s) URL, ``id:...``, ``stdin:`` or ``text:...``; a bare word that is no existing path
    is text, unless it contains a slash or an image suffix. The words ``+`` and ``-`` stand between items, and
    ``2:cat.jpg`` gives an item the weight 2.

    Raises:
        BadQuery: nothing to search for, or a sign with nothing after it.
        NoSuchFile: a path that does not exist.
    """
    items: list[QueryItem] = []
    sign = 1.0
    pending = ""
    for word in words:
        if word in ("+", "-"):
            if pending:
                raise BadQuery(
                    f"two signs in a row in the query: {pending!r} and {word!r}.", hint="Give an item between."
                )
            pending, sign = word, (1.0 if word == "+" else -1.0)
            continue
        items.append(_item(word, sign))
        pending, sign = "", 1.0
    if pending:
        raise BadQuery(f"the query ends with {pending!r}.", hint="Say what to add or take away after it.")
    if not items:
        raise BadQuery("there is nothing to search for.", hint="Give an image file, a URL, id:..., or stdin:")
    if all(item.weight < 0 for item in items):
        raise BadQuery("a query needs at least one item that is not taken away.", hint="Put one before the '-'.")
    return Query(tuple(items))


def _item(word: str, sign: float) -> QueryItem:
    weight = 1.0
    # A file that is really called "2:cat.jpg" means itself, not "cat.jpg, twice".
    found = None if os.path.lexists(word) else _WEIGHT.match(word)
    if found:
        weight, word = float(found.group(1)), word[found.end() :]
        if weight == 0:
            raise BadQuery(
                f"the weight 0 of {word!r} leaves it without effect.", hint="Drop it, or give another weight."
            )
    kind, value = _kind(word)
    return QueryItem(kind, value, sign * weight)


def _kind(word: str) -> tuple[QueryKind, str]:
    if word == "stdin:":
        return "stdin", word
    if _URL.match(word):
        return "url", word
    for prefix, kind in _PREFIXES:
        if word.startswith(prefix):
            if not word[len(prefix) :]:
                raise BadQuery(f"{prefix!r} with nothing after it.", hint=f"Write {prefix}SOMETHING.")
            return kind, word[len(prefix) :]
    path = Path(word).expanduser()
    if path.is_dir():
        raise BadQuery(f"{word!r} is a folder; a query is one image.", hint="Name a file in it, or several files.")
    # A result's source may be a member of an archive, and what is shown can be searched for.
    archive, _ = split_archive(str(path))
    if os.path.lexists(path) or (archive and os.path.lexists(archive)):
        return "path", str(path)
    if "/" in word or os.sep in word or looks_like_image(word):
        raise NoSuchFile(f"no such file: {word!r}.", hint="Check the path; for words to search for, write text:...")
    if not word.strip():
        raise BadQuery("an empty word is nothing to search for.", hint="Give an image file, a URL, id:..., or stdin:")
    return "text", word


def understand(what: Searchable) -> Query:
    """Return the query that a caller of the Python interface means.

    A string is read as a word of the command line; bytes are an encoded image; arrays ``(H, W)``, ``(H, W, 3)`` or
    ``(H, W, 4)`` uint8 and Pillow images are pixels; a float vector ``(D,)`` is itself, and so are packed bits
    ``(ceil(D / 8),)`` uint8; a list or tuple is several of
    these, of equal weight.
    """
    if isinstance(what, Query):
        return what
    if isinstance(what, (list, tuple)):
        items = tuple(item for part in what for item in understand(part).items)
        if not items:
            raise BadQuery("there is nothing to search for: an empty list.", hint="Give at least one image.")
        return Query(items)
    if isinstance(what, str):
        return parse([what])
    if isinstance(what, os.PathLike):
        return Query((QueryItem("path", os.fspath(what)),))
    if isinstance(what, (bytes, bytearray, memoryview)):
        return Query((QueryItem("image", "<bytes>", payload=bytes(what)),))
    return Query((_in_memory(what),))


def _in_memory(what: Any) -> QueryItem:
    if not hasattr(what, "convert"):
        array = np.asarray(what)
        if array.ndim == 1 and (np.issubdtype(array.dtype, np.floating) or array.dtype == np.uint8):
            return QueryItem("vector", f"<vector {len(array)}>", payload=array)
    pixels = pixels_of(what)
    return QueryItem("image", f"<image {pixels.shape[1]}x{pixels.shape[0]}>", payload=pixels)


def combine(
    query: Query, vector_of: Callable[[QueryItem], Vectors], *, unit: bool = True, merge: Merge = "best"
) -> Vectors:
    """Return (1, D): the weighted mean of the items' vectors, of unit norm again where the space is of unit vectors.

    With ``merge="gem"`` it is their generalised mean, as ``multiview.merged`` makes it of the images of a group.

    Raises:
        BadQuery: the items cancel each other out, so that no direction is left.
    """
    rows, weights = _rows(query, vector_of)
    mean = merge_rows(rows, weights, merge)
    if unit:
        norm = float(np.linalg.norm(mean))
        if norm < 1e-6:
            raise BadQuery("the items of the query cancel each other out.", hint="Change a weight or drop an item.")
        mean = mean / norm
    vector: Vectors = mean.astype(np.float32)[None]
    return vector


def vote(query: Query, bits_of: Callable[[QueryItem], Vectors], bits: int) -> Vectors:
    """Return (1, ceil(bits / 8)) uint8: each bit as the weighted majority of the items has it.

    An item that is taken away votes for the opposite of its bit. Where the votes are equal, the first item decides.
    """
    rows, weights = _rows(query, bits_of)
    if rows.dtype != np.uint8 or rows.shape[1] != -(-bits // 8):
        raise BadShape(f"the vectors of the query are {bits} bits in uint8, got {rows.dtype} of {rows.shape[1]}.")
    if len(rows) == 1:
        return cast(Vectors, rows)
    signs = np.where(np.unpackbits(rows, axis=1, count=bits), 1, -1) * np.sign(weights[:, None])
    total = np.abs(weights) @ signs
    close = np.abs(total) < 1e-9 * np.abs(weights).sum()
    voted: Bits = np.packbits(np.where(close, signs[0], total) > 0)[None]
    return cast(Vectors, voted)


def _rows(query: Query, vector_of: Callable[[QueryItem], Vectors]) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Return the items' vectors (I, D) and weights (I,)."""
    rows = []
    for item in query.items:
        try:
            rows.append(np.asarray(vector_of(item)).reshape(-1))
        except LookalikeError as error:
            if len(query.items) > 1:
                error.message = f"in the query, {item.kind} {item.value!r}: {error.message}"
            raise
    if len({len(row) for row in rows}) > 1:
        raise BadShape(f"the vectors of one query must have one dimension, got {sorted({len(row) for row in rows})}.")
    return np.stack(rows), np.array([item.weight for item in query.items], dtype=np.float64)

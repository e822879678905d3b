"""A small text tower without a vocabulary: words and the pieces they are made of, hashed to rows of a table."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ModelError

__all__ = ["Ngrams", "buckets_of"]

SHORTEST, LONGEST = 3, 5  # characters of a piece
MOST = 256  # pieces of a text; a longer one is cut


def buckets_of(text: str, count: int) -> list[int]:
    """Return the rows of the table, from ``count``, that a text adds up: one for each word and for each of its pieces.

    Case, accents and punctuation say nothing. Empty for a text without letters and digits.

    Source: Bojanowski et al., "Enriching word vectors with subword information", TACL 2017, with CRC-32 for the hash.

    Example:
        >>> buckets_of("Café!", 1000) == buckets_of("cafe", 1000)
        True
    """
    plain = unicodedata.normalize("NFKD", text.lower())
    kept = "".join(each if each.isalnum() else " " for each in plain if not unicodedata.combining(each))
    pieces: list[str] = []
    for word in kept.split():
        marked = f"<{word}>"
        pieces.append(marked)
        for length in range(SHORTEST, LONGEST + 1):
            pieces += [marked[at : at + length] for at in range(len(marked) - length + 1) if length < len(marked)]
    return [zlib.crc32(piece.encode()) % count for piece in pieces[:MOST]]


class Ngrams:
    """From texts to vectors beside those of a network: the mean of the table's rows, then two layers.

    Args:
        path: a ``.npz`` with ``table`` (B, W) int8 and ``scales`` (B,), ``first`` (W, H), ``first_bias``, ``second``
            (H, D), ``second_bias``, and ``lengths``: of the parts of a vector that are scaled to unit norm.

    Raises:
        ModelError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as kept:
                self._table = kept["table"]
                self._scales = kept["scales"].astype(np.float32)
                names = ("first", "first_bias", "second", "second_bias")
                self._first, self._first_bias, self._second, self._second_bias = (
                    kept[name].astype(np.float32) for name in names
                )
                self.lengths = tuple(int(length) for length in kept["lengths"])
        except (OSError, KeyError, ValueError) as broken:
            raise ModelError(f"the text tower {path} cannot be read: {broken}", hint="Install it anew.") from broken

    def rows(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (B, D): parts of unit norm side by side; a text without letters is as an empty one."""
        means = np.zeros((len(texts), self._table.shape[1]), np.float32)
        for at, text in enumerate(texts):
            found = buckets_of(text, len(self._table))
            if found:
                means[at] = (self._table[found] * self._scales[found, None]).mean(axis=0)
        hidden = np.maximum(means @ self._first + self._first_bias, 0)
        made = hidden @ self._second + self._second_bias
        ends = np.cumsum(self.lengths)
        for start, end in zip(ends - self.lengths, ends, strict=True):
            part = made[:, start:end]
            part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9)
        return np.asarray(made, np.float32)

"""Words as vectors of an image space, by a tower so small that it ships with the package.

A word is the mean of the vectors of its character n-grams and of itself, a text the mean of its words; two layers then
lead into the space of the images. Source of the subwords: Bojanowski et al., "Enriching word vectors with subword
information", TACL 2017, with n from 3 to 5; of the training: Radford et al., "Learning transferable visual models from
natural language supervision", ICML 2021. ``recipes/builtin/words.py`` trains it.
"""

from __future__ import annotations

import io
import re
import threading
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ModelError

__all__ = ["Subwords", "pieces_of", "vocabulary_of", "words_of"]

_SIZES = (3, 4, 5)
_WORD = re.compile(r"[^\W_]+")


def vocabulary_of(embedder: object) -> frozenset[str] | None:
    """Return the words that an embedder has learned; None of one that reads everything, as CLIP does, or nothing."""
    return getattr(embedder, "vocabulary", None)


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(each for each in plain if not unicodedata.combining(each)))


def pieces_of(word: str, buckets: int) -> list[int]:
    """Return the buckets of a word and of its n-grams, by CRC-32: the same on every machine."""
    whole = f"<{word}>"
    grams = [whole[at : at + size] for size in _SIZES for at in range(len(whole) - size + 1)]
    return [zlib.crc32(each.encode()) % buckets for each in {whole: None, **dict.fromkeys(grams)}]


class Subwords:
    """A tower of a file; read when it is first needed.

    The file is a ``.npz``: ``buckets`` (B, E) float16, ``inner`` (E, H), ``inner_bias`` (H,), ``outer`` (H, D),
    ``outer_bias`` (D,) float16, and ``vocabulary``, the words that it was trained on, as UTF-8 joined by line ends.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reading = threading.Lock()
        self._arrays: dict[str, npt.NDArray[np.float32]] | None = None
        self._vocabulary: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Subwords({str(self.path)!r})"

    @property
    def vocabulary(self) -> frozenset[str]:
        """Return the words that it was trained on.

        Raises:
            ModelError: the file cannot be read.
        """
        self._read()
        return self._vocabulary

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (B, D) rows of unit norm.

        Raises:
            ModelError: the file cannot be read.
        """
        arrays = self._read()
        buckets = arrays["buckets"]
        rows = np.zeros((len(texts), buckets.shape[1]), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = words_of(text)
            for word in words:
                row += buckets[pieces_of(word, len(buckets))].mean(axis=0) / len(words)
        hidden = np.maximum(rows @ arrays["inner"] + arrays["inner_bias"], 0)
        made = hidden @ arrays["outer"] + arrays["outer_bias"]
        return np.asarray(made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9), np.float32)

    def _read(self) -> dict[str, npt.NDArray[np.float32]]:
        with self._reading:
            if self._arrays is None:
                try:
                    with np.load(io.BytesIO(self.path.read_bytes())) as file:
                        self._vocabulary = frozenset(bytes(file["vocabulary"]).decode().split("\n"))
                        names = ("buckets", "inner", "inner_bias", "outer", "outer_bias")
                        self._arrays = {name: file[name].astype(np.float32) for name in names}
                except (OSError, KeyError, ValueError, zipfile.BadZipFile) as failed:
                    raise ModelError(
                        f"the words of {self.path} cannot be read: {failed}", hint="Install it anew."
                    ) from failed
            return self._arrays

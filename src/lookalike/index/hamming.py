"""How many bits of packed rows differ: the distance that spaces of bits are compared by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..types import Bits

__all__ = ["agreement", "distances", "pair_distances"]

Counts = npt.NDArray[np.uint32]

_AT_ONCE = 1 << 18  # words compared at a time: their 2 MiB stay within the cache


def distances(queries: Bits, vectors: Bits) -> Counts:
    """Return (Q, B): in how many bits each of (Q, W) differs from each of (B, W)."""
    left, right = _words(queries), np.ascontiguousarray(_words(vectors).T)  # (Q, words), (words, B)
    found = np.empty((len(queries), len(vectors)), np.uint32)
    step = max(1, _AT_ONCE // max(1, len(vectors)))
    for start in range(0, len(left), step):
        some = left[start : start + step]
        counts = found[start : start + step]
        counts[:] = np.bitwise_count(some[:, :1] ^ right[:1])
        for word in range(1, len(right)):
            counts += np.bitwise_count(some[:, word, None] ^ right[word])
    return found


def pair_distances(first: Bits, second: Bits) -> Counts:
    """Return (B,): in how many bits (B, W) differ from (B, W), row by row."""
    differ = _words(first) ^ _words(second)
    return np.asarray(np.bitwise_count(differ).sum(axis=1, dtype=np.uint32))


def agreement(differing: Counts, bits: int) -> npt.NDArray[np.float32]:
    """Return the score of distances: 1 - distance / bits, in [0, 1]."""
    table = (1 - np.arange(bits + 1) / bits).astype(np.float32)
    return table[differing]


def _words(packed: Bits) -> npt.NDArray[np.uint64]:
    """Return (B, W) bytes as (B, ceil(W / 8)) words: a view where the bytes fill them."""
    missing = -packed.shape[1] % 8
    whole = np.pad(packed, ((0, 0), (0, missing))) if missing else np.ascontiguousarray(packed)
    return whole.view(np.uint64)

"""Pictures as sums of parts: non-negative matrix factorisation of the collection's pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .learned import Arrays, Floats, LearnedEmbedder

__all__ = ["NonNegativeParts", "nmf", "shares"]

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NonNegativeParts:
    """How much of each part a small grey picture is made of, when nothing can be taken away.

    Source: Lee, Seung, "Learning the parts of objects by non-negative matrix factorization", Nature 1999. Deviation:
    fitted by coordinate descent (HALS; Cichocki, Phan, IEICE 2009), which needs far fewer passes than their update.

    Attributes:
        dim: parts.
        side: of the pictures, in pixels.
        passes: over all parts, when learning.
        sweeps: over the shares of a picture, when describing.
        version: changes when the formula does.
    """

    dim: int = 49
    side: int = 32
    passes: int = 100
    sweeps: int = 60
    version: int = 1

    @property
    def grey(self) -> bool:
        """Return True."""
        return True

    def learn(self, pictures: npt.NDArray[np.uint8], rng: np.random.Generator) -> Arrays:
        """Return ``parts`` (dim, P) of P pixels, each of unit norm, >= 0."""
        rows = pictures.reshape(len(pictures), -1) / 255.0
        scale = np.sqrt(rows.mean() / self.dim)
        parts = scale * np.abs(rng.standard_normal((self.dim, rows.shape[1])))
        given = scale * np.abs(rng.standard_normal((len(rows), self.dim)))
        for _ in range(self.passes):
            given = _descend(rows @ parts.T, parts @ parts.T, given)
            parts = _descend(rows.T @ given, given.T @ given, parts.T).T
        norm = np.linalg.norm(parts, axis=1, keepdims=True)
        return {"parts": (parts / np.where(norm > 0, norm, 1)).astype(np.float32)}

    def describe(self, pictures: npt.NDArray[np.uint8], learned: Arrays) -> Doubles:
        """Return (B, dim), >= 0."""
        rows = pictures.reshape(len(pictures), -1) / 255.0
        return shares(rows, learned["parts"].astype(np.float64), self.sweeps)

    def draw(self, learned: Arrays) -> Floats:
        """Return the parts as pictures (dim, side, side)."""
        return learned["parts"].reshape(-1, self.side, self.side)


def shares(rows: Doubles, parts: Doubles, sweeps: int) -> Doubles:
    """Return the W >= 0, (B, K), that makes W @ parts nearest to (B, P) rows, nearly."""
    products, gram = rows @ parts.T, parts @ parts.T
    found = np.zeros_like(products)
    for _ in range(sweeps):
        found = _descend(products, gram, found)
    return found


def _descend(products: Doubles, gram: Doubles, found: Doubles) -> Doubles:
    """Return ``found`` (B, K) after one pass that sets each column to the best value >= 0, the others being fixed."""
    columns = np.ascontiguousarray(found.T)
    for k in range(len(gram)):
        if gram[k, k] > 1e-12:
            columns[k] += (products[:, k] - gram[k] @ columns) / gram[k, k]
            np.maximum(columns[k], 0, out=columns[k])
    return np.ascontiguousarray(columns.T)


def nmf() -> LearnedEmbedder:
    """Return shares of the parts that the collection's own pictures are made of; learned on first use."""
    return LearnedEmbedder("nmf", NonNegativeParts())

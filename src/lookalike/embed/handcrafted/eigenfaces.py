"""Principal components of the collection's pictures, which are pictures themselves: 'eigenfaces'."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .learned import Arrays, Floats, LearnedEmbedder

__all__ = ["PrincipalComponents", "eigenfaces"]


@dataclass(frozen=True, slots=True)
class PrincipalComponents:
    """The coordinates of a small grey picture along the directions in which the collection's pictures differ most.

    Source: Turk, Pentland, "Eigenfaces for Recognition", Journal of Cognitive Neuroscience 1991. Deviation: compared by
    cosine instead of distance.

    Attributes:
        dim: components; fewer pictures than that teach fewer.
        side: of the pictures, in pixels.
        version: changes when the formula does.
    """

    dim: int = 64
    side: int = 32
    version: int = 1

    @property
    def grey(self) -> bool:
        """Return True."""
        return True

    def learn(self, pictures: npt.NDArray[np.uint8], rng: np.random.Generator) -> Arrays:
        """Return ``mean`` (P,) and ``components`` (K, P) of P pixels, by falling variance; nothing is drawn."""
        rows = pictures.reshape(len(pictures), -1).astype(np.float64)
        mean = rows.mean(axis=0)
        _, values, directions = np.linalg.svd(rows - mean, full_matrices=False)
        kept = directions[: self.dim][values[: self.dim] > 1e-6 * max(values.max(), 1)]
        # The sign of a component is arbitrary: its largest pixel is made positive, so that there is one answer.
        largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=1, keepdims=True), axis=1)
        return {"mean": mean.astype(np.float32), "components": (kept * np.sign(largest)).astype(np.float32)}

    def describe(self, pictures: npt.NDArray[np.uint8], learned: Arrays) -> Floats:
        """Return (B, dim)."""
        rows = pictures.reshape(len(pictures), -1) - learned["mean"]
        found = rows @ learned["components"].T
        return np.pad(found, ((0, 0), (0, self.dim - found.shape[1])))

    def draw(self, learned: Arrays) -> Floats:
        """Return the components as pictures (K, side, side)."""
        return learned["components"].reshape(-1, self.side, self.side)


def eigenfaces() -> LearnedEmbedder:
    """Return coordinates along the principal components of the collection's own pictures; learned on first use."""
    return LearnedEmbedder("eigenfaces", PrincipalComponents())

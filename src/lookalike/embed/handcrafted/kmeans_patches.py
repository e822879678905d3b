"""Which small patches a picture is made of, among those that are typical of the collection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .learned import Arrays, Floats, LearnedEmbedder
from .normalise import powered

__all__ = ["Patches", "kmeans", "kmeans_patches"]


@dataclass(frozen=True, slots=True)
class Patches:
    """How strongly the patches of a small picture belong to each of the k-means centres of the collection's patches.

    Source: Coates, Lee, Ng, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", AISTATS 2011: a
    patch gives to each centre what it is nearer to it than to the centres on average ("triangle"). Deviations: no
    whitening; one sum over the picture instead of four; square root as in ``powered``.

    Attributes:
        dim: centres; fewer different patches than that give fewer.
        side: of the pictures, in pixels.
        patch: of the patches, in pixels.
        stride: between the patches of a picture.
        taken: patches that a picture teaches.
        rounds: of k-means.
        floor: variance that is added to a patch's before its contrast is evened, in grey levels squared.
        version: changes when the formula does.
    """

    dim: int = 128
    side: int = 32
    patch: int = 6
    stride: int = 2
    taken: int = 20
    rounds: int = 20
    floor: float = 100.0
    version: int = 1

    @property
    def grey(self) -> bool:
        """Return False."""
        return False

    def learn(self, pictures: npt.NDArray[np.uint8], rng: np.random.Generator) -> Arrays:
        """Return ``centres`` (K, patch x patch x 3)."""
        per_picture = ((self.side - self.patch) // self.stride + 1) ** 2
        chosen = np.argsort(rng.random((len(pictures), per_picture)), axis=1)[:, : self.taken]
        some = [self._cut(one[None])[places] for one, places in zip(pictures, chosen, strict=True)]
        return {"centres": kmeans(np.concatenate(some), self.dim, self.rounds, rng)}

    def describe(self, pictures: npt.NDArray[np.uint8], learned: Arrays) -> Floats:
        """Return (B, dim)."""
        centres = learned["centres"]
        distance = np.sqrt(_squared(self._cut(pictures), centres))
        nearer = np.maximum(distance.mean(axis=1, keepdims=True) - distance, 0)
        found = powered(nearer.reshape(len(pictures), -1, len(centres)).sum(axis=1), 0.5)
        return np.pad(found, ((0, 0), (0, self.dim - len(centres))))

    def draw(self, learned: Arrays) -> Floats:
        """Return the centres as pictures (K, patch, patch, 3)."""
        return learned["centres"].reshape(-1, self.patch, self.patch, 3)

    def _cut(self, pictures: npt.NDArray[np.uint8]) -> Floats:
        """Return all patches of all pictures, (B x patches, patch x patch x 3), of even brightness and contrast."""
        windows = np.lib.stride_tricks.sliding_window_view(pictures, (self.patch, self.patch), axis=(1, 2))
        windows = windows[:, :: self.stride, :: self.stride].transpose(0, 1, 2, 4, 5, 3)
        rows = windows.reshape(-1, self.patch**2 * 3).astype(np.float32)
        rows -= rows.mean(axis=1, keepdims=True)
        return np.asarray(rows / np.sqrt(rows.var(axis=1, keepdims=True) + np.float32(self.floor)))


def kmeans(rows: Floats, count: int, rounds: int, rng: np.random.Generator) -> Floats:
    """Return at most ``count`` centres (K, D) of (N, D) rows.

    Source: Lloyd, IEEE Trans. Information Theory 1982, begun as by Arthur, Vassilvitskii, "k-means++", SODA 2007. A
    centre that loses all of its rows stays where it is.
    """
    centres: Floats = rows[rng.integers(len(rows), size=1)]
    nearest = _squared(rows, centres)[:, 0]
    while len(centres) < count and nearest.max() > 1e-6:
        weight = np.where(nearest > 1e-6, nearest, 0).astype(np.float64)
        chosen = rng.choice(len(rows), p=weight / weight.sum())
        centres = np.concatenate([centres, rows[chosen : chosen + 1]])
        nearest = np.minimum(nearest, _squared(rows, centres[-1:])[:, 0])
    for _ in range(rounds):
        owner = _squared(rows, centres).argmin(axis=1)
        order = np.argsort(owner, kind="stable")
        held, first = np.unique(owner[order], return_index=True)
        sums = np.add.reduceat(rows[order].astype(np.float64), first, axis=0)
        centres = centres.copy()
        centres[held] = sums / np.bincount(owner)[held, None]
    return centres


def _squared(rows: Floats, centres: Floats) -> Floats:
    """Return the squared distances (N, K)."""
    squares = (rows**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * (rows @ centres.T), 0))


def kmeans_patches() -> LearnedEmbedder:
    """Return which patches a picture has, among those typical of the collection; learned on first use."""
    return LearnedEmbedder("kmeans-patches", Patches())

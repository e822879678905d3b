"""Whitening: axes that vary alike, learned from rows alone or from matching pairs; and shortening rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadShape
from ..types import Vectors
from .unit import unit

__all__ = ["Whitening", "fit_classes", "fit_pairs", "fit_pca", "truncate"]

Wide = npt.NDArray[np.float64]

_SMALLEST = 1e-10  # of the largest variance: below it an axis is rounding error, and whitening would blow it up


@dataclass(frozen=True, eq=False)
class Whitening:
    """A learned affine map of rows: subtract the mean, project.

    Attributes:
        mean: (D,) float32, read-only.
        projection: (d, D) float32, read-only; the most important axis first, so that its first rows serve alone.
    """

    mean: npt.NDArray[np.float32]
    projection: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        mean, projection = np.array(self.mean, np.float32), np.array(self.projection, np.float32)
        if mean.ndim != 1 or projection.ndim != 2 or projection.shape[1] != len(mean) or 0 in projection.shape:
            raise BadShape(
                f"a whitening needs a mean (D,) and a projection (d, D), got {mean.shape}, {projection.shape}."
            )
        if not (np.isfinite(mean).all() and np.isfinite(projection).all()):
            raise BadShape("a whitening should be finite; it has NaN or infinity.")
        for name, array in (("mean", mean), ("projection", projection)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def dim(self) -> int:
        """Return how many components come out."""
        return len(self.projection)

    @property
    def fingerprint(self) -> str:
        """Return what names the numbers learned; a part of the fingerprint of an embedder that whitens."""
        content = self.mean.tobytes() + self.projection.tobytes()
        return f"whitening/{len(self.mean)}-{self.dim}/{hashlib.sha256(content).hexdigest()[:16]}"

    def project(self, rows: npt.NDArray[Any]) -> Wide:
        """Return (B, d) float64, not normalised, of (B, D).

        Raises:
            BadShape: rows of another number of components.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.mean):
            raise BadShape(f"this whitening takes rows of {len(self.mean)} components, got an array of {rows.shape}.")
        return np.asarray((rows.astype(np.float64) - self.mean) @ self.projection.T.astype(np.float64))

    def apply(self, rows: npt.NDArray[Any]) -> Vectors:
        """Return (B, d) float32 rows of unit norm of (B, D); the mean itself becomes the uniform row.

        Raises:
            BadShape: rows of another number of components.
            ModelError: a value is not finite.
        """
        return unit(self.project(rows), source="whitening")

    def shortened(self, dim: int) -> Whitening:
        """Return the whitening to the first ``dim`` axes.

        Raises:
            BadShape: dim is not in 1 .. ``self.dim``.
        """
        return Whitening(self.mean, self.projection[: _dim(dim, self.dim)])


def fit_pca(rows: npt.NDArray[Any], *, dim: int | None = None, power: float = 0.5, shrinkage: float = 0.0) -> Whitening:
    """Return the whitening by principal components, learned from rows without labels.

    Axes along which all images differ much say little about each one; whitening divides each by its deviation. The
    smallest axes are mostly noise, which that makes as loud as the rest: a power or a shrinkage between protects
    against it.

    Args:
        rows: (N, D) of at least two images.
        dim: how many axes to keep; None means all that vary (all D with a shrinkage above 0).
        power: axes are divided by variance ** power: 0.5 whitens, 0 only rotates ("whitenp" in the authors' code).
        shrinkage: in [0, 1]; how far each variance is drawn to the mean of all, before dividing.

    Raises:
        BadShape: not rows, too few, not finite, all the same, more axes wanted than vary, or an option out of range.

    Source: Jegou, Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and whitening",
    ECCV 2012; as ``pcawhitenlearn`` in cirtorch and ``learn_pca`` in naver/deep-image-retrieval, from which the power
    is. Shrinkage is the convex combination with a scaled identity of Ledoit, Wolf, "A well-conditioned estimator
    for large-dimensional covariance matrices", 2004, with the weight given, not estimated. Each axis points to where
    its largest component is positive, so that the same rows give the same result on any machine.
    """
    if not (0 <= power <= 1 and 0 <= shrinkage <= 1):
        raise BadShape(f"power and shrinkage should be in [0, 1], got {power} and {shrinkage}.")
    wide = _rows(rows)
    mean = wide.mean(axis=0)
    centred = wide - mean
    variances, axes = _spectrum(centred.T @ centred / len(wide))
    varying = int((variances > _SMALLEST * variances[0]).sum()) if variances[0] > 0 else 0
    if not varying:
        raise BadShape("all rows are the same: there is nothing to learn a whitening from.")
    most = len(variances) if shrinkage or not power else varying
    keep = varying if dim is None and not shrinkage else _dim(len(variances) if dim is None else dim, most)
    variances = (1 - shrinkage) * np.maximum(variances, 0) + shrinkage * variances.mean()
    scale = variances[:keep] ** -power if power else np.ones(keep)
    return Whitening(mean.astype(np.float32), (scale[:, None] * axes[:keep]).astype(np.float32))


def fit_pairs(
    rows: npt.NDArray[Any], first: npt.ArrayLike, second: npt.ArrayLike, *, dim: int | None = None
) -> Whitening:
    """Return the whitening learned from pairs of rows that show the same thing.

    The differences within pairs are what should not count: they are whitened, and the rows are then turned to their
    principal axes in that space.

    Args:
        rows: (N, D).
        first, second: (P,) row numbers; ``first[i]`` and ``second[i]`` match.
        dim: how many axes to keep; None means all D.

    Raises:
        BadShape: not rows, not finite, numbers that are no rows, no pairs, pairs that do not differ, or a dim that is
            not in 1 .. D.

    Source: Mikolajczyk, Matas, "Improving descriptors for fast tree matching by optimal linear projection", ICCV 2007,
    in the form of Radenovic, Tolias, Chum, TPAMI 2019 (arXiv:1711.02512), "whitening and dimensionality reduction",
    and their code (cirtorch ``whitenlearn``): the mean is that of the first ones of the pairs, and a covariance that is
    not positive definite gets the smallest power of ten on its diagonal that makes it so; here that power is relative
    to the mean variance, and axes have their sign fixed as in ``fit_pca``.
    """
    wide = _rows(rows)
    left, right = _numbers("first", first, len(wide)), _numbers("second", second, len(wide))
    if len(left) != len(right) or not len(left):
        raise BadShape(f"pairs need as many first as second rows, and one at least; got {len(left)} and {len(right)}.")
    keep = wide.shape[1] if dim is None else _dim(dim, wide.shape[1])
    mean = wide[left].mean(axis=0)
    differences = wide[left] - wide[right]
    if not differences.any():
        raise BadShape("the rows of all pairs are the same: there is nothing to learn a whitening from.")
    inverse = np.linalg.inv(_cholesky(differences.T @ differences / len(differences)))
    turned = (wide - mean) @ inverse.T
    _, axes = _spectrum(turned.T @ turned / len(turned))
    return Whitening(mean.astype(np.float32), (axes[:keep] @ inverse).astype(np.float32))


def fit_classes(
    rows: npt.NDArray[Any],
    classes: npt.ArrayLike,
    *,
    dim: int,
    shrinkage: float = 0.85,
    power: float = 0.25,
    groups: npt.ArrayLike | None = None,
) -> Whitening:
    """Return the whitening learned from rows with a class each: linear discriminant analysis, shrunk.

    What varies within classes is whitened; of what is left, the axes along which the means of the classes differ most
    are kept. Every class counts alike, however many rows it has. Far more shrinkage than usual serves classes that were
    never seen: the variance within a few classes is a poor guide to theirs.

    Args:
        rows: (N, D).
        classes: (N,) whole numbers; classes of one row tell nothing of what varies within, only between.
        dim: how many axes to keep, in 1 .. D, and fewer than there are classes.
        shrinkage: in [0, 1]; how far the covariance within classes is drawn to a multiple of the identity.
        power: kept axes are divided by their variance between classes ** power; 0 leaves them.
        groups: (N,) whole numbers, of which a class has one: kinds of pictures that count alike, however many classes
            each has.

    Raises:
        BadShape: not rows, not finite, classes that do not fit them, none of two rows, or an option out of range.

    Source: Fisher, "The use of multiple measurements in taxonomic problems", 1936; with the shrinkage of Friedman,
    "Regularized discriminant analysis", JASA 1989. The fixed sign of axes is as in ``fit_pca``.
    """
    wide = _rows(rows)
    if not (0 <= shrinkage <= 1 and 0 <= power <= 1):
        raise BadShape(f"power and shrinkage should be in [0, 1], got {power} and {shrinkage}.")
    given = np.asarray(classes)
    if given.shape != (len(wide),) or given.dtype.kind not in "iu":
        raise BadShape(f"classes should be whole numbers ({len(wide)},), got {given.dtype} of {given.shape}.")
    names, first, code, counts = np.unique(given, return_index=True, return_inverse=True, return_counts=True)
    if not (counts > 1).any():
        raise BadShape("no class has two rows, so nothing is known of what varies within one.")
    keep = _dim(dim, min(wide.shape[1], len(names) - 1))
    means = np.zeros((len(names), wide.shape[1]))
    np.add.at(means, code, wide)
    means /= counts[:, None]
    inside = wide - means[code]
    weights = np.where(counts > 1, 1 / np.maximum(counts - 1, 1), 0.0)[code]
    within = (inside * weights[:, None]).T @ inside / weights.sum()
    scale = np.trace(within) / len(within)
    within = (1 - shrinkage) * within + shrinkage * scale * np.eye(len(within))
    variances, axes = _spectrum(within)
    if variances[-1] <= _SMALLEST * variances[0]:
        raise BadShape("some axes do not vary within classes.", hint="Give a shrinkage above 0.")
    inverse = axes.T * variances**-0.5 @ axes
    kinds = np.zeros(len(names), np.int64)
    if groups is not None:
        kinds = np.unique(np.asarray(groups)[first], return_inverse=True)[1]
    shares = (1 / np.bincount(kinds))[kinds]
    centre = means.mean(axis=0)
    turned = (means - centre) @ inverse
    between, directions = _spectrum((turned * shares[:, None]).T @ turned / shares.sum())
    stretch = np.maximum(between[:keep], _SMALLEST * between[0]) ** -power
    return Whitening(centre.astype(np.float32), (stretch[:, None] * directions[:keep] @ inverse).astype(np.float32))


def truncate(rows: npt.NDArray[Any], dim: int) -> Vectors:
    """Return the first ``dim`` components, (B, dim) float32 rows of unit norm.

    For rows of a model that was trained so that their beginnings are embeddings too; of others it keeps what happens
    to come first.

    Raises:
        BadShape: not rows, or dim is not in 1 .. D.
        ModelError: a value is not finite.

    Source: Kusupati et al., "Matryoshka representation learning", NeurIPS 2022, arXiv:2205.13147.
    """
    if rows.ndim != 2:
        raise BadShape(f"rows should be of shape (B, D), got {rows.shape}.")
    return unit(rows[:, : _dim(dim, rows.shape[1])], source="truncation")


def _rows(rows: npt.NDArray[Any]) -> Wide:
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
        raise BadShape(f"a whitening is learned from (N, D) rows, at least two; got {np.shape(rows)}.")
    wide = rows.astype(np.float64)
    if not np.isfinite(wide).all():
        raise BadShape("a whitening is learned from finite rows; some have NaN or infinity.")
    return wide


def _numbers(name: str, values: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and len(numbers)):
        raise BadShape(f"{name} should be row numbers (P,), got {numbers.dtype} of shape {numbers.shape}.")
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < count):
        raise BadShape(f"{name} should be in 0 .. {count - 1}, got {numbers.min()} .. {numbers.max()}.")
    return numbers.astype(np.int64)


def _dim(dim: int, most: int) -> int:
    if not 1 <= dim <= most:
        raise BadShape(f"dim should be in 1 .. {most}, got {dim}.", hint="More would be noise, or is not there.")
    return dim


def _spectrum(covariance: Wide) -> tuple[Wide, Wide]:
    """Return the eigenvalues (D,), largest first, and their axes (D, D), one a row, of fixed sign."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    axes = vectors.T[::-1]
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return values[::-1], axes * signs[:, None]


def _cholesky(covariance: Wide) -> Wide:
    scale = np.trace(covariance) / len(covariance)
    for extra in (0.0, *(10.0**power for power in range(-10, 1))):
        try:
            return np.linalg.cholesky(covariance + extra * scale * np.eye(len(covariance)))
        except np.linalg.LinAlgError:
            continue
    raise BadShape("the differences within the pairs are too large or too small to learn a whitening from.")

"""Several embedders as one: their vectors side by side, so that a score is the weighted mean of theirs.

``ensemble:builtin-1+dinov2-small:2``. Each vector is multiplied by the root of its share of the weights; the cosine of
two joined vectors is then the sum of share × cosine over the members. A member of bits takes part with ±1 for each bit,
divided by the root of their number: its cosine is 2 × (share of equal bits) - 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..protocols import Embedder, Prepares, TextEmbedder
from ..types import Image, Vectors, VectorSpace
from .specs import complete, inner, members, spec_of
from .subwords import vocabulary_of

__all__ = ["Ensemble", "EnsembleAndText", "open_ensemble"]


class Ensemble:
    """Joins the vectors of several embedders.

    Attributes:
        spec: what ``create`` makes the same of again; empty where it cannot be said of a member.
        space: float rows of unit norm, of the sum of the members' dimensions.
        input_size: the largest of the members'.

    Args:
        embedders: two or more.
        weights: above 0, one each; only their ratios count.

    Raises:
        BadInput: fewer than two, weights that do not fit, or a member whose vectors are not compared by an angle.
    """

    def __init__(
        self, embedders: Sequence[Embedder], weights: Sequence[float], *, specs: Sequence[str] | None = None
    ) -> None:
        if len(embedders) < 2 or len(weights) != len(embedders) or not all(0 < w < float("inf") for w in weights):
            raise BadInput(f"an ensemble joins two embedders or more by weights above 0, got {weights}.")
        for each in embedders:
            if each.space.similarity not in ("cosine", "hamming"):
                raise BadInput(f"{each.space.name!r} is compared by {each.space.similarity}, not by an angle.")
        self.embedders = tuple(embedders)
        self.weights = tuple(float(weight) for weight in weights)
        self.shares = np.array(self.weights) / sum(self.weights)
        names = [spec_of(each, given) for each, given in zip(embedders, specs or [""] * len(embedders), strict=True)]
        joined = zip(names, self.weights, strict=True)
        self.spec = "ensemble:" + "+".join(_weighed(inner(name), w, "{0}:{1}") for name, w in joined)
        if not all(names):
            self.spec = ""
        parts = [f"{share!r}*{each.fingerprint}" for share, each in zip(self.shares.tolist(), embedders, strict=True)]
        self.fingerprint = f"ensemble/1/{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"
        called = zip(embedders, self.weights, strict=True)
        self.space = VectorSpace(
            "+".join(_weighed(each.space.name, w, "{1}*{0}") for each, w in called),
            sum(each.space.dim for each in embedders),
            self.fingerprint,
        )
        self.input_size = max(each.input_size for each in embedders)

    def __repr__(self) -> str:
        return f"Ensemble({list(self.embedders)!r}, {list(self.weights)!r})"

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return what each member takes of one image, (members,) objects."""
        views = np.empty(len(self.embedders), object)
        for place, each in enumerate(self.embedders):
            views[place] = each.prepare(image) if isinstance(each, Prepares) else image
        return views

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) unit rows of prepared images."""
        rows = []
        for place, each in enumerate(self.embedders):
            views = [views[place] for views in prepared]
            rows.append(each.embed_prepared(views) if isinstance(each, Prepares) else each.embed(views))
        return self._joined(rows)

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D) unit rows."""
        return self.embed_prepared([self.prepare(image) for image in images])

    def _joined(self, rows: Sequence[Vectors]) -> Vectors:
        out = np.empty((len(rows[0]), self.space.dim), np.float32)
        start = 0
        for each, some, share in zip(self.embedders, rows, self.shares, strict=True):
            wide = _as_angles(some, each.space)
            out[:, start : start + each.space.dim] = wide * np.sqrt(share)
            start += each.space.dim
        return out


class EnsembleAndText(Ensemble):
    """An ensemble whose members all understand words."""

    @property
    def vocabulary(self) -> frozenset[str] | None:
        """Return the words that all members have learned; None: some member reads words of all kinds."""
        known = [vocabulary_of(each) for each in self.embedders]
        learned = [words for words in known if words is not None]
        return frozenset.intersection(*learned) if len(learned) == len(known) else None

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Return (B, D) of words, joined as those of images are."""
        return self._joined([each.embed_text(texts) for each in self.embedders if isinstance(each, TextEmbedder)])


def open_ensemble(rest: str, *, device: str = "auto") -> Ensemble:
    """Return several embedders as one, each with its weight: ``ensemble:NAME+NAME:2``.

    Raises:
        BadInput: fewer than two embedders, a weight that is not above 0, or an embedder that must learn first.
    """
    from . import create

    wanted = members(rest)
    made = [complete(create(name, device=device), name, "in an ensemble") for name, _ in wanted]
    kind = EnsembleAndText if all(isinstance(each, TextEmbedder) for each in made) else Ensemble
    return kind(made, [weight for _, weight in wanted], specs=[name for name, _ in wanted])


def _weighed(name: str, weight: float, form: str) -> str:
    return name if weight == 1 else form.format(name, f"{weight:g}" if float(f"{weight:g}") == weight else repr(weight))


def _as_angles(rows: Vectors, space: VectorSpace) -> npt.NDArray[np.float64]:
    """Return (B, dim) float64 of unit norm."""
    if space.kind != "bits":
        wide = rows.astype(np.float64)
        return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))
    bits = np.unpackbits(np.asarray(rows, np.uint8), axis=1, count=space.dim)
    return np.asarray((2.0 * bits - 1.0) / np.sqrt(space.dim))

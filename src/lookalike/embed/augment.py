"""Test-time augmentation: the mean of the vectors of several views of one picture.

``tta:mirror:builtin-1`` indexes by it, and its name is in the fingerprint; ``lookalike search --augment mirror`` takes
the views of the query alone. Views are cut from the picture as it was decoded and then prepared as any picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, UnknownName
from ..nearest_name import choices
from ..protocols import Embedder, Prepares, TextEmbedder
from ..types import Image, Vectors, VectorSpace
from .specs import complete, inner, spec_of, without_parentheses
from .subwords import vocabulary_of
from .unit import unit

__all__ = [
    "VIEWS",
    "Augmented",
    "AugmentedAndText",
    "augmented",
    "mean_of_views",
    "open_augmented",
    "parse_views",
    "views_of",
]

VIEWS = ("mirror", "crops", "zooms")
_CROP = 0.8  # of each side: the four corners and the centre
_ZOOMS = (0.85, 0.7)  # of each side, around the centre


def parse_views(text: str) -> tuple[str, ...]:
    """Return the kinds of views that ``mirror,crops`` names, in the order of ``VIEWS``.

    Raises:
        UnknownName: another name. BadInput: none at all, or one that comes twice.
    """
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in VIEWS:
            raise UnknownName(f"unknown views {name!r}.", hint=f"{choices(name, VIEWS)} Join several by commas.")
    if len(set(names)) < len(names):
        raise BadInput(f"{text!r} names the same views twice.")
    return tuple(name for name in VIEWS if name in names)


def views_of(image: Image, kinds: Sequence[str]) -> list[Image]:
    """Return the picture itself and its views, all (h, w, 3).

    ``crops``: the four corners and the centre, each of 80% of both sides. ``zooms``: the centre of 85% and of 70% of
    both sides. ``mirror``: all of these and the picture, mirrored left to right, as well.
    """
    height, width = image.shape[:2]
    views = [image]
    if "crops" in kinds:
        h, w = _part(height, _CROP), _part(width, _CROP)
        top, left = height - h, width - w
        corners = [(0, 0), (0, left), (top, 0), (top, left), (top // 2, left // 2)]
        views += [image[y : y + h, x : x + w] for y, x in corners]
    if "zooms" in kinds:
        for share in _ZOOMS:
            h, w = _part(height, share), _part(width, share)
            y, x = (height - h) // 2, (width - w) // 2
            views.append(image[y : y + h, x : x + w])
    if "mirror" in kinds:
        views += [view[:, ::-1] for view in views]
    return views


def mean_of_views(rows: npt.NDArray[Any], *, source: str) -> Vectors:
    """Return (B, D) unit rows: the means of (B, V, D), the vectors of V views of each picture."""
    return unit(rows.astype(np.float64).mean(axis=1), source=source)


class Augmented:
    """The mean of an embedder's vectors of several views.

    Attributes:
        spec: what ``create`` makes the same of again.
        space: the embedder's, named after the views too.
        input_size: the embedder's, larger where views are cut out.

    Args:
        embedder: what makes a vector of a view; float rows of unit norm.
        kinds: of ``VIEWS``.

    Raises:
        BadInput: an embedder of bits, which have no mean.
    """

    def __init__(self, embedder: Embedder, kinds: Sequence[str], *, spec: str = "") -> None:
        inside = embedder.space
        if inside.similarity != "cosine":
            raise BadInput(
                f"the vectors of {inside.name!r} have no mean: they are compared by {inside.similarity}.",
                hint="Average the views of an embedder of unit vectors, such as builtin.",
            )
        self.embedder = embedder
        self.kinds = parse_views(",".join(kinds))
        made_by = spec_of(embedder, spec)
        self.spec = f"tta:{','.join(self.kinds)}:{inner(made_by)}" if made_by else ""
        self.fingerprint = f"tta/1/{','.join(self.kinds)}/{inside.fingerprint}"
        self.space = VectorSpace(f"{inside.name}+{'+'.join(self.kinds)}", inside.dim, self.fingerprint)
        smallest = min([1.0, *([_CROP] if "crops" in kinds else []), *(_ZOOMS if "zooms" in kinds else ())])
        self.input_size = int(np.ceil(embedder.input_size / smallest))

    def __repr__(self) -> str:
        return f"Augmented({self.embedder!r}, {list(self.kinds)!r})"

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return the views of one image as the embedder takes them, (V,) objects."""
        pictures = views_of(image, self.kinds)
        views = np.empty(len(pictures), object)
        for place, picture in enumerate(pictures):
            views[place] = self.embedder.prepare(picture) if isinstance(self.embedder, Prepares) else picture
        return views

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) unit rows of prepared images."""
        if not prepared:
            return np.zeros((0, self.space.dim), np.float32)
        views = [view for each in prepared for view in each]
        inside = self.embedder
        rows = inside.embed_prepared(views) if isinstance(inside, Prepares) else inside.embed(views)
        return mean_of_views(rows.reshape(len(prepared), -1, self.space.dim), source=self.spec or repr(self))

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D) unit rows."""
        return self.embed_prepared([self.prepare(image) for image in images])


class AugmentedAndText(Augmented):
    """The same around an embedder that also understands words."""

    @property
    def vocabulary(self) -> frozenset[str] | None:
        """Return the words that it has learned; None: of all kinds."""
        return vocabulary_of(self.embedder)

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Return (B, D) of words, which have no other views."""
        if not isinstance(self.embedder, TextEmbedder):
            raise BadInput(f"{self.embedder.space.name!r} does not understand words.")
        return self.embedder.embed_text(texts)


def augmented(embedder: Embedder, kinds: Sequence[str]) -> Embedder:
    """Return the embedder over views, for a query: it is compared with the embedder's own vectors."""
    return AugmentedAndText(embedder, kinds) if isinstance(embedder, TextEmbedder) else Augmented(embedder, kinds)


def open_augmented(rest: str, *, device: str = "auto") -> Augmented:
    """Return the mean over views of a picture: ``tta:mirror,crops:EMBEDDER``; views are mirror, crops and zooms.

    Raises:
        BadInput, UnknownName: the specification is not complete, or names an embedder of bits or one that must learn.
    """
    from . import create

    views, _, name = rest.partition(":")
    if not name:
        raise BadInput(
            f"'tta:{rest}' does not name views and an embedder.",
            hint="Write tta:VIEWS:EMBEDDER, such as tta:mirror:hog.",
        )
    name = without_parentheses(name)
    kinds = parse_views(views)
    made = complete(create(name, device=device), name, "behind views")
    kind = AugmentedAndText if isinstance(made, TextEmbedder) else Augmented
    return kind(made, kinds, spec=name)


def _part(side: int, share: float) -> int:
    return max(1, round(side * share))

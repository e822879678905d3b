"""Gives parts of an image vectors of their own, beside that of the whole: what finds an image by a thing in it.

``regions:DETECTOR:EMBEDDER``, such as ``regions:grid:2x2:builtin-1``; several detectors are joined by ``+``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..detect import create_detector
from ..detect.cutting import cuts
from ..detect.grid import Grid
from ..detect.names import absolute, read_detectors
from ..errors import BadInput
from ..protocols import Detector, Embedder, Prepares, TextEmbedder
from ..types import MOST_REGIONS, Image, Region, Vectors, VectorSpace
from .specs import complete, without_parentheses
from .subwords import vocabulary_of

__all__ = ["WithRegions", "WithRegionsAndText", "open_regions", "regions_spec"]

LEAST = 8  # pixels a side: smaller parts tell nothing
AT_ONCE = 32  # views that the model is given at once


class WithRegions:
    """Embeds images as the embedder does, and their parts the same way; keeps the ``Regional`` protocol.

    The whole image and its parts lie in one space, so a part is compared with a query as a whole image is.

    Attributes:
        spec: what ``create`` makes the same of again.
        space: the embedder's, named after the detectors too.
        input_size: the embedder's times the tiles that a grid has a side, and at least twice: parts have fewer pixels.

    Args:
        embedder: what makes the vectors.
        detectors: what finds the parts; at least one.
    """

    def __init__(self, embedder: Embedder, detectors: Sequence[Detector]) -> None:
        if not detectors:
            raise BadInput("regions need at least one detector.")
        self.embedder = embedder
        self.detectors = tuple(detectors)
        inner = embedder.space
        joined = "+".join(detector.spec for detector in detectors)
        self.spec = f"regions:{joined}:{getattr(embedder, 'spec', '')}"
        self.fingerprint = f"regions/1/{'+'.join(each.fingerprint for each in detectors)}/{inner.fingerprint}"
        name = f"{inner.name}/{'+'.join(each.name for each in detectors)}"
        self.space = VectorSpace(name, inner.dim, self.fingerprint, inner.kind, inner.similarity)
        tiles = [max(each.columns, each.rows) for each in detectors if isinstance(each, Grid)]
        self.input_size = max([2, *tiles]) * embedder.input_size

    def __repr__(self) -> str:
        return f"WithRegions({self.embedder!r}, {[each.spec for each in self.detectors]})"

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return the whole image, ready for ``embed_prepared``."""
        return self.embedder.prepare(image) if isinstance(self.embedder, Prepares) else image

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) of whole images."""
        inner = self.embedder
        return inner.embed_prepared(prepared) if isinstance(inner, Prepares) else inner.embed(prepared)

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D) of whole images: what a query is compared by."""
        return self.embedder.embed(images)

    def views(self, image: Image) -> tuple[Sequence[Region], npt.NDArray[Any]]:
        """Return the parts, in pixels of ``image``, and (1 + R,) objects: the whole and each part, prepared.

        Parts that are all of the image or have a side under 8 pixels are left out, and doubles of one before.
        """
        height, width = image.shape[:2]
        whole = Region(0, 0, width, height)
        found: dict[tuple[int, int, int, int], tuple[Region, Image]] = {}
        for detector in self.detectors:
            for region, picture in cuts(detector, image):
                corners = (region.x0, region.y0, region.x1, region.y1)
                if min(region.x1 - region.x0, region.y1 - region.y0) >= LEAST and corners != _corners(whole):
                    found.setdefault(corners, (region, picture))
        parts = list(found.values())[:MOST_REGIONS]
        pictures = [image, *(picture for _, picture in parts)]
        prepared = np.empty(len(pictures), object)
        for place, picture in enumerate(pictures):
            prepared[place] = self.prepare(picture)
        return [region for region, _ in parts], prepared

    def embed_views(self, prepared: Sequence[npt.NDArray[Any]]) -> list[Vectors]:
        """Return (1 + R, D) of each image: the vectors of what ``views`` prepared."""
        flat = [view for each in prepared for view in each]
        rows = [self.embed_prepared(flat[start : start + AT_ONCE]) for start in range(0, len(flat), AT_ONCE)]
        ends = np.cumsum([len(each) for each in prepared])[:-1]
        return np.split(np.concatenate(rows), ends) if rows else []


class WithRegionsAndText(WithRegions):
    """The same with an embedder that also understands words, which are compared with the parts too."""

    @property
    def vocabulary(self) -> frozenset[str] | None:
        """Return the words that it has learned; None: of all kinds."""
        return vocabulary_of(self.embedder)

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Return (B, D) of words."""
        if not isinstance(self.embedder, TextEmbedder):
            raise BadInput(f"{self.embedder.space.name!r} does not understand words.")
        return self.embedder.embed_text(texts)


def _corners(region: Region) -> tuple[int, int, int, int]:
    return region.x0, region.y0, region.x1, region.y1


def regions_spec(detectors: str, embedder: str) -> str:
    """Return the specification of an embedder with regions, which means the same in any folder, for ever.

    Args:
        detectors: names joined by ``+``, such as ``saliency+grid:2x2``; the whole image needs no name.
        embedder: a name or specification; an alias becomes the versioned name.

    Raises:
        BadInput: no detector is named.
    """
    from . import resolve

    names, rest = read_detectors(detectors)
    names = [absolute(name) for name in names if name != "whole"]
    if not names or rest or any(not name for name in names):
        raise BadInput(
            f"{detectors!r} does not name what finds the regions.",
            hint="Write saliency, content, grid:2x2, onnx:PATH or tflite:PATH, several joined by +.",
        )
    return f"regions:{'+'.join(names)}:{resolve(embedder)}"


def open_regions(rest: str, *, device: str = "auto") -> WithRegions:
    """Return an embedder with parts of images: ``regions:DETECTOR:EMBEDDER``, such as ``regions:grid:2x2:builtin-1``.

    Raises:
        BadInput: the specification is not complete, or names an embedder that must learn first or cuts itself.
    """
    from . import create

    names, name = read_detectors(rest)
    if not names or not name:
        raise BadInput(
            f"'regions:{rest}' does not name a detector and an embedder.",
            hint="Write regions:DETECTOR:EMBEDDER, such as regions:grid:2x2:builtin.",
        )
    if name.startswith(("subject:", "regions:")):
        raise BadInput("regions of what is cut already make no sense.", hint="Name detectors and one embedder.")
    name = without_parentheses(name)
    detectors = [create_detector(each) for each in names]
    embedder = complete(create(name, device=device), name, "with regions")
    kind = WithRegionsAndText if isinstance(embedder, TextEmbedder) else WithRegions
    return kind(embedder, detectors)

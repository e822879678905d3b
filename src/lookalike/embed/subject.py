"""Embeds the subject of a picture instead of the whole: a detector in front of any embedder.

``subject:DETECTOR:EMBEDDER``, such as ``subject:saliency:builtin-1``; with ``+whole`` after the detector, the vector is
that of the crop followed by that of the whole, so that a score is the mean of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..detect import create_detector
from ..detect.box import crop
from ..detect.cutting import cuts
from ..detect.names import absolute, read_detectors
from ..errors import BadInput
from ..protocols import Detector, Embedder, Prepares, TextEmbedder
from ..types import Image, Region, Vectors, VectorSpace
from .specs import complete, without_parentheses
from .subwords import vocabulary_of

__all__ = ["Subject", "SubjectAndText", "open_subject", "split_spec", "subject_spec"]

WHOLE = "+whole"


class Subject:
    """Crops to the best region of a detector, then embeds; a picture without a subject is embedded whole.

    Attributes:
        spec: what ``create`` makes the same of again.
        space: the embedder's, named after both; with ``whole`` of twice its dimension.
        input_size: twice the embedder's: a subject is often half of its picture.

    Args:
        embedder: what makes a vector of the crop.
        detector: what finds the subject.
        whole: also embed the whole picture.

    Raises:
        BadInput: with ``whole``, an embedder of bits that do not fill its bytes.
    """

    def __init__(self, embedder: Embedder, detector: Detector, *, whole: bool = False) -> None:
        self.embedder = embedder
        self.detector = detector
        self.whole = whole
        inner = embedder.space
        if whole and inner.kind == "bits" and inner.dim % 8:
            raise BadInput(f"{inner.name!r} has {inner.dim} bits, which do not fill bytes: leave out {WHOLE!r}.")
        both = WHOLE if whole else ""
        self.spec = f"subject:{detector.spec}{both}:{getattr(embedder, 'spec', '')}"
        self.fingerprint = f"subject/1/{detector.fingerprint}{both}/{inner.fingerprint}"
        self.space = VectorSpace(
            f"{inner.name}+{detector.name}{both}",
            inner.dim * (2 if whole else 1),
            self.fingerprint,
            inner.kind,
            inner.similarity,
        )
        self.input_size = 2 * embedder.input_size

    def __repr__(self) -> str:
        return f"Subject({self.embedder!r}, {self.detector.spec!r}, whole={self.whole})"

    def region(self, image: Image) -> Region | None:
        """Return the best region, or None where nothing stands out."""
        return next(iter(self.detector.detect(image)), None)

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return the views of one image, (1,) or (2,) objects: the crop, and the whole where it is asked for."""
        _, cut = next(cuts(self.detector, image), (None, image))
        return self._views(image, cut)

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) of prepared images; halves of one vector have equal shares."""
        if not prepared:
            return np.zeros((0, self.space.width), self.space.dtype)
        views = [view for each in prepared for view in each]
        inner = self.embedder
        rows = inner.embed_prepared(views) if isinstance(inner, Prepares) else inner.embed(views)
        if not self.whole:
            return rows
        joined = rows.reshape(len(prepared), -1)
        return joined if self.space.kind == "bits" else joined / np.sqrt(joined.dtype.type(2))

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D), the vectors of the subjects."""
        return self.embed_prepared([self.prepare(image) for image in images])

    def embed_at(self, image: Image, region: Region) -> Vectors:
        """Return (1, D) with the region given in place of the detector's."""
        return self.embed_prepared([self._views(image, crop(image, region))])

    def _views(self, image: Image, cut: Image) -> npt.NDArray[Any]:
        pictures = [cut, image] if self.whole else [cut]
        views = np.empty(len(pictures), object)
        for place, picture in enumerate(pictures):
            views[place] = self.embedder.prepare(picture) if isinstance(self.embedder, Prepares) else picture
        return views


class SubjectAndText(Subject):
    """The same in front of an embedder that also understands words, which are compared with the subjects."""

    @property
    def vocabulary(self) -> frozenset[str] | None:
        """Return the words that it has learned; None: of all kinds."""
        return vocabulary_of(self.embedder)

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Return (B, D) of words; with ``whole``, they are compared with the crop and the whole alike."""
        if not isinstance(self.embedder, TextEmbedder):
            raise BadInput(f"{self.embedder.space.name!r} does not understand words.")
        rows = self.embedder.embed_text(texts)
        return np.hstack([rows, rows]) / np.sqrt(rows.dtype.type(2)) if self.whole else rows


def subject_spec(detector: str, embedder: str) -> str:
    """Return the specification of an embedder behind a detector, which means the same in any folder, for ever.

    Args:
        detector: a name or ``onnx:PATH``; ``+whole`` behind it.
        embedder: a name or specification; an alias becomes the versioned name.
    """
    from . import resolve

    return f"subject:{absolute(detector)}:{resolve(embedder)}"


def split_spec(rest: str) -> tuple[str, bool, str]:
    """Return the detector, whether the whole is wanted too, and the embedder that ``DETECTOR[+whole]:EMBEDDER`` names.

    A detector's path may hold colons: it ends at ``.onnx`` or ``.tflite``.

    Raises:
        BadInput: a part is missing.
    """
    names, name = read_detectors(rest)
    whole = len(names) == 2 and f"+{names[1]}" == WHOLE
    detector = names[0] if len(names) == 1 or whole else ""
    if not detector or not name:
        raise BadInput(
            f"'subject:{rest}' does not name a detector and an embedder.",
            hint="Write subject:DETECTOR:EMBEDDER, such as subject:saliency:builtin.",
        )
    return detector, whole, name


def open_subject(rest: str, *, device: str = "auto") -> Subject:
    """Return the vector of what stands out: ``subject:DETECTOR:EMBEDDER``, such as ``subject:saliency:builtin-1``.

    Raises:
        BadInput: the specification is not complete, or names an embedder that must learn first or another ``subject:``.
    """
    from . import create

    detector, whole, name = split_spec(rest)
    if name.startswith("subject:"):
        raise BadInput("a subject of a subject makes no sense.", hint="Name one detector and one embedder.")
    found = create_detector(detector)
    name = without_parentheses(name)
    embedder = complete(create(name, device=device), name, "behind a detector")
    kind = SubjectAndText if isinstance(embedder, TextEmbedder) else Subject
    return kind(embedder, found, whole=whole)

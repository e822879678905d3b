"""A query cut to its subject: by a person's box, or by a detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..detect import create_detector
from ..detect.box import Box, crop
from ..embed.subject import Subject
from ..errors import BadQuery
from ..protocols import Embedder
from ..types import Image, Query, QueryItem, Region, Vectors
from .in_memory import pixels_of
from .pipeline import MAX_MEGAPIXELS, item_pixels

__all__ = ["FULL", "cropped", "embedded_parts"]

FULL = 1_000_000  # pixels: more than any picture has, so that none is reduced before it is cut
_PICTURES = ("path", "url", "stdin", "image")


def cropped(
    query: Query,
    embedder: Callable[[], Embedder],
    *,
    box: Box | None = None,
    subject: str | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> tuple[Query, list[str]]:
    """Return the query with its pictures cut, and a sentence for each where that changed less than was asked for.

    In a collection that finds the subject itself, the box takes the detector's place.

    Args:
        query: what is searched for; its words and stored images stay as they are.
        embedder: returns what makes the collection's vectors.
        box: the person's; of the one picture of the query.
        subject: the name of a detector.
        max_megapixels: a larger picture is refused.

    Raises:
        BadQuery: both, or a box with a query that is not of one picture, or nothing to cut.
        BadInput: the box lies outside the picture. ImageError: the picture is unusable.
    """
    pictures = [item for item in query.items if item.kind in _PICTURES]
    if box is not None and subject is not None:
        raise BadQuery("a box and a detector were both given for the query.", hint="Give --box, or --subject.")
    if not pictures or (box is not None and len(pictures) > 1):
        raise BadQuery(
            f"--{'box' if box else 'subject'} cuts a picture that is given with the query, and it has {len(pictures)}.",
            hint="Search by one image file, a URL or stdin:; for a stored image give its file.",
        )
    detector = create_detector(subject) if subject else None
    made = embedder()
    notes: list[str] = []

    def cut(item: QueryItem) -> QueryItem:
        if item.kind not in _PICTURES:
            return item
        pixels = pixels_of(item_pixels(item, FULL, max_megapixels=max_megapixels))
        region = box.region(pixels.shape[1], pixels.shape[0]) if box else None
        if detector is not None:
            region = next(iter(detector.detect(pixels)), None)
            if region is None:
                notes.append(f"No subject stands out in {item.value}: all of it is searched for.")
        if isinstance(made, Subject):
            at = region or Region(0, 0, pixels.shape[1], pixels.shape[0])
            return replace(item, kind="vector", payload=np.asarray(embedded_parts(made, [(pixels, at)])[0]))
        return replace(item, payload=pixels if region is None else crop(pixels, region))

    return Query(tuple(cut(item) for item in query.items)), notes


def embedded_parts(embedder: Embedder, parts: Sequence[tuple[Image, Region]]) -> Vectors:
    """Return (B, D), the vectors of parts of pictures.

    In a collection that finds the subject itself, the parts take the detector's place.
    """
    if isinstance(embedder, Subject):
        return np.concatenate([embedder.embed_at(pixels, region) for pixels, region in parts])
    return embedder.embed([crop(pixels, region) for pixels, region in parts])

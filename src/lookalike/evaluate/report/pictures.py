"""Pictures in a report: small JPEGs inside the page, in frames that say right or wrong."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from ...errors import LookalikeError
from ...types import Record
from ..boxes import region_of
from ..evaluation import Evaluation
from ..truth.base import Box
from .page import text

__all__ = ["Album", "Picture", "Records", "tile", "tiles"]

WHOLE = 1_000_000  # pixels: more than any picture has, so that none is reduced before it is cut


class Records(Protocol):
    """Where the images of a report are; a collection's ``store`` is one."""

    def get_rows(self, rows: Sequence[int]) -> list[Record | None]:
        """Return the record of each row; None where there is none any more."""
        ...


@dataclass(frozen=True, slots=True)
class Picture:
    """One small picture.

    Attributes:
        name: the record's id, or the file's name.
        uri: the JPEG as a data URI; empty when it could not be read.
        reason: why not.
    """

    name: str
    uri: str = ""
    reason: str = ""


class Album:
    """Makes each small picture once.

    Args:
        records: where the rows' images are.
        side: of the square that a picture fits, in pixels.
    """

    def __init__(self, records: Records, *, side: int = 160) -> None:
        self._records = records
        self._side = side
        self._made: dict[tuple[str, Box | None], Picture] = {}

    @property
    def count(self) -> int:
        """Return how many different pictures could be read."""
        return sum(1 for picture in self._made.values() if picture.uri)

    def rows(self, rows: Sequence[int]) -> list[Picture]:
        """Return the pictures of rows, in their order."""
        if not rows:
            return []
        found = self._records.get_rows(rows)
        gone = "It is no longer in the collection."
        return [
            self._picture(record.source, record.id) if record else Picture(f"row {row}", reason=gone)
            for row, record in zip(rows, found, strict=True)
        ]

    def query(self, evaluation: Evaluation, at: int) -> Picture:
        """Return the picture of a query, cut to its box where it has one; from outside the collection by file name."""
        row, source = int(evaluation.query_rows[at]), evaluation.query_sources[at]
        box = evaluation.query_boxes[at] if evaluation.query_boxes else None
        if row < 0:
            return self._picture(source, PurePath(source).name or source, box)
        (record,) = self._records.get_rows([row])
        return self.rows([row])[0] if record is None else self._picture(record.source, record.id, box)

    def _picture(self, source: str, name: str, box: Box | None = None) -> Picture:
        if (source, box) not in self._made:
            self._made[source, box] = self._make(source, name, box)
        return self._made[source, box]

    def _make(self, source: str, name: str, box: Box | None) -> Picture:
        from ...detect.box import crop
        from ...images import read_source
        from ...images.decode import decode
        from ...images.thumbnails import thumbnail_jpeg

        if not source:
            return Picture(name, reason="There is no file to show, only a vector.")
        try:
            place = source if "://" in source else os.path.abspath(source)
            pixels = decode(read_source(place), input_size=self._side if box is None else WHOLE).pixels
            region = region_of(box, pixels) if box else None
            jpeg = thumbnail_jpeg(crop(pixels, region) if region else pixels, self._side)
        except LookalikeError as error:
            # The report may be shown to others, to whom the paths of this machine are no business.
            said = error.message.replace(repr(source), "the picture").replace(source, "the picture")
            return Picture(name, reason=said[:1].upper() + said[1:])
        return Picture(name, uri=f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}")


def tile(
    picture: Picture,
    role: str,
    *,
    rank: int | None = None,
    score: float | None = None,
    relevant: bool | None = None,
    note: str = "",
) -> str:
    """Return one framed picture.

    Args:
        picture: what to show; without a picture a grey tile says why.
        role: what it is, for those who hear the page: ``query``, ``result 3``.
        rank, score: shown under it.
        relevant: True draws a green frame and a tick, False a red frame and a cross, None neither.
        note: one more quiet line.
    """
    verdict = {True: "relevant", False: "not relevant", None: ""}[relevant]
    name = text(picture.name)
    folder, slash, file = picture.name.rpartition("/")
    above = f'<span class="folder">{text(folder + slash)}</span>' if slash else ""
    described = text(f"{role}{', ' + verdict if verdict else ''}: {picture.name}")
    if picture.uri:
        inside = f'<img src="{picture.uri}" alt="{described}" decoding="async">'
    else:
        inside = f'<p class="missing"><span class="sr">{described}. </span>{text(picture.reason)}</p>'
    first = ""
    if rank is not None or score is not None or relevant is not None:
        place = f'<b class="rank">{rank}</b>' if rank is not None else ""
        mark = {True: "yes", False: "no"}.get(relevant) if relevant is not None else None
        sign = f'<svg class="mark" aria-hidden="true"><use href="#{mark}"/></svg>' if mark else ""
        shown = f'<span class="score">{score:.3f}</span>'.replace("-", "−") if score is not None else ""
        first = f'<span class="facts">{place}{sign}{shown}</span>'
    quiet = f'<span class="note">{text(note)}</span>' if note else ""
    kind = {True: " yes", False: " no", None: ""}[relevant]
    named = f'<span class="name" title="{name}">{above}<span class="file">{text(file)}</span></span>'
    return (
        f'<figure class="tile{kind}"><div class="frame">{inside}</div>'
        f"<figcaption>{first}{named}{quiet}</figcaption></figure>"
    )


def tiles(heading: str, kind: str, inside: Sequence[str], *, empty: str) -> str:
    """Return a headed group of tiles; ``empty`` is said when there is none. ``heading`` is plain text."""
    body = "".join(inside) if inside else f'<p class="quiet">{text(empty)}</p>'
    return f'<div class="part {kind}"><h4>{text(heading)}</h4><div class="tiles">{body}</div></div>'

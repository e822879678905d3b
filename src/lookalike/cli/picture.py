"""The picture of a search: the query, then the ranked results with their scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..client import Client, RemoteHit, RemoteRecord, RemoteResults
from ..collection import Collection, Results
from ..collection.parts import in_reduced
from ..detect.box import rescaled
from ..errors import LookalikeError, ServiceError
from ..evaluate.protocols.relevance import Relevance, relevance_of
from ..evaluate.truth import join, read_truth
from ..images import read_source
from ..images.decode import decode
from ..images.draw import Row, Tile, draw, save_picture
from ..images.printable import printable
from ..types import QueryItem, Region, Rows

__all__ = ["draw_remote", "draw_search"]

SIDE = 400  # pixels that a tile may need, so that large photos are decoded at reduced scale
COLUMNS = 5
EXPECTED = 10  # relevant images that are shown in their own row


def draw_search(
    photos: Collection, results: Results, target: str, truth_file: str | None, label: str | None = None
) -> None:
    """Draw the results to ``target``; with a truth file, the relevant ones too, and frames that say right or wrong."""
    own = _own_id(photos, results)
    known = _known(photos, results, truth_file, label, own) if truth_file else None
    hits = [
        _tile(hit.source, hit.id, hit.score, known.holds(hit.row) if known else None, hit.region) for hit in results
    ]
    rows = [Row("Results", hits, ranked=True, query=[_query_tile(photos, item) for item in results.query.items])]
    if known:
        shown = photos.store.get_rows(known.some(EXPECTED).tolist())
        tiles = [_tile(record.source, record.id, None, None) for record in shown if record is not None]
        rows.append(Row(f"Expected ({known.count}{f' of {known.label!r}' if known.label else ''})", tiles))
    save_picture(draw(rows, columns=COLUMNS), target)


def draw_remote(photos: Client, results: RemoteResults, target: str) -> None:
    """Draw the results of a server to ``target``."""
    hits = [_remote_tile(photos, hit, hit.id, hit.score, hit.region) for hit in results]
    query = [_remote_query_tile(photos, item) for item in results.query.items]
    save_picture(draw([Row("Results", hits, ranked=True, query=query)], columns=COLUMNS), target)


def _remote_query_tile(photos: Client, item: QueryItem) -> Tile:
    record = photos.get(item.value) if item.kind == "id" else None
    if record is None:
        return _query_tile(photos, item)
    return _remote_tile(photos, record, _caption(item), None, None)


def _remote_tile(
    photos: Client, of: RemoteHit | RemoteRecord, caption: str, score: float | None, region: Region | None
) -> Tile:
    try:
        pixels = decode(photos.picture(of, side=SIDE), input_size=SIDE).pixels
    except ServiceError:
        raise
    except LookalikeError as error:
        return Tile(image=None, caption=caption, score=score, note=_short(error))
    height, width = pixels.shape[:2]
    box = None
    if region is not None and of.width and of.height:
        edges = (region.x0 / of.width, region.y0 / of.height, region.x1 / of.width, region.y1 / of.height)
        box = rescaled(edges, width, height, region.score, region.label)
    return Tile(image=pixels, caption=caption, score=score, box=box)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the truth knows of the query."""

    relevance: Relevance
    position: int
    own: int  # the row of the query image; -1 when it is not in the collection
    label: str

    def holds(self, row: int) -> bool:
        query, found = np.array([self.position]), np.array([row])
        return bool(self.relevance.pair_grades(query, found)[0] > 0)

    @property
    def count(self) -> int:
        total = int(self.relevance.totals(np.array([self.position]))[0])
        return total - (self.own >= 0 and self.holds(self.own))

    def some(self, limit: int) -> Rows:
        rows = self.relevance.some(self.position, limit + 1)
        others: Rows = rows[rows != self.own][:limit]
        return others


def _known(photos: Collection, results: Results, truth_file: str, label: str | None, own: str | None) -> _Known | None:
    """Return what the truth knows of the query; None when it names it nowhere, or calls it a distractor."""
    joined = join(read_truth(truth_file, label=label), photos)
    item = results.query.items[0]
    position = None
    if own is not None:
        position = joined.position(own)
    elif len(results.query.items) == 1 and item.kind == "path":
        position = joined.position_of_path(item.value)
    truth = joined.truth
    if position is None or (truth.labels is not None and not truth.text(position)):
        return None
    right = next(iter(truth.variants.values()))[0] if truth.variants else None
    return _Known(relevance_of(joined, right), position, int(joined.rows[position]), truth.text(position))


def _own_id(photos: Collection, results: Results) -> str | None:
    """Return the id of the query image, where it is one of the collection's own."""
    if len(results.query.items) != 1:
        return None
    item = results.query.items[0]
    if item.kind == "id":
        return item.value
    (record,) = photos.store.known([str(Path(item.value).absolute())]) if item.kind == "path" else (None,)
    return record.id if record else None


def _caption(item: QueryItem) -> str:
    sign = "" if item.weight == 1 else f"{item.weight:+g} x "
    return sign + printable(item.value)


def _query_tile(photos: Collection | Client, item: QueryItem) -> Tile:
    caption = _caption(item)
    if isinstance(item.payload, bytes):
        return _bytes_tile(item.payload, caption)
    record = photos.get(item.value) if item.kind == "id" else None
    source = record.source if record else str(item.value)
    return _tile(source if "://" in source else str(Path(source).absolute()), caption, None, None)


def _tile(source: str, caption: str, score: float | None, relevant: bool | None, region: Region | None = None) -> Tile:
    try:
        decoded = decode(read_source(source), input_size=SIDE)
    except LookalikeError as error:
        return Tile(image=None, caption=caption, score=score, relevant=relevant, note=_short(error))
    box = None if region is None else in_reduced(region, decoded)
    return Tile(image=decoded.pixels, caption=caption, score=score, relevant=relevant, box=box)


def _bytes_tile(data: bytes, caption: str) -> Tile:
    return Tile(image=decode(data, input_size=SIDE).pixels, caption=caption, score=None, relevant=None)


def _short(error: LookalikeError) -> str:
    return error.message if len(error.message) < 60 else "cannot be read"

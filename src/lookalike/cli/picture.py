"""The picture of a search: the query, then the ranked results with their scores."""

from __future__ import annotations

from pathlib import Path

from ..collection import Collection, Results
from ..errors import LookalikeError
from ..evaluate.labels import Truth, read_labels
from ..images import read_source
from ..images.decode import decode
from ..images.draw import Row, Tile, draw, save_picture
from ..images.printable import printable
from ..types import Hit, QueryItem

__all__ = ["draw_search"]

SIDE = 400  # pixels that a tile may need, so that large photos are decoded at reduced scale
COLUMNS = 5
EXPECTED = 10  # relevant images that are shown in their own row


def draw_search(photos: Collection, results: Results, target: str, truth_file: str | None) -> None:
    """Draw the results to ``target``; with a truth file, the relevant ones too, and frames that say right or wrong."""
    truth = read_labels(Path(truth_file)).join(photos) if truth_file else None
    own = _own_id(photos, results)
    label = _query_label(results, truth, own)
    hits = [_hit_tile(hit, truth, label) for hit in results]
    rows = [Row("Results", hits, ranked=True, query=[_query_tile(photos, item) for item in results.query.items])]
    if truth and label is not None:
        others = [id for id in truth.members(label) if id != own]
        shown = [photos.get(id) for id in others[:EXPECTED]]
        tiles = [_tile(record.source, record.id, None, None) for record in shown if record is not None]
        rows.append(Row(f"Expected ({len(others)} of {label!r})", tiles))
    save_picture(draw(rows, columns=COLUMNS), target)


def _own_id(photos: Collection, results: Results) -> str | None:
    """Return the id of the query image, where it is one of the collection's own."""
    if len(results.query.items) != 1:
        return None
    item = results.query.items[0]
    if item.kind == "id":
        return item.value
    (record,) = photos.store.known([str(Path(item.value).absolute())]) if item.kind == "path" else (None,)
    return record.id if record else None


def _query_label(results: Results, truth: Truth | None, own: str | None) -> str | None:
    """Return the label of the query image: its record's, or what the truth file says of its path."""
    if truth is None or len(results.query.items) != 1:
        return None
    if own is not None:
        return truth.label(own)
    item = results.query.items[0]
    return truth.label_of_path(item.value) if item.kind == "path" else None


def _query_tile(photos: Collection, item: QueryItem) -> Tile:
    sign = "" if item.weight == 1 else f"{item.weight:+g} x "
    caption = sign + printable(item.value)
    if isinstance(item.payload, bytes):
        return _bytes_tile(item.payload, caption)
    record = photos.get(item.value) if item.kind == "id" else None
    source = record.source if record else str(item.value)
    return _tile(source if "://" in source else str(Path(source).absolute()), caption, None, None)


def _hit_tile(hit: Hit, truth: Truth | None, label: str | None) -> Tile:
    relevant = None
    if truth is not None and label is not None:
        relevant = truth.label(hit.id) == label
    return _tile(hit.source, hit.id, hit.score, relevant)


def _tile(source: str, caption: str, score: float | None, relevant: bool | None) -> Tile:
    try:
        pixels = decode(read_source(source), input_size=SIDE).pixels
    except LookalikeError as error:
        return Tile(image=None, caption=caption, score=score, relevant=relevant, note=_short(error))
    return Tile(image=pixels, caption=caption, score=score, relevant=relevant)


def _bytes_tile(data: bytes, caption: str) -> Tile:
    return Tile(image=decode(data, input_size=SIDE).pixels, caption=caption, score=None, relevant=None)


def _short(error: LookalikeError) -> str:
    return error.message if len(error.message) < 60 else "cannot be read"

"""``/knn-service``, ``/metadata`` and ``/indices-list``: what clients of clip-retrieval ask, from the one search.

Names, defaults and what is left out of an answer are those of ``clip_retrieval/clip_back.py``, version 2.45. Different
are the near-copies, which the collection's own images tell rather than a cosine of 0.94; the aesthetic score, which is
compared with that of each image rather than with embeddings of ratings; ``url``, which is always there; and ``image``,
which is at most as large as the largest thumbnail.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from ...classify.column import Column
from ...collection.sameness import near_score
from ...errors import BadQuery, NotFound, OverLimit
from ...images.names import is_url
from ...images.printable import printable
from ...protocols import Classifier
from ...types import Hit, Record
from .. import wire
from ..access import needs
from ..answers import links
from ..bodies import read_json, validated
from ..collections import Served
from ..encoding import json_answer
from ..kept import keep_queries
from ..openapi import answers, json_body
from ..originals import original
from ..queries import ask
from ..service import Service, service_of
from .search import find

__all__ = ["router"]

router = APIRouter(tags=["clip-retrieval"])

_WEIGHT = 0.5  # of the aesthetic score where only the score is given: the default of clip-retrieval's client
_DEEPER = 4  # times as many results are looked at where a model's rating orders them


@router.post(
    "/knn-service",
    summary="Search, as clip-retrieval",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(list[wire.KnnHit], what="The hits, best first."),
    openapi_extra=json_body(wire.KnnRequest),
    operation_id="knn_service",
)
async def knn_service(request: Request) -> Response:
    """Search with the body of clip-retrieval's `/knn-service`; what cannot be honoured is named in `Warning`."""
    service = service_of(request)
    # Without a look at the type: clip-retrieval's client sends none.
    body = validated(wire.KnnRequest, await read_json(request))
    asked, most, deepest = body.num_result_ids or body.num_images, service.settings.max_k, service.settings.max_depth
    if body.num_images > most or asked > deepest:
        raise OverLimit(
            f"num_images is at most {most} and num_result_ids {deepest} here, got {body.num_images} and {asked}."
        )
    place = _server(request)
    hits, warnings = await service.on(
        _collection(body.indice_name, service), lambda served: _search(body, asked, served, service, place)
    )
    return json_answer(hits, headers=_warned(warnings))


@router.post(
    "/metadata",
    summary="Metadata, as clip-retrieval",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(list[wire.KnnMetadata], what="One object for each id, in their order."),
    openapi_extra=json_body(wire.KnnMetadataRequest),
    operation_id="knn_metadata",
)
async def metadata(request: Request) -> Response:
    """Return the metadata of ids as `/knn-service` gives them; of one that is not there, none."""
    service = service_of(request)
    body = validated(wire.KnnMetadataRequest, await read_json(request))
    if len(body.ids) > service.settings.max_k:
        raise OverLimit(f"at most {service.settings.max_k} ids at once here, got {len(body.ids)}.")
    place = _server(request)

    def found(served: Served) -> list[dict[str, Any]]:
        known = [row for row in body.ids if 0 <= row < 2**63]
        records = dict(zip(known, served.collection.store.get_rows(known), strict=True))
        columns = _columns(body.columns_to_return, service)
        return [
            {"id": row, "metadata": _metadata(record, columns, served, service, place) if record else {}}
            for row in body.ids
            for record in [records.get(row)]
        ]

    return json_answer(await service.on(_collection(body.indice_name, service), found))


@router.get(
    "/indices-list",
    summary="Names of the collections, as clip-retrieval",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(list[str]),
    operation_id="knn_indices",
)
async def indices_list(request: Request) -> Response:
    """Return what `indice_name` may be."""
    return json_answer(service_of(request).collections.names)


def _search(
    body: wire.KnnRequest, depth: int, served: Served, service: Service, place: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the hits, and what could not be done as asked."""
    warnings = []
    if body.use_mclip:
        warnings.append("use_mclip: there is one model of texts here, and it was asked.")
    if body.modality == "text":
        warnings.append("modality: there are no vectors of captions; the images most alike come with theirs.")
    if not depth:
        return [], warnings
    order: dict[str, Any] = {}
    rater = _rater(body, served, warnings)
    if isinstance(rater, Column):
        weight = body.aesthetic_weight if body.aesthetic_weight not in (None, "") else _WEIGHT
        order = {"metadata": f"{rater.names[0]}:number:{weight}", "like": {rater.names[0]: body.aesthetic_score}}
        rater = None
    request = wire.SearchRequest(query=wire.QueryBody(items=[_item(body)]), k=depth, **order)
    asked = ask(request, {}, served, service.settings, service.fetch)
    keep_queries(asked.images, service.settings)
    results = find(request, asked.query, depth * (_DEEPER if rater else 1), served, service)
    service.metrics.searched(results.took_ms)
    if results.note:
        warnings.append(results.note)
    hits = list(results.hits)
    if rater:
        hits = _by_rating(hits, rater, body, served, service)[:depth]
    hits = _allowed(hits, body, served, service, warnings)
    if body.deduplicate:
        hits = _unique(hits, served)
    return _answers(hits, body, served, service, place), warnings


def _item(body: wire.KnnRequest) -> wire.QueryItem:
    if body.text:
        return wire.QueryItem(kind="text", value=body.text)
    if body.image:
        return wire.QueryItem(kind="image", value=body.image)
    if body.image_url:
        return wire.QueryItem(kind="url", value=body.image_url)
    if body.embedding_input:
        return wire.QueryItem(kind="vector", vector=body.embedding_input)
    raise BadQuery("there is nothing to search for.", hint="Give text, image, image_url or embedding_input.")


def _rater(body: wire.KnnRequest, served: Served, warnings: list[str]) -> Classifier | None:
    """Return what rates the images; None where no rating is asked for, or there is none."""
    if body.aesthetic_score in (None, "") or body.aesthetic_weight == 0:
        return None
    rater = served.classifiers.get("aesthetic")
    if rater is None:
        warnings.append("aesthetic_score: the images have no such score (classifiers, or a column aesthetic).")
    return rater


def _by_rating(
    hits: Sequence[Hit], rater: Classifier, body: wire.KnnRequest, served: Served, service: Service
) -> list[Hit]:
    """Return the hits ordered as a column would order them (see ``collection.likeness``), among these alone."""
    ratings = served.classifiers.scores(rater, hits, lambda record: original(record, served, service.fetch))
    spread = float(np.subtract(*np.percentile(ratings, [75, 25]))) if len(hits) else 0.0
    wanted, weight = float(body.aesthetic_score or 0), float(body.aesthetic_weight or _WEIGHT)
    likeness = np.exp(-np.abs(ratings - wanted) / (spread or 1.0))
    scores = (np.array([hit.score for hit in hits]) + weight * likeness) / (1 + weight)
    return [hits[place] for place in np.argsort(-scores, kind="stable")]


def _allowed(
    hits: Sequence[Hit], body: wire.KnnRequest, served: Served, service: Service, warnings: list[str]
) -> list[Hit]:
    """Return the hits that no classifier catches."""
    kept = list(hits)
    for wanted, option, name in (
        (body.use_safety_model, "use_safety_model", "safety"),
        (body.use_violence_detector, "use_violence_detector", "violence"),
    ):
        if not wanted:
            continue
        classifier = served.classifiers.get(name)
        if classifier is None:
            warnings.append(f"{option}: there is no classifier {name!r}, and the images have no such column.")
            continue
        caught = served.classifiers.caught(classifier, kept, lambda record: original(record, served, service.fetch))
        kept = [hit for hit, bad in zip(kept, caught, strict=True) if not bad]
    return kept


def _unique(hits: Sequence[Hit], served: Served) -> list[Hit]:
    """Return the best of each set of near-copies: of images that are so near one another, or linked by such."""
    collection = served.collection
    rows = np.array([hit.row for hit in hits], np.int64)
    pairs = collection.near_pairs(near_score(collection.space, collection.store), rows=rows)
    first = {int(row): place for place, row in enumerate(rows)}

    def root(place: int) -> int:
        while leaders[place] != place:
            place = leaders[place]
        return place

    leaders = list(range(len(hits)))
    for a, b in zip(pairs.rows_a.tolist(), pairs.rows_b.tolist(), strict=True):
        one, other = sorted((root(first[a]), root(first[b])))
        leaders[other] = one
    return [hit for place, hit in enumerate(hits) if leaders[place] == place]


def _answers(
    hits: Sequence[Hit], body: wire.KnnRequest, served: Served, service: Service, place: str
) -> list[dict[str, Any]]:
    columns = _columns(body.columns_to_return, service)
    shown = hits[: body.num_images]
    records = served.collection.store.get_rows([hit.row for hit in shown])
    flags = served.classifiers.flags(shown, lambda record: original(record, served, service.fetch))
    found = []
    for hit, record, flagged in zip(shown, records, flags, strict=True):
        answer = _metadata(record, columns, served, service, place) if record else {}
        found.append(answer | {"id": hit.row, "similarity": hit.score} | ({"flagged": True} if flagged else {}))
    return found + [{"id": hit.row, "similarity": hit.score} for hit in hits[body.num_images :]]


def _metadata(record: Record, columns: Sequence[str], served: Served, service: Service, place: str) -> dict[str, Any]:
    """Return the columns of a record; the address of its picture and the picture itself among them."""
    found = {column: record.metadata[column] for column in columns if record.metadata.get(column) is not None}
    if "url" in columns and "url" not in found:
        own = links(served.name, record.row, record.content_hash, service.settings)
        found["url"] = record.source if is_url(record.source) else f"{place}{own.get('link', own['thumbnail'])}"
    if "image_path" in columns and not is_url(record.source):
        found.setdefault("image_path", printable(record.source) if service.settings.show_sources else record.id)
        try:
            picture = service.thumbnails.small(record, served, max(service.settings.thumbnail_sides))
        except NotFound:
            return found
        found["image"] = base64.b64encode(picture.data).decode()
    return found


def _columns(wanted: Sequence[str] | None, service: Service) -> Sequence[str]:
    return service.settings.columns_to_return if wanted is None else wanted


def _collection(name: str | None, service: Service) -> str:
    if name is None:
        if not service.collections.names:
            raise NotFound("there is no collection on this server.")
        return service.collections.names[0]
    return name


def _server(request: Request) -> str:
    """Return the scheme and host that the client knows this server by."""
    return f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}"


def _warned(warnings: Sequence[str]) -> Mapping[str, str]:
    """Return the header ``Warning`` (RFC 7234, 5.5): 299 is for what has no code of its own."""
    plain = [text.encode("ascii", "replace").decode().replace("\\", "/").replace('"', "'") for text in warnings]
    return {"Warning": ", ".join(f'299 lookalike "{text}"' for text in plain)} if plain else {}

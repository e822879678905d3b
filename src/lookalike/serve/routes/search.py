"""``POST /v1/collections/{name}/search``."""

from __future__ import annotations

import secrets
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from ...collection import Results
from ...collection.where import Where
from ...errors import BadInput, OverLimit
from ...types import Query
from .. import wire
from ..access import needs
from ..answers import hit_answer, query_answer
from ..bodies import read_form, validated
from ..collections import Served
from ..encoding import json_answer
from ..kept import keep_queries
from ..openapi import answers, multipart_body
from ..originals import original
from ..paging import find_page
from ..queries import ask
from ..service import Service, service_of
from ..settings import Settings

__all__ = ["find", "router"]

router = APIRouter(tags=["search"])

_FILES = {"image": "images to search by", "negative": "images to move away from"}


@router.post(
    "/v1/collections/{name}/search",
    summary="Find the images most alike",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(wire.SearchAnswer, what="The hits of one page, best first."),
    openapi_extra=multipart_body(wire.SearchRequest, _FILES),
    operation_id="search",
)
async def search(name: str, request: Request) -> Response:
    """Search by uploads, base64, URLs, ids, words and vectors, alone or together, or by a part of a picture."""
    service = service_of(request)
    service.collections.check(name)
    form = await read_form(request, service.settings, max_files=service.settings.max_items)
    body = validated(wire.SearchRequest, form.values)
    _check(body, service.settings)
    answer = await service.on(name, lambda served: _answer(body, form.files, served, service))
    service.metrics.searched(answer["took_ms"])
    return json_answer(answer)


def _check(body: wire.SearchRequest, settings: Settings) -> None:
    if body.k > settings.max_k:
        raise OverLimit(f"k is at most {settings.max_k} here, got {body.k}.", hint="Ask for the next page instead.")
    if body.rerank:
        raise BadInput(f"there is no re-ranking stage {body.rerank[0]!r} yet.", hint="Leave rerank empty.")
    if body.cursor is not None and body.offset:
        raise BadInput("an offset and a cursor were both given.", hint="A cursor knows its place: leave offset out.")


def _answer(body: wire.SearchRequest, uploads: Any, served: Served, service: Service) -> dict[str, Any]:
    settings = service.settings
    asked = ask(body, uploads, served, settings, service.fetch)
    keep_queries(asked.images, settings)
    identity = orjson.dumps([asked.query_id, body.model_dump(exclude={"query", "cursor", "offset", "k"})])
    page = find_page(
        lambda depth: find(body, asked.query, depth, served, service),
        body.k,
        request=identity,
        offset=body.offset,
        cursor=body.cursor,
        max_depth=settings.max_depth,
    )
    flags = served.classifiers.flags(page.hits, lambda record: original(record, served, service.fetch))
    answer: dict[str, Any] = {
        "search_id": secrets.token_hex(12),
        "query_id": asked.query_id,
        "query": query_answer(page.results),
        "hits": [
            hit_answer(hit, rank, served.name, settings, flagged=flagged)
            for rank, (hit, flagged) in enumerate(zip(page.hits, flags, strict=True), start=page.shown + 1)
        ],
        "took_ms": {stage: round(ms, 3) for stage, ms in page.results.took_ms.items()},
    }
    if page.results.note:
        answer["note"] = page.results.note
    if page.next is not None:
        answer["next"] = page.next
    return answer


def _where(body: wire.SearchRequest) -> Where | None:
    """Return the conditions as the library takes them."""
    if body.where is None or isinstance(body.where, str):
        return body.where
    several = body.where if isinstance(body.where, list) else [body.where]
    return [each if isinstance(each, str) else each.model_dump(exclude_none=True) for each in several]


def find(body: wire.SearchRequest, query: Query, depth: int, served: Served, service: Service) -> Results:
    """Return the first ``depth`` hits that may be shown."""
    settings = service.settings

    def found(depth: int) -> Results:
        return served.collection.search(
            query,
            depth,
            min_relevance=body.min_relevance,
            not_same=body.not_same,
            group_by=body.group_by,
            where=_where(body),
            merge=body.merge,
            metadata=body.metadata,
            like=body.like,
            augment=body.augment,
            spaces=body.spaces,
            fusion=body.fusion,
        )

    if not settings.filter or settings.filter_action != "hide":
        return found(depth)
    wanted = depth
    while True:
        results = found(depth)
        flags = served.classifiers.flags(results.hits, lambda record: original(record, served, service.fetch))
        shown = tuple(hit for hit, flagged in zip(results.hits, flags, strict=True) if not flagged)
        if len(shown) >= wanted or len(results) < depth:
            return Results(results.query, shown[:wanted], results.took_ms, results.note)
        depth *= 4

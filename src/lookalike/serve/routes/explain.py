"""``POST /v1/collections/{name}/explain``: which parts of a result made its score."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...collection.explaining import Explained, explain, overlay
from ...errors import NotFound, OtherEmbedder
from ...images.decode import decode
from ...images.thumbnails import thumbnail_jpeg
from ...types import Image
from .. import wire
from ..access import needs
from ..bodies import read_form, validated
from ..collections import Served
from ..encoding import json_answer
from ..openapi import answers, multipart_body
from ..originals import original
from ..queries import ask
from ..service import Service, service_of

__all__ = ["router"]

router = APIRouter(tags=["search"])

_SIDE = 640  # pixels of the picture

_DOCS = answers(wire.Explanation, what="The grid, or the picture.")
_DOCS[200]["content"] = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "/v1/collections/{name}/explain",
    summary="Why is it a result?",
    dependencies=needs("search"),
    response_class=Response,
    responses=_DOCS,
    openapi_extra=multipart_body(wire.ExplainRequest, {"image": "images that were searched by"}),
    operation_id="explain",
)
async def why(name: str, request: Request) -> Response:
    """Cover each part of a result in turn, and return how much its score with the query falls."""
    service = service_of(request)
    service.collections.check(name)
    form = await read_form(request, service.settings, max_files=service.settings.max_items)
    body = validated(wire.ExplainRequest, form.values)
    found, pixels = await service.on(name, lambda served: _explained(body, form.files, served, service))
    if body.picture:
        shown = await service.workers.run(lambda: thumbnail_jpeg(overlay(pixels, found.falls), _SIDE))
        return Response(shown, media_type="image/jpeg")
    grid = [[round(value, 6) for value in line] for line in found.falls.tolist()]
    return json_answer({"id": body.id, "score": round(found.score, 6), "grid": grid})


def _explained(body: wire.ExplainRequest, uploads: Any, served: Served, service: Service) -> tuple[Explained, Image]:
    (record,) = served.collection.store.get([body.id])
    if record is None:
        raise NotFound(f"no image has the id {body.id!r} in {served.name!r}.")
    if served.embedder is None:
        raise OtherEmbedder("the vectors came without the model that made them: there is nothing to ask.")
    query = ask(body, uploads, served, service.settings, service.fetch).query
    vector = served.collection.vector(query)
    pixels = decode(
        original(record, served, service.fetch),
        input_size=served.embedder.input_size,
        max_megapixels=service.settings.max_megapixels,
    ).pixels
    return explain(vector, pixels, served.embedder, cells=body.cells), pixels

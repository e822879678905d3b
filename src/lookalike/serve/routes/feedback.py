"""``/v1/feedback``: the click log in, and out again for training."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from .. import wire
from ..access import needs
from ..bodies import read_model
from ..encoding import json_answer
from ..feedback import as_csv, as_parquet, save
from ..openapi import answers, json_body
from ..service import service_of

__all__ = ["router"]

router = APIRouter(tags=["feedback"])

_PARQUET = "application/vnd.apache.parquet"
_TYPES = {
    "text/csv": {"schema": {"type": "string"}},
    _PARQUET: {"schema": {"type": "string", "format": "binary"}},
}


@router.post(
    "/v1/feedback",
    summary="Say what was shown and chosen",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(wire.FeedbackSaved),
    openapi_extra=json_body(wire.Feedback),
    operation_id="send_feedback",
)
async def send(request: Request) -> Response:
    """Write to the click log; a later report of the same search adds its clicks to the earlier ones."""
    service = service_of(request)
    body = await read_model(request, wire.Feedback)
    rows = await service.on(body.collection, lambda served: save(served.ledger, body))
    return json_answer({"rows": rows})


@router.get(
    "/v1/collections/{name}/feedback",
    summary="Read the click log",
    dependencies=needs("admin"),
    response_class=Response,
    responses=answers(None, what="The log.", content=_TYPES),
    operation_id="get_feedback",
)
async def read(name: str, request: Request, format: Literal["csv", "parquet"] = "csv") -> Response:
    """Return the click log of a collection: search_id, time, query_id, id, position, clicked, judged."""
    service = service_of(request)
    headers = {"Content-Disposition": f'attachment; filename="{name}-feedback.{format}"'}
    if format == "parquet":
        data = await service.on(name, lambda served: as_parquet(served.ledger))
        return Response(data, headers=headers, media_type=_PARQUET)
    service.collections.check(name)
    with service.collections.use(name) as served:
        ledger = served.ledger  # a file of its own: it may outlive a swap of the collection
    return StreamingResponse(as_csv(ledger), headers=headers, media_type="text/csv; charset=utf-8")

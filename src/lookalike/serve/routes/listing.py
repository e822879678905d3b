"""``/v1/collections/{name}/records``: all records, a page at a time, and several by their ids."""

from __future__ import annotations

from itertools import islice

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...errors import BadInput, OverLimit
from .. import wire
from ..access import needs
from ..answers import record_answer
from ..bodies import read_model
from ..collections import Served
from ..encoding import json_answer
from ..openapi import answers, json_body
from ..service import service_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/collections/{name}", tags=["records"])

_MOST = 1000  # records of one page


@router.get(
    "/records",
    summary="List the records",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(wire.Records),
    operation_id="list_records",
)
async def list_all(name: str, request: Request, after: int = -1, limit: int = _MOST) -> Response:
    """Return the records whose row is above ``after``, by row; ``next`` is the ``after`` of the next page."""
    service = service_of(request)
    if not (1 <= limit <= _MOST and -1 <= after < 2**63):
        raise BadInput(f"limit is from 1 to {_MOST}, and after a row or -1, got {limit} and {after}.")

    def page(served: Served) -> dict[str, object]:
        found = list(islice(served.collection.store.records(after=after), limit + 1))
        answer: dict[str, object] = {
            "records": [record_answer(record, name, service.settings) for record in found[:limit]]
        }
        if len(found) > limit:
            answer["next"] = found[limit - 1].row
        return answer

    return json_answer(await service.on(name, page))


@router.post(
    "/records/get",
    summary="Look at several records",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(wire.Records),
    openapi_extra=json_body(wire.GetMany),
    operation_id="get_records",
)
async def get_many(name: str, request: Request) -> Response:
    """Return the records of these ids, in their order; ids that are not there are passed over."""
    service = service_of(request)
    service.collections.check(name)
    body = await read_model(request, wire.GetMany)
    if len(body.ids) > service.settings.max_batch:
        raise OverLimit(
            f"{len(body.ids)} records at once are more than {service.settings.max_batch}.", hint="Ask in parts."
        )

    def look(served: Served) -> list[dict[str, object]]:
        found = served.collection.store.get(body.ids)
        return [record_answer(record, name, service.settings) for record in found if record]

    return json_answer({"records": await service.on(name, look)})

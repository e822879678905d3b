"""Whether the server lives, whether it is ready, and its figures."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ... import __version__
from .. import wire
from ..access import caller_of
from ..encoding import json_answer
from ..openapi import answers
from ..service import service_of

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get(
    "/healthz", summary="Is it alive?", response_class=Response, responses=answers(wire.Health), operation_id="healthz"
)
async def healthz(request: Request) -> Response:
    """Answer as long as the process does."""
    return json_answer({"status": "ok", "version": __version__})


@router.get(
    "/readyz", summary="Is it ready?", response_class=Response, responses=answers(wire.Health), operation_id="readyz"
)
async def readyz(request: Request) -> Response:
    """Answer 200 when every collection can be searched, else 503."""
    service = service_of(request)
    if not service.ready:
        return json_answer({"status": "starting", "version": __version__, "collections": {}}, status=503)
    state = {name: "ok" for name in service.collections.names}
    return json_answer({"status": "ok", "version": __version__, "collections": state})


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses=answers(None, what="Text for Prometheus.", content={"text/plain": {"schema": {"type": "string"}}}),
    operation_id="metrics",
)
async def metrics(request: Request) -> Response:
    """Return counters and times of all worker processes."""
    service = service_of(request)
    if not service.settings.open_metrics:
        caller_of(request)
    text, kind = service.metrics.text()
    return Response(text, headers={"Content-Type": kind})

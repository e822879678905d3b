"""``/v1/session``: a browser keeps the key in a cookie, so that the pictures of a page come with it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...errors import NotAllowed
from .. import wire
from ..access import COOKIE, caller_of
from ..bodies import read_model
from ..encoding import json_answer
from ..openapi import answers, json_body
from ..service import service_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/session", tags=["access"])


@router.post(
    "",
    summary="Sign in",
    response_class=Response,
    responses=answers(wire.SessionInfo),
    openapi_extra=json_body(wire.Session),
    operation_id="sign_in",
)
async def sign_in(request: Request) -> Response:
    """Keep a key in a cookie that scripts cannot read and other sites cannot use."""
    body = await read_model(request, wire.Session)
    service = service_of(request)
    client = request.client.host if request.client else "local"
    service.sign_ins.take(client)
    if not service.keys.needed:
        return json_answer({"needed": False, "signed_in": True, "name": "", "role": "admin"})
    key = service.keys.find(body.key)
    answer = json_answer({"needed": True, "signed_in": True, "name": key.name, "role": key.role})
    answer.set_cookie(
        COOKIE,
        body.key,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path=service.settings.root_path or "/",
    )
    return answer


@router.get(
    "",
    summary="Am I signed in?",
    response_class=Response,
    responses=answers(wire.SessionInfo),
    operation_id="who_am_i",
)
async def who(request: Request) -> Response:
    """Return whether this server needs a key, and what the one that was sent may do."""
    service = service_of(request)
    try:
        caller = caller_of(request)
    except NotAllowed:
        return json_answer({"needed": True, "signed_in": False, "name": "", "role": None})
    name = caller.name if service.keys.needed else ""
    return json_answer({"needed": service.keys.needed, "signed_in": True, "name": name, "role": caller.role})


@router.delete(
    "",
    summary="Sign out",
    status_code=204,
    response_class=Response,
    operation_id="sign_out",
    responses=answers(None, status=204),
)
async def sign_out(request: Request) -> Response:
    """Forget the cookie."""
    answer = Response(None, 204)
    answer.delete_cookie(COOKIE, path=service_of(request).settings.root_path or "/")
    return answer

"""Thumbnails, and the pictures themselves. By row, which is never used twice: ids need not survive in a URL."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...errors import NotFound
from ...images.formats import family
from ...types import Record
from ..access import needs
from ..collections import Served
from ..openapi import answers
from ..originals import original
from ..service import service_of
from ..thumbnails import Picture

__all__ = ["router"]

router = APIRouter(prefix="/v1/collections/{name}", tags=["pictures"])

_FOREVER = "private, max-age=31536000, immutable"  # of an address with ?v=: another picture has another address
_ASK = "private, no-cache"
_DOCS = answers(None, what="The picture.", content={"image/jpeg": {"schema": {"type": "string", "format": "binary"}}})
_DOCS |= {304: {"description": "The picture has not changed."}}


@router.get(
    "/thumbnails/{row}",
    summary="A small picture",
    dependencies=needs("search"),
    response_class=Response,
    responses=_DOCS,
    operation_id="get_thumbnail",
)
async def thumbnail(name: str, row: int, request: Request, side: int = 320, v: str = "") -> Response:
    """Return a JPEG whose longer side is about ``side`` pixels."""
    service = service_of(request)
    made = service.thumbnails.side(max(1, side))
    return await _picture(
        name,
        row,
        request,
        v,
        service.thumbnails.etag,
        made,
        lambda record, served: service.thumbnails.small(record, served, made),
    )


@router.get(
    "/images/{row}",
    summary="The picture",
    dependencies=needs("search"),
    response_class=Response,
    responses=_DOCS,
    operation_id="get_image",
)
async def image(name: str, row: int, request: Request, v: str = "") -> Response:
    """Return the picture: encoded anew, without what its file says of place and camera, or the file itself."""
    service = service_of(request)
    kind = service.settings.originals
    if kind == "none":
        raise NotFound("this server gives no originals.", hint="Ask for the thumbnail.")
    make = service.thumbnails.full if kind == "encoded" else _file
    return await _picture(name, row, request, v, service.thumbnails.etag, 2048 if kind == "encoded" else 0, make)


def _file(record: Record, served: Served) -> Picture:
    return Picture(original(record, served), "")


async def _picture(
    name: str,
    row: int,
    request: Request,
    version: str,
    tag: Callable[[Record, int], str],
    side: int,
    make: Callable[[Record, Served], Picture],
) -> Response:
    service = service_of(request)

    def look(served: Served) -> tuple[Record, Picture | None]:
        found = served.collection.store.get_rows([row]) if 0 <= row < 2**63 else [None]
        if found[0] is None:
            raise NotFound(f"no image has the row {row} in {name!r}.")
        if request.headers.get("if-none-match") == tag(found[0], side):
            return found[0], None
        return found[0], make(found[0], served)

    record, picture = await service.on(name, look)
    known = bool(version) and record.content_hash.startswith(version)
    headers = {
        "ETag": tag(record, side),
        "Cache-Control": _FOREVER if known else _ASK,
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if picture is None:
        return Response(None, 304, headers)
    return Response(picture.data, 200, headers, media_type=_type(picture.data))


def _type(data: bytes) -> str:
    """Return the type by the bytes, of what browsers show; whatever else a file holds is for saving only."""
    if data.startswith(b"\xff\xd8\xff") and family(data) == "jpeg":
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return "application/octet-stream"

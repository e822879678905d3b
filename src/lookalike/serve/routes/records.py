"""``/v1/collections/{name}/records``: one image by its id, and several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...errors import BadInput, LookalikeError, NotFound, OverLimit
from .. import wire
from ..access import needs
from ..answers import record_answer
from ..bodies import read_form, read_model, validated
from ..collections import Served
from ..encoding import from_base64, json_answer
from ..openapi import answers, json_body, multipart_body
from ..problems import detail_of
from ..service import Service, service_of
from ..writing import New, Saved

__all__ = ["router"]

router = APIRouter(prefix="/v1/collections/{name}", tags=["records"])


@router.get(
    "/records/{id:path}",
    summary="Look at a record",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(wire.Record),
    operation_id="get_record",
)
async def get(name: str, id: str, request: Request) -> Response:
    """Return what is stored of an image; ids may contain slashes."""
    service = service_of(request)

    def look(served: Served) -> dict[str, object]:
        (record,) = served.collection.store.get([id])
        if record is None:
            raise _missing(id, name)
        return record_answer(record, name, service.settings)

    return json_answer(await service.on(name, look))


@router.put(
    "/records/{id:path}",
    summary="Add or replace an image",
    dependencies=needs("write"),
    status_code=200,
    response_class=Response,
    responses=answers(wire.SavedRecord, what="Replaced.") | {201: {"model": wire.SavedRecord, "description": "Added."}},
    openapi_extra=multipart_body(wire.PutRecord, {"image": "the image"}),
    operation_id="put_record",
)
async def put(name: str, id: str, request: Request) -> Response:
    """Store an image under an id; once this has answered, it survives whatever happens to the server."""
    service = service_of(request)
    service.collections.check(name)
    form = await read_form(request, service.settings, max_files=1)
    body = validated(wire.PutRecord, form.values)

    def store(served: Served) -> Saved:
        new = New(id, _bytes(body, form.files, service, "the record"), body.metadata)
        return served.writer.put(new)

    saved = await service.on(name, store)
    if saved.error is not None:
        raise saved.error
    service.audit.note(request.state.caller.name, "put", name, [id])
    service.metrics.written.labels(name, "replaced" if saved.replaced else "added").inc()
    return json_answer(_saved(saved), status=200 if saved.replaced else 201)


@router.delete(
    "/records/{id:path}",
    summary="Remove an image",
    dependencies=needs("write"),
    response_class=Response,
    responses=answers(wire.Deleted),
    operation_id="delete_record",
)
async def delete(name: str, id: str, request: Request) -> Response:
    """Take a record out of the collection; an indexed file stays where it is, an uploaded one is deleted."""
    service = service_of(request)
    removed = await service.on(name, lambda served: served.writer.remove([id]))
    if not removed:
        raise _missing(id, name)
    service.audit.note(request.state.caller.name, "delete", name, [id])
    service.metrics.written.labels(name, "removed").inc()
    return json_answer({"deleted": removed})


@router.post(
    "/records",
    summary="Add or replace several images",
    dependencies=needs("write"),
    response_class=Response,
    responses=answers(wire.SavedRecords),
    openapi_extra=multipart_body(wire.PutRecords, {"image": "images; without records their names are their ids"}),
    operation_id="put_records",
)
async def put_many(name: str, request: Request) -> Response:
    """Store several images; one that cannot be used is named with its reason and stops no other."""
    service = service_of(request)
    service.collections.check(name)
    form = await read_form(request, service.settings, max_files=service.settings.max_batch)
    body = validated(wire.PutRecords, form.values)
    wanted = list(body.records)
    named = {each.upload for each in wanted}
    for field, own in form.names.items():
        if field not in named:
            wanted.append(wire.PutMany(id=own or field, upload=field))
    if not wanted:
        raise BadInput("there is nothing to store.", hint="Give records, or files.")
    _check_count(len(wanted), service)

    def store(served: Served) -> Sequence[Saved]:
        new: list[New] = []
        failed: list[Saved] = []
        for each in wanted:
            try:
                new.append(New(each.id, _bytes(each, form.files, service, each.id), each.metadata))
            except LookalikeError as error:
                failed.append(Saved(each.id, error=error))
        return [*(served.writer.put_all(new) if new else ()), *failed]

    saved = await service.on(name, store)
    good = [each for each in saved if each.error is None]
    service.audit.note(request.state.caller.name, "put", name, [each.id for each in good])
    for change in ("added", "replaced"):
        count = sum(each.replaced == (change == "replaced") for each in good)
        service.metrics.written.labels(name, change).inc(count)
    skipped = [{"id": each.id, "error": detail_of(each.error)} for each in saved if each.error is not None]
    return json_answer({"saved": [_saved(each) for each in good], "skipped": skipped})


@router.post(
    "/records/delete",
    summary="Remove several images",
    dependencies=needs("write"),
    response_class=Response,
    responses=answers(wire.Deleted),
    openapi_extra=json_body(wire.DeleteMany),
    operation_id="delete_records",
)
async def delete_many(name: str, request: Request) -> Response:
    """Take records out of the collection; ids that are not there are passed over."""
    service = service_of(request)
    service.collections.check(name)
    body = await read_model(request, wire.DeleteMany)
    _check_count(len(body.ids), service)
    removed = await service.on(name, lambda served: served.writer.remove(body.ids))
    service.audit.note(request.state.caller.name, "delete", name, body.ids)
    service.metrics.written.labels(name, "removed").inc(removed)
    return json_answer({"deleted": removed})


def _bytes(body: wire.PutRecord, files: Mapping[str, bytes], service: Service, where: str) -> bytes:
    given = [key for key in ("image", "url", "upload") if getattr(body, key) is not None]
    if not given and len(files) == 1:
        return next(iter(files.values()))
    if len(given) != 1:
        raise BadInput(
            f"{where}: an image comes in exactly one way, got {', '.join(given) or 'none'}.",
            hint="Give image (base64), url, or a file.",
        )
    ways: Mapping[str, Callable[[str], bytes]] = {
        "image": lambda text: from_base64(text, where),
        "url": service.fetch,
        "upload": lambda field: _file(field, files, where),
    }
    data = ways[given[0]](getattr(body, given[0]))
    if len(data) > service.settings.max_upload:
        raise OverLimit(f"{where}: the image has {len(data):,} bytes, more than {service.settings.max_upload:,}.")
    return data


def _file(field: str, files: Mapping[str, bytes], where: str) -> bytes:
    if field not in files:
        raise BadInput(f"{where}: no file came in the field {field!r}.")
    return files[field]


def _check_count(count: int, service: Service) -> None:
    if count > service.settings.max_batch:
        raise OverLimit(
            f"{count} records at once are more than {service.settings.max_batch}.", hint="Send them in parts."
        )


def _saved(saved: Saved) -> dict[str, object]:
    return {"id": saved.id, "row": saved.row, "status": "replaced" if saved.replaced else "added"}


def _missing(id: str, name: str) -> NotFound:
    return NotFound(f"no image has the id {id!r} in {name!r}.")

"""``/v1/jobs``: work in the background, with its progress."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...errors import BadInput, NotAllowed
from .. import wire
from ..access import needs
from ..bodies import read_form, validated
from ..collections import Served
from ..encoding import json_answer
from ..indexing import allowed_source, keep_files, staging
from ..openapi import answers, multipart_body
from ..service import service_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post(
    "",
    summary="Index in the background",
    dependencies=needs("write"),
    status_code=202,
    response_class=Response,
    responses=answers(wire.Job, status=202, what="Queued: it will be done, also when the server starts again."),
    openapi_extra=multipart_body(wire.JobRequest, {"image": "images, and zip or tar archives of them"}),
    operation_id="start_job",
)
async def start(request: Request) -> Response:
    """Index the files that come with the request, archives among them, or a folder of the server (admin).

    The name of a file, or of a member of an archive, is its id; one that exists is replaced.
    """
    service = service_of(request)
    form = await read_form(request, service.settings, max_files=service.settings.max_batch)
    body = validated(wire.JobRequest, form.values)
    service.collections.check(body.collection)
    if (body.source is None) == (not form.files):
        raise BadInput("a job takes either a source or files.", hint="Give source, or upload files in image.")
    caller = request.state.caller
    source = None
    if body.source is not None:
        if caller.role != "admin":
            raise NotAllowed(f"the key {caller.name!r} may {caller.role}, and a folder of the server needs admin.")
        source = allowed_source(body.source, service.settings)

    def queue(served: Served) -> str:
        if source is not None:
            return service.jobs.submit(served, "index", {"source": source, "prune": body.prune})
        id = service.jobs.new_id()
        files = keep_files(staging(served, id), form.files, form.names)
        return service.jobs.submit(served, "upload", {"id": id, "files": files, "prefix": body.prefix}, id=id)

    id = await service.on(body.collection, queue)
    service.audit.note(caller.name, "job", body.collection, job=id, source=body.source, files=len(form.files))
    return json_answer(service.jobs.get(id), status=202, headers={"Location": f"/v1/jobs/{id}"})


@router.get(
    "",
    summary="List the jobs",
    dependencies=needs("write"),
    response_class=Response,
    responses=answers(wire.Jobs),
    operation_id="list_jobs",
)
async def list_all(request: Request) -> Response:
    """Return the jobs of all collections, newest first."""
    service = service_of(request)
    return json_answer({"jobs": await service.workers.run(service.jobs.all)})


@router.get(
    "/{id}",
    summary="Look at a job",
    dependencies=needs("write"),
    response_class=Response,
    responses=answers(wire.Job),
    operation_id="get_job",
)
async def look(id: str, request: Request) -> Response:
    """Return how far a job is."""
    service = service_of(request)
    return json_answer(await service.workers.run(lambda: service.jobs.get(id)))


@router.delete(
    "/{id}",
    summary="Cancel a job",
    dependencies=needs("write"),
    response_class=Response,
    responses=answers(wire.Job),
    operation_id="cancel_job",
)
async def cancel(id: str, request: Request) -> Response:
    """Stop a job after the images in hand; what it has stored stays."""
    service = service_of(request)
    job = await service.workers.run(lambda: service.jobs.cancel(id))
    service.audit.note(request.state.caller.name, "cancel", job["collection"], job=id)
    return json_answer(job)

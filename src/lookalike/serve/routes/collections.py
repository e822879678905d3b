"""``/v1/collections``: what there is to search."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...collection.calibration import read_calibration
from ...errors import BadInput
from ...protocols import TextEmbedder
from .. import wire
from ..access import needs
from ..answers import record_answer
from ..collections import Served
from ..encoding import json_answer
from ..facets import facets, sampled
from ..openapi import answers
from ..originals import original
from ..service import service_of

__all__ = ["router"]

router = APIRouter(tags=["collections"])

_MOST_SAMPLES = 200


@router.get(
    "/v1/collections",
    summary="List the collections",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(wire.Collections),
    operation_id="list_collections",
)
async def list_all(request: Request) -> Response:
    """Return what every collection on the server holds."""
    service = service_of(request)
    found = [await service.on(name, _about) for name in service.collections.names]
    return json_answer({"collections": found})


@router.get(
    "/v1/collections/{name}",
    summary="Look at a collection",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(wire.CollectionInfo),
    operation_id="get_collection",
)
async def look(name: str, request: Request) -> Response:
    """Return how many images a collection holds, and what can be asked of it."""
    return json_answer(await service_of(request).on(name, _about))


@router.get(
    "/v1/collections/{name}/samples",
    summary="Some of its images",
    dependencies=needs("search"),
    response_class=Response,
    responses=answers(wire.Samples),
    operation_id="get_samples",
)
async def samples(name: str, request: Request, k: int = 20) -> Response:
    """Return images from all over the collection, to begin a search with; the same ones until it changes."""
    service = service_of(request)
    if not 1 <= k <= _MOST_SAMPLES:
        raise BadInput(f"k is from 1 to {_MOST_SAMPLES} here, got {k}.")

    def some(served: Served) -> list[dict[str, object]]:
        store = served.collection.store
        rows = store.snapshot(served.collection.space.name).rows
        found = [record for record in store.get_rows([int(rows[place]) for place in sampled(k, len(rows))]) if record]
        flags = served.classifiers.flags(found, lambda record: original(record, served, service.fetch))
        shown = (record for record, flagged in zip(found, flags, strict=True) if not flagged)
        return [record_answer(record, name, service.settings) for record in shown]

    return json_answer({"records": await service.on(name, some)})


@router.post(
    "/v1/collections/{name}/reload",
    summary="Open a collection again",
    dependencies=needs("admin"),
    response_class=Response,
    responses=answers(wire.CollectionInfo),
    operation_id="reload_collection",
)
async def reload(name: str, request: Request) -> Response:
    """Swap in the collection as it is on disk now, with its model; requests that run finish with the old one.

    Other worker processes follow by themselves where the files or the space were replaced.
    """
    service = service_of(request)
    await service.workers.run(lambda: service.collections.reload(name), time_limit_s=600)
    service.audit.note(request.state.caller.name, "reload", name)
    return json_answer(await service.on(name, _about))


def _about(served: Served) -> dict[str, object]:
    collection = served.collection
    store, space = collection.store, collection.space
    columns = facets(store)
    return {
        "name": served.name,
        "images": store.count(),
        "space": space.name,
        "spaces": {
            name: {
                "dim": each.dim,
                "similarity": each.similarity,
                "embedder": store.setting(f"embedder:{name}").partition(":")[0],
                "text": isinstance(served.embedder, TextEmbedder) if name == space.name else None,
            }
            for name, each in store.spaces().items()
        },
        "calibrated": read_calibration(store, space) is not None,
        "columns": [column["name"] for column in columns],
        "facets": columns,
        "version": store.version,
    }

"""The OpenAPI document is true of the server: schemathesis sends what it allows, and what it does not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import lookalike
from lookalike.serve import Settings, create_app, wire
from pictures import write_pictures

ROOT = Path(__file__).resolve().parents[2]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own on the loopback, in a thread."""
    folder = tmp_path_factory.mktemp("contract")
    with lookalike.open(folder / "photos.collection") as photos:
        photos.add(write_pictures(folder / "pictures", 12)[0].parent)
    app = create_app(Settings(collections={"photos": str(folder / "photos.collection")}, access_log=False))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def document() -> Any:
    return create_app(Settings()).openapi()


OPERATIONS = [
    (method.upper(), path) for path, methods in create_app(Settings()).openapi()["paths"].items() for method in methods
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_what_the_document_allows(url: str, method: str, path: str) -> None:
    _examine(url, method, path, 15)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_what_the_document_allows_at_length(url: str, method: str, path: str) -> None:
    _examine(url, method, path, 400)


def _examine(url: str, method: str, path: str, examples: int) -> None:
    """Send requests that the document allows, and some that it does not."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operation = schema[path][method]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(), bad=st.integers(0, 3))
    def check(case: Any, bad: int) -> None:
        if "name" in (case.path_parameters or {}) and bad:
            case.path_parameters["name"] = "photos"  # else nearly every request asks for a collection that is not there
        case.call_and_validate(checks=CHECKS)

    check()


def test_the_document_names_every_route_and_body(document: Any) -> None:
    assert "/v1/collections/{name}/search" in document["paths"]
    assert document["components"]["schemas"]["SearchRequest"]["examples"]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert route["description"], f"{method} {path}"
            if method in ("post", "put") and not path.endswith("/reload"):
                assert route["requestBody"], f"{method} {path}"


def test_every_route_is_in_the_documents(document: Any) -> None:
    text = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in text


def test_what_travels_is_public() -> None:
    from pydantic import BaseModel

    models = {name for name, each in vars(wire).items() if isinstance(each, type) and issubclass(each, BaseModel)}
    assert {name for name in models if not name.startswith("_") and name != "BaseModel"} <= set(wire.__all__)

"""A collection of small pictures, and the application over it, run without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import lookalike
from lookalike.serve import Settings, create_app
from pictures import write_pictures
from serving import Client, Start

IMAGES = 30


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_pictures(tmp_path_factory.mktemp("pictures"), IMAGES)


@pytest.fixture
def folder(tmp_path: Path, pictures: list[Path]) -> Path:
    """A collection that the test may change."""
    path = tmp_path / "photos.collection"
    with lookalike.open(path) as photos:
        photos.add(pictures[0].parent)
    return path


@pytest.fixture
def start(folder: Path) -> Start:
    """Return what starts the application over the collection ``photos`` with these settings."""

    @contextmanager
    def started(resolve: Any = None, **settings: Any) -> Iterator[Client]:
        given = {"collections": {"photos": str(folder)}, "access_log": False, **settings}
        app = create_app(Settings(**given), **({"resolve": resolve} if resolve else {}))
        app.state.service.start()
        try:
            yield Client(app)
        finally:
            app.state.service.close()

    return started


@pytest.fixture
def client(start: Start) -> Iterator[Client]:
    with start() as client:
        yield client

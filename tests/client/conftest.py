"""Collections, and a server of them on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import lookalike
from live import live
from pictures import write_pictures

IMAGES = 30


@pytest.fixture(autouse=True)
def no_key_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKALIKE_KEY", raising=False)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_pictures(tmp_path_factory.mktemp("pictures"), IMAGES)


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> Path:
    """A collection that no test changes; its images have metadata."""
    path = tmp_path_factory.mktemp("still") / "photos.collection"
    table = pictures[0].parent / "table.csv"
    lines = [f"{picture.name},{seed % 7},{'red' if seed % 2 else 'red;blue'}" for seed, picture in enumerate(pictures)]
    table.write_text("\n".join(["path,price,tags", *lines]), encoding="utf-8")
    with lookalike.open(path) as photos:
        photos.add(table)
        assert len(photos) == IMAGES
    return path


@pytest.fixture(scope="session")
def url(still: Path) -> Iterator[str]:
    """The address of a server of it, which only searches."""
    with live({"photos": still}) as url:
        yield f"{url}/photos"


@pytest.fixture
def folder(tmp_path: Path, pictures: list[Path]) -> Path:
    """A collection that the test may change."""
    path = tmp_path / "photos.collection"
    with lookalike.open(path) as photos:
        photos.add(sorted(pictures[0].parent.glob("*.png")))
    return path

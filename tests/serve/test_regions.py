"""A collection whose images have several vectors, served: hits say which part, and a new image gets its parts too."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from pictures import picture
from serving import Start, item, query


def mosaic(first: int) -> bytes:
    tiles = [picture(first + n, side=96) for n in range(4)]
    return png(np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])]))


def png(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "photos.collection"
    with lookalike.open(path, embedder="regions:grid:2x2:builtin") as photos:
        photos.add_images([mosaic(4 * n) for n in range(3)], ids=["a", "b", "c"])
    return path


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_hit_says_which_part_it_was_found_by(start: Start) -> None:
    with start() as client:
        answer = client.search(query(item("image", text(png(picture(6, side=96))))))
        assert answer.status_code == 200, answer.text
        first, *others = answer.json()["hits"]
        assert first["id"] == "b"
        assert first["region"] == {"x0": 0, "y0": 96, "x1": 96, "y1": 192, "score": 1.0, "label": ""}
        assert sorted(hit["id"] for hit in others) == ["a", "c"]
        assert "region" not in client.search(query(item("id", "b"))).json()["hits"][0]


def test_an_image_that_is_put_gets_its_parts(start: Start, folder: Path) -> None:
    with start() as client:
        put = client("PUT", "/v1/collections/photos/records/new", json={"image": text(mosaic(40))})
        assert put.status_code in (200, 201), put.text
        found = client.search(query(item("image", text(png(picture(43, side=96)))))).json()["hits"][0]
        assert (found["id"], found["region"]["x0"], found["region"]["y0"]) == ("new", 96, 96)

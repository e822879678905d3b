"""Embedders that learn from the images they are given to index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.cli import main
from lookalike.collection import learn
from lookalike.embed.handcrafted.learned import LearnedEmbedder
from lookalike.errors import BadInput, OtherEmbedder
from pictures import write_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "photos", 30)
    (tmp_path / "photos" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return tmp_path / "photos"


def run(words: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(str(ended.value.code))


@pytest.mark.parametrize("name", ["eigenfaces", "nmf", "kmeans-patches"])
def test_index_teaches_search_remembers(name: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.collection"
    assert run(["index", str(folder), "--collection", str(path), "--embedder", name, "--quiet"]) == 1  # one broken
    with lookalike.open(path) as photos:
        before = photos.space
        assert before.name == name
        assert [hit.id for hit in photos.search(folder / "picture-0004.png", k=1)] == ["picture-0004.png"]
    write_pictures(folder, 5, start=30)
    assert run(["index", str(folder), "--collection", str(path), "--embedder", name, "--quiet"]) == 1
    with lookalike.open(path, embedder=name) as photos:
        assert photos.space == before  # what it learned the first time holds
        assert len(photos) == 35
        assert photos.embedder.fingerprint == before.fingerprint


def test_the_basis_is_drawn(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, target = tmp_path / "c.collection", tmp_path / "basis.png"
    run(["index", str(folder), "--collection", str(path), "--embedder", "eigenfaces", "--quiet"])
    assert run(["info", "--collection", str(path), "--basis", str(target)]) == 0
    with Pillow.open(target) as drawn:
        assert drawn.size == (4 + 6 * 68, 4 + 5 * 68)  # 29 components, twice as large
    plain = tmp_path / "plain.collection"
    run(["index", str(folder), "--collection", str(plain), "--quiet"])
    assert run(["info", "--collection", str(plain), "--basis", str(target)]) == 2
    assert "has learned no pictures" in capsys.readouterr().err


def test_a_sample_teaches(folder: Path, tmp_path: Path) -> None:
    few = learn("eigenfaces", folder, most=6, collection=tmp_path / "none.collection", seed=3)
    assert isinstance(few, LearnedEmbedder)
    assert len(few.pictures()) in (4, 5)  # components of 5 or 6 pictures
    again = learn("eigenfaces", folder, most=6, collection=tmp_path / "none.collection", seed=3)
    other = learn("eigenfaces", folder, most=6, collection=tmp_path / "none.collection", seed=4)
    assert isinstance(again, LearnedEmbedder)
    assert isinstance(other, LearnedEmbedder)
    assert again.fingerprint == few.fingerprint != other.fingerprint
    assert learn("builtin", folder) == "builtin"


def test_vectors_of_two_lessons_do_not_mix(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.collection"
    one = learn("nmf", folder, most=10, collection=path)
    with lookalike.open(path, embedder=one) as photos:
        photos.add(folder)
        held = photos.searcher.vectors(np.array([record.row for record in photos]))
    assert held.min() >= 0
    assert learn("nmf", folder, collection=path) == "nmf"
    with pytest.raises(OtherEmbedder):
        lookalike.open(path, embedder=learn("nmf", folder, most=20, collection=tmp_path / "none.collection"))


def test_nothing_learned_is_said_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.collection"
    with pytest.raises(BadInput, match=r"'nmf' learns from images before it can embed.*index FOLDER --embedder nmf"):
        lookalike.open(path, embedder="nmf")
    with pytest.raises(BadInput, match="standard input is read once"):
        learn("nmf", "stdin:", collection=path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="at least 2 images, got 0"):
        learn("nmf", tmp_path / "empty", collection=path)
    assert not path.exists()
    with lookalike.open(path) as photos:
        photos.add(folder)
    with pytest.raises(BadInput, match="'nmf' learns from images"):
        lookalike.open(path, embedder="nmf", add_space=True)
    taught = learn("nmf", folder, collection=path)
    with lookalike.open(path, embedder=taught, add_space=True) as photos:
        assert photos.space.name == "nmf"

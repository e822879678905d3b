"""Vectors in and out, in the layout of clip-retrieval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

import lookalike
from lookalike.collection import transfer
from lookalike.errors import BadInput, BadShape, NoSuchFile, OtherEmbedder
from pictures import write_pictures


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    made = lookalike.open(tmp_path / "c.collection")
    write_pictures(tmp_path / "photos", 5)
    made.add(tmp_path / "photos")
    transfer.export_folder(made, tmp_path / "out")
    return tmp_path / "out"


def test_the_layout_is_that_of_clip_retrieval(exported: Path, tmp_path: Path) -> None:
    made = lookalike.open(tmp_path / "c.collection")
    vectors = np.load(exported / "img_emb" / "img_emb_0.npy")
    table = parquet.read_table(exported / "metadata" / "metadata_0.parquet").to_pylist()
    records = list(made)
    np.testing.assert_array_equal(vectors, made.searcher.vectors(np.array([record.row for record in records])))
    assert [line["image_path"] for line in table] == [record.source for record in records]


def test_out_and_in_again_gives_the_same_search(exported: Path, tmp_path: Path) -> None:
    made = lookalike.open(tmp_path / "c.collection")
    again, count = transfer.import_vectors(tmp_path / "again.collection", exported, embedder="builtin")
    assert count == 5
    query = tmp_path / "photos" / "picture-0003.png"
    assert [(hit.id, hit.score) for hit in again.search(query)] == [(hit.id, hit.score) for hit in made.search(query)]


def test_vectors_without_their_model_are_searched_by_id(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((50, 8)).astype(np.float16)
    np.save(tmp_path / "v.npy", rows)
    (tmp_path / "m.csv").write_text("file,color\n" + "".join(f"/data/{n}.jpg,c{n % 3}\n" for n in range(50)))
    made, count = transfer.import_vectors(tmp_path / "c.collection", tmp_path / "v.npy", metadata=tmp_path / "m.csv")
    assert count == 50
    assert made.space.similarity == "l2"
    distances = ((rows.astype(np.float64) - rows[7].astype(np.float64)) ** 2).sum(axis=1)
    order = np.argsort(distances, kind="stable")[:5]
    hits = made.search("id:/data/7.jpg", k=5)
    assert [hit.id for hit in hits] == [f"/data/{n}.jpg" for n in order]
    assert [hit.score for hit in hits] == pytest.approx(-distances[order], rel=1e-5)
    assert hits[0].metadata == {"color": "c1"}
    with pytest.raises(OtherEmbedder, match="came without the model"):
        made.search(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda f: None, NoSuchFile, "no such file or folder"),
        (lambda f: f.mkdir(), NoSuchFile, "holds no .npy"),
        (lambda f: np.save(f, np.zeros(4, np.float32)), BadShape, "shape"),
        (lambda f: np.save(f, np.zeros((4, 2), np.int32)), BadShape, "floats"),
    ],
)
def test_what_cannot_be_imported_is_said(tmp_path: Path, make, error: type[Exception], said: str) -> None:  # type: ignore[no-untyped-def]
    source = tmp_path / "v.npy"
    make(source)
    with pytest.raises(error, match=said):
        transfer.import_vectors(tmp_path / "c.collection", source)


def test_tables_of_another_length_change_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(4, dtype=np.float32))
    (tmp_path / "m.csv").write_text("file\na.jpg\nb.jpg\n")
    with pytest.raises(BadShape, match="2 rows"):
        transfer.import_vectors(tmp_path / "c.collection", tmp_path / "v.npy", metadata=tmp_path / "m.csv")


def test_an_export_overwrites_nothing(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds vectors already"):
        transfer.export_folder(lookalike.open(tmp_path / "c.collection"), exported)


def test_wrong_dimensions_for_the_embedder(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(4, dtype=np.float32))
    with pytest.raises(BadShape, match="4 dimensions"):
        transfer.import_vectors(tmp_path / "c.collection", tmp_path / "v.npy", embedder="builtin")

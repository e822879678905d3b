"""A collection whose vectors are bits, from the picture to the hit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lookalike
from lookalike.collection import transfer
from lookalike.collection.queries import understand, vote
from lookalike.errors import BadShape
from lookalike.types import Bits, Image, Query, QueryItem, Vectors, VectorSpace
from pictures import picture, write_pictures

BITS = 20


class Brighter:
    """Which of 20 places are brighter than the mean; packed."""

    space = VectorSpace("brighter", BITS, "brighter/1", kind="bits", similarity="hamming")
    fingerprint = "brighter/1"
    input_size = 32

    def embed(self, images: Sequence[Image]) -> Vectors:
        rows = np.zeros((len(images), BITS), np.bool_)
        for row, image in zip(rows, images, strict=True):
            places = np.linspace(0, image.shape[0] * image.shape[1] - 1, BITS).astype(int)
            row[:] = image.mean(axis=2).ravel()[places] > image.mean()
        return cast(Vectors, np.packbits(rows, axis=1))


@pytest.fixture
def photos(tmp_path: Path) -> lookalike.Collection:
    made = lookalike.open(tmp_path / "c.collection", embedder=Brighter())
    write_pictures(tmp_path / "photos", 30)
    made.add(tmp_path / "photos")
    return made


def loop(photos: lookalike.Collection, query: Bits) -> list[tuple[str, float]]:
    bits = {
        record.id: np.unpackbits(photos.searcher.vectors(np.array([record.row]))[0].astype(np.uint8))[:BITS]
        for record in photos
    }
    wanted = np.unpackbits(query)[:BITS]
    scored = [(int((row != wanted).sum()), number, id) for number, (id, row) in enumerate(bits.items())]
    return [(id, float(np.float32(1 - distance / BITS))) for distance, _, id in sorted(scored)]


def test_a_picture_is_found_by_its_bits(photos: lookalike.Collection, tmp_path: Path) -> None:
    query = cast(Bits, Brighter().embed([picture(3)])[0])
    found = photos.search(tmp_path / "photos" / "picture-0003.png", k=30)
    assert [(hit.id, hit.score) for hit in found] == loop(photos, query)
    assert [(hit.id, hit.score) for hit in photos.search(query, k=30)] == loop(photos, query)
    assert photos.info()["spaces"]["brighter"]["similarity"] == "hamming"


def test_changes_are_seen_after_opening_again(photos: lookalike.Collection) -> None:
    photos.remove("picture-0003.png")
    photos.add_images([picture(77)], ids=["new"])
    photos.close()
    again = lookalike.open(photos.path, embedder=Brighter())
    query = cast(Bits, Brighter().embed([picture(77)])[0])
    assert [(hit.id, hit.score) for hit in again.search(query, k=40)] == loop(again, query)
    assert len(again) == 30


def test_near_pairs_equal_a_loop(photos: lookalike.Collection) -> None:
    rows = np.array([record.row for record in photos])
    bits = np.unpackbits(photos.searcher.vectors(rows).astype(np.uint8), axis=1)[:, :BITS]
    agreeing = {
        (int(rows[a]), int(rows[b])): np.float32(1 - (bits[a] != bits[b]).sum() / BITS)
        for a, b in combinations(range(30), 2)
    }
    expected = {pair: score for pair, score in agreeing.items() if score >= np.float32(0.7)}
    found = photos.near_pairs(0.7)
    assert expected
    assert dict(zip(zip(found.rows_a, found.rows_b, strict=True), found.scores, strict=True)) == expected


def test_several_pictures_vote(photos: lookalike.Collection) -> None:
    rows = [np.unpackbits(Brighter().embed([picture(seed)])[0].astype(np.uint8))[:BITS] for seed in (1, 2, 3)]
    majority = np.packbits(np.sum(rows, axis=0) >= 2)
    found = photos.search([picture(1), picture(2), picture(3)], k=30)
    assert [(hit.id, hit.score) for hit in found] == loop(photos, majority)


@given(
    bits=st.lists(st.integers(0, 2**BITS - 1), min_size=1, max_size=5),
    weights=st.lists(st.sampled_from([1.0, 2.0, 3.0, -1.0]), min_size=5, max_size=5),
)
def test_a_vote_equals_a_loop(bits: list[int], weights: list[float]) -> None:
    weights = [1.0, *weights[1 : len(bits)]]
    texts = [f"{value:0{BITS}b}" for value in bits]
    query = Query(
        tuple(
            QueryItem("vector", "", weight, payload=np.packbits([int(bit) for bit in text]))
            for text, weight in zip(texts, weights, strict=True)
        )
    )
    expected = ""
    for place in range(BITS):
        ones = sum(weight * (1 if text[place] == "1" else -1) for text, weight in zip(texts, weights, strict=True))
        expected += texts[0][place] if ones == 0 else "01"[ones > 0]
    found = vote(query, lambda item: cast(Vectors, item.payload), BITS)
    assert "".join(map(str, np.unpackbits(found.astype(np.uint8))[:BITS])) == expected


def test_what_is_no_vector_of_bits_is_refused(photos: lookalike.Collection, tmp_path: Path) -> None:
    with pytest.raises(BadShape, match="holds vectors of uint8, the query is one of float64"):
        photos.search(np.zeros(3))
    with pytest.raises(BadShape, match="20 bits in uint8"):
        photos.search(np.zeros(4, np.uint8))
    plain = lookalike.open(tmp_path / "plain.collection")
    with pytest.raises(BadShape, match="holds vectors of float32, the query is one of uint8"):
        plain.search(np.zeros(1201, np.uint8))
    assert understand(np.zeros(3, np.uint8)).items[0].kind == "vector"


def test_bits_go_out_and_come_in_again(photos: lookalike.Collection, tmp_path: Path) -> None:
    transfer.export_folder(photos, tmp_path / "out")
    written = np.load(tmp_path / "out" / "img_emb" / "img_emb_0.npy")
    assert (written.dtype, written.shape) == (np.uint8, (30, 3))
    again, count = transfer.import_vectors(tmp_path / "again.collection", tmp_path / "out")
    assert (count, again.space.dim, again.space.similarity) == (30, 24, "hamming")
    hits, there = again.search("id:picture-0003.png", k=30), photos.search("id:picture-0003.png", k=30)
    assert [hit.id for hit in hits] == [hit.id for hit in there]
    with pytest.raises(BadShape, match="3 bytes of bits, those of 'builtin' have 1201 dimensions"):
        transfer.import_vectors(tmp_path / "third.collection", tmp_path / "out", embedder="builtin")

"""Words of a command line become queries; queries become vectors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike.collection.queries import combine, parse, understand
from lookalike.errors import BadInput, BadQuery, BadShape, NoSuchFile
from lookalike.types import Query, QueryItem, Vectors


def kinds(words: list[str]) -> list[tuple[str, str, float]]:
    return [(item.kind, item.value, item.weight) for item in parse(words).items]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("cat.jpg", "a b.jpg", "2:cat.jpg", "noext", "+"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cat.jpg"], [("path", "cat.jpg", 1)]),
        (["a b.jpg"], [("path", "a b.jpg", 1)]),
        (["noext"], [("path", "noext", 1)]),
        (["path:cat.jpg"], [("path", "cat.jpg", 1)]),
        (["http://x.org/a.jpg"], [("url", "http://x.org/a.jpg", 1)]),
        (["HTTPS://x.org/a"], [("url", "HTTPS://x.org/a", 1)]),
        (["id:a/b.jpg"], [("id", "a/b.jpg", 1)]),
        (["stdin:"], [("stdin", "stdin:", 1)]),
        (["text:cat.jpg"], [("text", "cat.jpg", 1)]),
        (["red shoes"], [("text", "red shoes", 1)]),
        (["cat.jpg", "noext"], [("path", "cat.jpg", 1), ("path", "noext", 1)]),
        (["cat.jpg", "+", "night", "-", "2:cup"], [("path", "cat.jpg", 1), ("text", "night", 1), ("text", "cup", -2)]),
        (["0.5:cat.jpg"], [("path", "cat.jpg", 0.5)]),
        # A file that is really called so means itself.
        (["2:cat.jpg"], [("path", "2:cat.jpg", 1)]),
        (["2:id:x"], [("id", "x", 2)]),
    ],
)  # fmt: skip
def test_words_are_understood(folder: Path, words: list[str], expected: list[tuple[str, str, float]]) -> None:
    assert kinds(words) == expected


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["dog.jpg"], NoSuchFile, "no such file: 'dog.jpg'"),
        (["pictures/dog"], NoSuchFile, "no such file"),
        (["sub"], BadQuery, "is a folder"),
        ([], BadQuery, "nothing to search for"),
        (["cat.jpg", "-"], BadQuery, "ends with '-'"),
        (["cat.jpg", "+", "-", "noext"], BadQuery, "two signs"),
        (["-", "cat.jpg"], BadQuery, "not taken away"),
        (["id:"], BadQuery, "'id:' with nothing after it"),
        (["0:noext"], BadQuery, "weight 0"),
        (["  "], BadQuery, "empty word"),
    ],
)
def test_what_cannot_be_understood_is_said(folder: Path, words: list[str], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        parse(words)


def test_the_python_interface_takes_what_people_have(folder: Path) -> None:
    pixels = np.zeros((4, 5, 3), np.uint8)
    from PIL import Image as Pillow

    assert understand(Path("cat.jpg")).items[0].kind == "path"
    assert understand(b"bytes").items[0].payload == b"bytes"
    assert understand(np.ones(7, np.float32)).items[0].kind == "vector"
    several = understand(["cat.jpg", pixels, Pillow.fromarray(pixels)])
    assert [item.kind for item in several.items] == ["path", "image", "image"]
    assert understand(several) is several
    grey = understand(np.full((4, 5), 7, np.uint8)).items[0].payload
    assert isinstance(grey, np.ndarray)
    assert grey.shape == (4, 5, 3)
    clear = np.zeros((2, 2, 4), np.uint8)  # black and fully transparent: on white it is white
    seen = understand(clear).items[0].payload
    assert isinstance(seen, np.ndarray)
    assert (seen == 255).all()


@pytest.mark.parametrize("bad", [np.zeros((4, 5, 3)), np.zeros((0, 5, 3), np.uint8), np.zeros((4, 5, 2), np.uint8)])
def test_arrays_that_are_no_image_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(BadShape, match="an image in memory must be uint8"):
        understand(bad)


def test_an_empty_list_and_a_zero_weight_are_refused() -> None:
    with pytest.raises(BadQuery, match="empty list"):
        understand([])
    with pytest.raises(BadInput, match="finite number other than 0"):
        QueryItem("path", os.devnull, 0.0)


def payload(item: QueryItem) -> Vectors:
    assert isinstance(item.payload, np.ndarray)
    return item.payload[None]


@given(
    rows=hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(6)), elements=st.floats(-1, 1, width=16)),
    weights=st.lists(st.sampled_from([1.0, 2.0, -0.5]), min_size=5, max_size=5),
)
def test_combine_is_the_weighted_mean_of_unit_norm(rows: Vectors, weights: list[float]) -> None:
    weights = [1.0, *weights[1 : len(rows)]]
    query = Query(
        tuple(QueryItem("vector", "", weight, payload=row) for row, weight in zip(rows, weights, strict=True))
    )
    mean = [
        sum(weight * float(row[d]) for row, weight in zip(rows, weights, strict=True)) / sum(map(abs, weights))
        for d in range(6)
    ]
    norm = sum(value * value for value in mean) ** 0.5
    if norm < 1e-6:
        with pytest.raises(BadQuery, match="cancel"):
            combine(query, payload)
    else:
        np.testing.assert_allclose(combine(query, payload), [[value / norm for value in mean]], atol=1e-5)


def test_vectors_of_two_dimensions_do_not_mix() -> None:
    query = Query((QueryItem("vector", "a", payload=np.ones(3)), QueryItem("vector", "b", payload=np.ones(4))))
    with pytest.raises(BadShape, match=r"one dimension, got \[3, 4\]"):
        combine(query, payload)

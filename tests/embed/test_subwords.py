"""The tower of words, beside a loop over the same numbers."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from lookalike.embed.subwords import Subwords, pieces_of, words_of
from lookalike.errors import ModelError

BUCKETS, EMBEDDING, HIDDEN, DIM = 64, 6, 5, 7


@pytest.fixture
def arrays() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float16]]]:
    rng = np.random.default_rng(0)
    shapes = {
        "buckets": (BUCKETS, EMBEDDING),
        "inner": (EMBEDDING, HIDDEN),
        "inner_bias": (HIDDEN,),
        "outer": (HIDDEN, DIM),
        "outer_bias": (DIM,),
    }
    return {name: rng.standard_normal(shape).astype(np.float16) for name, shape in shapes.items()}


@pytest.fixture
def words(tmp_path: Path, arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float16]]]) -> Subwords:
    text = np.frombuffer(b"apple\nred", np.uint8)
    np.savez(tmp_path / "words.npz", vocabulary=text, **arrays)  # type: ignore[arg-type]
    return Subwords(tmp_path / "words.npz")


def test_a_text_is_what_a_loop_makes_of_it(
    words: Subwords, arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float16]]]
) -> None:
    wide = {name: each.astype(np.float64) for name, each in arrays.items()}
    texts = ["red apple", "Tee", "x"]
    found = words.embed(texts)
    for row, text in zip(found, texts, strict=True):
        total = np.zeros(EMBEDDING)
        for word in text.lower().split():
            marked = f"<{word}>"
            grams = {marked} | {
                marked[a:b] for a in range(len(marked)) for b in range(a + 3, a + 6) if b <= len(marked)
            }
            total += sum(wide["buckets"][zlib.crc32(gram.encode()) % BUCKETS] for gram in grams) / len(grams)
        total /= len(text.split())
        hidden = np.maximum(total @ wide["inner"] + wide["inner_bias"], 0)
        made = hidden @ wide["outer"] + wide["outer_bias"]
        np.testing.assert_allclose(row, made / np.linalg.norm(made), atol=1e-5)


def test_words_of_a_text() -> None:
    assert words_of("Red-Apple_2 crème  BRÛLÉE!") == ["red", "apple", "2", "creme", "brulee"]
    assert words_of(" -- ") == []
    assert len(pieces_of("a", 100)) == 1  # "<a>" is the word and its only n-gram


def test_no_words_are_no_error(words: Subwords) -> None:
    assert words.embed([]).shape == (0, DIM)
    assert np.isfinite(words.embed(["", "?!"])).all()


def test_the_vocabulary(words: Subwords) -> None:
    assert words.vocabulary == {"apple", "red"}


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "words.npz").write_bytes(b"PK\x03\x04 not really")
    for path in (tmp_path / "words.npz", tmp_path / "none.npz"):
        with pytest.raises(ModelError, match="cannot be read"):
            Subwords(path).embed(["a"])

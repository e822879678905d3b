"""The text tower without a vocabulary: what counts in a text, and the same vectors as a slow sum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.embed.ngrams import Ngrams, buckets_of
from lookalike.errors import ModelError

LENGTHS = (3, 2)


@pytest.fixture
def tower(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "words.npz"
    np.savez(
        path,
        table=rng.integers(-127, 128, (50, 4)).astype(np.int8),
        scales=rng.uniform(0.01, 0.02, 50).astype(np.float16),
        first=rng.normal(size=(4, 7)).astype(np.float16),
        first_bias=rng.normal(size=7).astype(np.float16),
        second=rng.normal(size=(7, 5)).astype(np.float16),
        second_bias=rng.normal(size=5).astype(np.float16),
        lengths=np.array(LENGTHS),
    )
    return path


def test_the_pieces_of_a_word() -> None:
    # <ab>: the word; of 3: <ab, ab>; of 4 there is only the word itself, which counts once.
    assert len(buckets_of("ab", 10**9)) == 3
    # <abc>: the word; <ab abc bc> ; <abc abc>; of 5 only the word itself.
    assert len(buckets_of("abc", 10**9)) == 6
    assert len(set(buckets_of("abc", 10**9)) & set(buckets_of("abx", 10**9))) == 1  # <ab


@given(st.text(max_size=60), st.integers(1, 1000))
def test_rows_of_the_table_whatever_the_text(text: str, count: int) -> None:
    found = buckets_of(text, count)
    assert all(0 <= each < count for each in found)
    assert found == buckets_of(f"  {text}!? ", count)


def test_case_accents_and_punctuation_say_nothing() -> None:
    assert buckets_of("Crème-Brûlée", 999) == buckets_of("creme brulee", 999)
    assert buckets_of("", 999) == buckets_of("… !", 999) == []


def test_the_vectors_equal_a_slow_sum(tower: Path) -> None:
    kept = np.load(tower)
    texts = ["red apple", "a", "!", "Überraschung und noch viel mehr"]
    found = Ngrams(tower).rows(texts)
    for text, row in zip(texts, found, strict=True):
        total = np.zeros(4)
        places = buckets_of(text, 50)
        for place in places:
            total += kept["table"][place] * float(kept["scales"][place])
        hidden = total / max(1, len(places)) @ kept["first"].astype(float) + kept["first_bias"]
        made = np.maximum(hidden, 0) @ kept["second"].astype(float) + kept["second_bias"]
        parts = [made[:3] / np.linalg.norm(made[:3]), made[3:] / np.linalg.norm(made[3:])]
        np.testing.assert_allclose(row, np.concatenate(parts), atol=1e-4)


def test_a_file_that_cannot_be_read(tmp_path: Path, tower: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Ngrams(tmp_path / "nowhere.npz")
    np.savez(tmp_path / "other.npz", table=np.zeros((2, 2), np.int8))
    with pytest.raises(ModelError, match="cannot be read"):
        Ngrams(tmp_path / "other.npz")

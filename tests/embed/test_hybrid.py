"""builtin-2 must never change: its vectors lie in people's collections."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import lookalike.embed.hybrid as room
from lookalike.embed import create
from lookalike.embed.hybrid import builtin_2, hybrid, read_shares
from lookalike.errors import ModelError
from lookalike.protocols import TextEmbedder
from lookalike.testing.embedder import check_embedder
from pictures import golden_images

GOLDEN = Path(__file__).parent / "golden" / "builtin-2.npy"
FOLDER = Path(room.__file__).parent / "weights" / "builtin-2"


def test_it_keeps_the_contract() -> None:
    check_embedder(builtin_2)


def test_the_vectors_are_those_of_the_first_release() -> None:
    found = builtin_2().embed(golden_images())
    golden = np.load(GOLDEN).astype(np.float32)
    assert found.shape == golden.shape
    # int8 rounds otherwise on processors without VNNI, where products of pairs saturate.
    assert ((found * golden).sum(axis=1) > 0.99).all()


def test_the_fingerprint_is_that_of_the_first_release() -> None:
    assert builtin_2().fingerprint == "builtin-2/1908a7306639"


def test_words_do_not_enter_the_fingerprint(tmp_path: Path) -> None:
    """The tower can be trained anew without indexing anything again."""
    for name in ("model.onnx", "lookalike.json"):
        shutil.copy(FOLDER / name, tmp_path / name)
    bare = hybrid(tmp_path / "model.onnx", read_shares(tmp_path), name="builtin-2")
    assert bare.fingerprint == builtin_2().fingerprint
    assert not isinstance(bare, TextEmbedder)


def test_words_lie_in_the_space_of_the_pictures() -> None:
    made = create("builtin")
    assert isinstance(made, TextEmbedder)
    rows = made.embed_text(["red apple", "a thing that nobody knows"])
    assert rows.shape == (2, made.space.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_the_size_that_the_package_may_have() -> None:
    assert (FOLDER / "model.onnx").stat().st_size <= 10e6
    assert (FOLDER / "words.npz").stat().st_size <= 3e6


def test_damaged_words_are_a_sentence_and_pictures_go_on(tmp_path: Path) -> None:
    for name in ("model.onnx", "lookalike.json", "words.npz"):
        shutil.copy(FOLDER / name, tmp_path / name)
    (tmp_path / "words.npz").write_bytes((FOLDER / "words.npz").read_bytes()[:1000])
    made = hybrid(tmp_path / "model.onnx", read_shares(tmp_path), name="x")
    assert made.embed(golden_images()[:1]).shape == (1, made.space.dim)
    with pytest.raises(ModelError, match=r"words\.npz cannot be read"):
        made.embed_text(["red"])  # type: ignore[attr-defined]

"""Each promise of the suite is one that a broken embedder fails."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.testing.embedder import check_embedder
from lookalike.types import Image, Vectors, VectorSpace

SERIAL = itertools.count()


class Tiny:
    """A correct embedder: the mean colour of each quarter, and a constant."""

    def __init__(self) -> None:
        self.space = VectorSpace("tiny", 13, "tiny/1")
        self.fingerprint = "tiny/1"
        self.input_size = 16

    def embed(self, images: Sequence[Image]) -> Vectors:
        rows = [self.row(image) for image in images]
        return np.stack(rows).astype(np.float32) if rows else np.zeros((0, 13), np.float32)

    def row(self, image: Image) -> npt.NDArray[Any]:
        height, width = image.shape[:2]
        row = [1.0]
        for i, j in itertools.product((0, 1), repeat=2):
            y, x = i * height // 2, j * width // 2
            part = image[y : y + max(1, height // 2), x : x + max(1, width // 2)]
            row += (part.mean(axis=(0, 1)) / 128 - 1).tolist()
        return np.asarray(np.array(row) / np.linalg.norm(row))


class TinyBits(Tiny):
    """A correct embedder of bits: of which side of the mean each colour of a quarter is."""

    def __init__(self) -> None:
        self.space = VectorSpace("tiny-bits", 12, "tiny-bits/1", kind="bits", similarity="hamming")
        self.fingerprint = "tiny-bits/1"
        self.input_size = 16

    def embed(self, images: Sequence[Image]) -> Vectors:
        rows = np.stack([self.row(image)[1:] > 0.01 for image in images]) if images else np.zeros((0, 12), np.bool_)
        return np.packbits(rows, axis=1)  # type: ignore[return-value]


class StrayBits(TinyBits):
    def embed(self, images: Sequence[Image]) -> Vectors:
        return super().embed(images) | np.uint8(1)  # type: ignore[operator,no-any-return]


def test_bits_pass_and_stray_ones_do_not() -> None:
    check_embedder(TinyBits)
    with pytest.raises(AssertionError, match="bits set beyond its 12"):
        check_embedder(StrayBits)


class Prepared(Tiny):
    def prepare(self, image: Image) -> npt.NDArray[Any]:
        return self.row(image)

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        return np.stack(prepared).astype(np.float32) if prepared else np.zeros((0, 13), np.float32)


def test_correct_embedders_pass() -> None:
    check_embedder(Tiny)
    check_embedder(Prepared)


class NotUnit(Tiny):
    def row(self, image: Image) -> npt.NDArray[Any]:
        return super().row(image) * 1.01


class NotFinite(Tiny):
    def row(self, image: Image) -> npt.NDArray[Any]:
        row = super().row(image)
        return row if image.any() else row * np.nan


class Float64(Tiny):
    def embed(self, images: Sequence[Image]) -> Vectors:
        return super().embed(images).astype(np.float64)


class WrongDim(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.space = VectorSpace("tiny", 14, "tiny/1")


class NothingFromNothing(Tiny):
    def embed(self, images: Sequence[Image]) -> Vectors:
        return super().embed(images) if images else np.zeros((0, 0), np.float32)


class Random(Tiny):
    def row(self, image: Image) -> npt.NDArray[Any]:
        row = super().row(image) + np.random.default_rng(next(SERIAL)).normal(0, 0.01, 13)
        return np.asarray(row / np.linalg.norm(row))


class BatchMean(Tiny):
    def embed(self, images: Sequence[Image]) -> Vectors:
        rows = super().embed(images)
        rows = rows + 0.1 * rows.sum(axis=0)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


class ChangesInput(Tiny):
    def row(self, image: Image) -> npt.NDArray[Any]:
        row = super().row(image)
        if image.flags.writeable and image.shape[0] == 97:
            image[0, 0] ^= 1
        return row


class OtherFingerprint(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = "tiny/2"


class NewFingerprint(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = f"tiny/{next(SERIAL)}"
        self.space = VectorSpace("tiny", 13, self.fingerprint)


class OtherPrepared(Prepared):
    def prepare(self, image: Image) -> npt.NDArray[Any]:
        return self.row(image[::-1])


class Blind(Tiny):
    def row(self, image: Image) -> npt.NDArray[Any]:
        return np.full(13, 13**-0.5)


class SeesSize(Tiny):
    def row(self, image: Image) -> npt.NDArray[Any]:
        row = np.zeros(13)
        row[image.shape[0] % 13] = 1
        return row


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (NotUnit, "norm 1"),
        (NotFinite, "not finite"),
        (Float64, "float32 is right"),
        (WrongDim, r"\(11, 14\) is right"),
        (NothingFromNothing, r"gave shape \(0, 0\) for 0 images"),
        (Random, "a second call"),
        (BatchMean, "an image alone"),
        (ChangesInput, "changed the pixels|a second"),
        (OtherFingerprint, "not that of the space"),
        (NewFingerprint, "different fingerprints"),
        (OtherPrepared, "embed_prepared of prepare differs"),
        (Blind, "another picture is as near"),
        (SeesSize, "half the size"),
    ],
)
def test_broken_embedders_fail(make: Callable[[], Tiny], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_embedder(make)

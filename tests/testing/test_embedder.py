"""Each promise of the suite is one that a broken embedder fails."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

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


class OtherSpace(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.space = VectorSpace(f"tiny-{next(SERIAL)}", 13, "tiny/1")


class Sparse(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.space = VectorSpace("tiny", 13, "tiny/1", kind="sparse", similarity="kernel")


class NoInputSize(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.input_size = 0


class Lists(Tiny):
    def embed(self, images: Sequence[Image]) -> Vectors:
        return super().embed(images).tolist()  # type: ignore[no-any-return]


class Columns(Tiny):
    def embed(self, images: Sequence[Image]) -> Vectors:
        return np.asfortranarray(super().embed(images))


class Another(Tiny):
    """Each one made has a vector of its own for the same picture."""

    def __init__(self) -> None:
        super().__init__()
        self.noise = np.random.default_rng(next(SERIAL)).normal(0, 0.01, 13)

    def row(self, image: Image) -> npt.NDArray[Any]:
        row = super().row(image) + self.noise
        return np.asarray(row / np.linalg.norm(row))


class SeesTheLast(Tiny):
    """Right for a single picture; what the last of several is changes the rest when it is black."""

    def embed(self, images: Sequence[Image]) -> Vectors:
        rows = super().embed(images)
        return rows if len(images) < 2 or images[-1].any() else np.roll(rows, 1, axis=1)


class KeepsItsResult(Tiny):
    """Remembers results, and hands out the memory itself."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[bytes, Vectors] = {}

    def embed(self, images: Sequence[Image]) -> Vectors:
        key = b"".join(repr(image.shape).encode() + image.tobytes() for image in images)
        if key not in self.known:
            self.known[key] = super().embed(images)
        return self.known[key]


class Unless(Tiny):
    """Another row for the pictures that ``odd`` says."""

    def odd(self, image: Image) -> bool:
        raise NotImplementedError

    def row(self, image: Image) -> npt.NDArray[Any]:
        row = super().row(image)
        return np.roll(row, 1) if self.odd(image) else row


class NeedsWritable(Unless):
    def odd(self, image: Image) -> bool:
        return not image.flags.writeable


class NeedsContiguous(Unless):
    def odd(self, image: Image) -> bool:
        return not image.flags.c_contiguous and min(image.strides) > 0


class ReadsMemory(Tiny):
    """Takes the pixels as they lie in memory, which for a turned view is another picture."""

    def row(self, image: Image) -> npt.NDArray[Any]:
        turned = min(image.strides) < 0 or image.strides[0] < image.strides[1]
        return super().row(image.ravel(order="K").reshape(image.shape) if turned else image)


class Raises(Tiny):
    """No picture of these shapes."""

    def refuses(self, image: Image) -> bool:
        raise NotImplementedError

    def row(self, image: Image) -> npt.NDArray[Any]:
        row = super().row(image)
        return row * np.nan if self.refuses(image) else row


class NoSinglePixel(Raises):
    def refuses(self, image: Image) -> bool:
        return image.shape[:2] == (1, 1)


class NoStrips(Raises):
    def refuses(self, image: Image) -> bool:
        return bool(max(image.shape[:2]) > 1000 and min(image.shape[:2]) < 16)


class NoGrey(Raises):
    """Divides by the colourfulness of a picture, flat ones excepted."""

    def refuses(self, image: Image) -> bool:
        return bool(np.ptp(image) > 0 and (np.ptp(image, axis=2) == 0).all())


class NothingHuge(Raises):
    def refuses(self, image: Image) -> bool:
        return image.size > 10_000_000


class CropsTheHuge(Tiny):
    def row(self, image: Image) -> npt.NDArray[Any]:
        return super().row(image[:500, :500])


class CropsBits(TinyBits):
    def row(self, image: Image) -> npt.NDArray[Any]:
        return super().row(image[:500, :500])


def test_bits_have_a_likeness_of_their_own() -> None:
    with pytest.raises(AssertionError, match="at 12 megapixels have bits in common"):
        check_embedder(CropsBits)


def test_a_decoder_that_leaves_a_picture_lying_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file's orientation does to vectors is the decoder's doing, so that is what is broken here."""

    def lying(data: bytes, *, input_size: int | None = None) -> Any:
        pixels = np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"))
        return SimpleNamespace(pixels=pixels)

    check_embedder(Tiny)
    monkeypatch.setattr("lookalike.testing.embedder.decode", lying)
    with pytest.raises(AssertionError, match="EXIF orientation"):
        check_embedder(Tiny)


def test_a_decoder_that_darkens_grey_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from lookalike.images.decode import decode

    def dark(data: bytes, *, input_size: int | None = None) -> Any:
        pixels = decode(data, input_size=input_size).pixels
        return SimpleNamespace(pixels=pixels // 2 if Pillow.open(io.BytesIO(data)).mode == "L" else pixels)

    monkeypatch.setattr("lookalike.testing.embedder.decode", dark)
    with pytest.raises(AssertionError, match="a grey file"):
        check_embedder(Tiny)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (OtherSpace, "different spaces"),
        (Sparse, "kind 'sparse'"),
        (NoInputSize, "input_size"),
        (Lists, "should return an array, got list"),
        (Columns, "not C-contiguous"),
        (Another, "a second embedder gives other vectors"),
        (SeesTheLast, "order of the batch"),
        (KeepsItsResult, "what a caller does to a result"),
        (NeedsWritable, "read-only"),
        (NeedsContiguous, "non-contiguous"),
        (ReadsMemory, "turned or mirrored"),
        (NoSinglePixel, r"rows \[3\] are not finite"),
        (NoStrips, r"rows \[4 5\] are not finite"),
        (NoGrey, r"rows \[10\] are not finite"),
        (NothingHuge, r"rows \[0\] are not finite"),
        (CropsTheHuge, "at 12 megapixels have cosine"),
        (NotUnit, "norm 1"),
        (NotFinite, "not finite"),
        (Float64, "float32 is right"),
        (WrongDim, r"\(12, 14\) is right"),
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

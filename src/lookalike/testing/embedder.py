"""What every embedder promises, as a suite that a plug-in's own tests can call."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image as Pillow

from ..images.decode import decode
from ..index.scores import pair_scores
from ..protocols import Embedder, Prepares
from ..types import Image, Vectors

__all__ = ["check_embedder", "sample_images"]


def check_embedder(make: Callable[[], Embedder], *, tolerance: float = 1e-5) -> None:
    """Raise AssertionError, with what was wrong, unless the embedder keeps its contract.

    Checked: unit rows of finite float32 in the right shape (or packed bits, none too many), whatever the size and
    content of the image (1 x 1, a long strip, black, white, grey, 12 megapixels); the same vectors on a second call,
    from a second embedder, and in any batch; the input left as it was; read-only, non-contiguous, turned and mirrored
    arrays taken for what they show; a picture upright whatever the EXIF orientation of its file; a grey file equal to
    the same in colour; ``embed`` equal to ``embed_prepared`` of ``prepare`` where there is such a pair; one
    fingerprint, stable and equal to that of the space; different pictures told apart; and a picture at half its
    resolution, or enlarged to 12 megapixels, recognised (cosine >= 0.95, or nine bits of ten).

    Args:
        make: returns a new embedder on each call.
        tolerance: the largest difference of a component that counts as equal; bits must be equal.
    """
    embedder = make()
    _check_names(embedder, make())
    images = sample_images()
    vectors = embedder.embed(images)
    _check_rows(vectors, len(images), embedder)
    _check_repeatable(embedder, make(), images, vectors, tolerance)
    _check_inputs(embedder, images, vectors, tolerance)
    _check_orientation(embedder, tolerance)
    _check_grey(embedder, tolerance)
    if isinstance(embedder, Prepares):
        prepared = [embedder.prepare(image) for image in images]
        _equal(embedder.embed_prepared(prepared), vectors, tolerance, "embed_prepared of prepare differs from embed")
        _check_rows(embedder.embed_prepared([]), 0, embedder)
    _check_likeness(embedder)


def sample_images(seed: int = 0) -> list[Image]:
    """Return small images of awkward shapes and contents: (H, W, 3) uint8."""
    random = np.random.default_rng(seed)
    flat = [np.full((40, 30, 3), value, np.uint8) for value in (0, 128, 255)]
    shapes = [(1, 1), (1, 2000), (2000, 1), (7, 5), (64, 64), (97, 203)]
    noise = [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    scene = _scene(160, 120)
    return [*flat, *noise, scene, _grey(scene), _scene(96, 128, shift=2.0)]


def _scene(height: int, width: int, *, shift: float = 0.0) -> Image:
    """Return smooth colours with a sharp disc, the same at every resolution."""
    y, x = (np.mgrid[:height, :width] + 0.5) / np.array([height, width])[:, None, None]
    waves = [np.sin(7 * x + 3 * y + shift), np.cos(5 * y - 4 * x * shift), np.sin(9 * x * y + 2 * shift)]
    picture = 128 + 90 * np.stack(waves, axis=-1)
    picture[(x - 0.4) ** 2 + (y - 0.55) ** 2 < 0.06] = (230, 40 + 60 * shift, 60)
    return picture.clip(0, 255).astype(np.uint8)


def _grey(image: Image) -> Image:
    """Return the mean of the channels, in all three of them."""
    return np.repeat(image.mean(axis=2, keepdims=True).round(), 3, axis=2).astype(np.uint8)


def _check_names(embedder: Embedder, again: Embedder) -> None:
    space = embedder.space
    assert space.kind in ("float", "bits"), f"the space is of kind {space.kind!r}; embedders give float rows or bits"
    assert embedder.fingerprint == space.fingerprint, (
        f"fingerprint {embedder.fingerprint!r} is not that of the space, {space.fingerprint!r}"
    )
    assert again.fingerprint == embedder.fingerprint, "two embedders made alike have different fingerprints"
    assert again.space == space, f"two embedders made alike have different spaces: {space} and {again.space}"
    assert embedder.input_size >= 1, f"input_size should be a number of pixels, got {embedder.input_size}"


def _check_rows(vectors: Vectors, count: int, embedder: Embedder) -> None:
    space = embedder.space
    shape = (count, space.width)
    assert isinstance(vectors, np.ndarray), f"embed should return an array, got {type(vectors).__name__}"
    assert vectors.shape == shape, f"embed gave shape {vectors.shape} for {count} images, {shape} is right"
    assert vectors.dtype == space.dtype, f"embed gave {vectors.dtype}, {space.dtype} is right"
    assert vectors.flags.c_contiguous, "the vectors are not C-contiguous"
    if space.kind == "bits":
        stray = np.bitwise_and(vectors[:, -1], space.unused, dtype=np.uint8).any()
        assert not stray, f"a row has bits set beyond its {space.dim}"
        return
    assert np.isfinite(vectors).all(), f"rows {np.flatnonzero(~np.isfinite(vectors).all(axis=1))} are not finite"
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    assert np.allclose(norms, 1, atol=1e-4), f"rows should have norm 1, got norms {norms.round(4)}"


def _check_repeatable(
    embedder: Embedder, again: Embedder, images: list[Image], vectors: Vectors, tolerance: float
) -> None:
    _equal(embedder.embed(images), vectors, tolerance, "a second call gives other vectors")
    _equal(again.embed(images), vectors, tolerance, "a second embedder gives other vectors")
    alone = np.concatenate([embedder.embed([image]) for image in images])
    _equal(alone, vectors, tolerance, "an image alone has another vector than in a batch")
    _equal(embedder.embed(images[::-1])[::-1], vectors, tolerance, "the order of the batch changes the vectors")
    _check_rows(embedder.embed([]), 0, embedder)


def _check_inputs(embedder: Embedder, images: list[Image], vectors: Vectors, tolerance: float) -> None:
    copies = [image.copy() for image in images]
    embedder.embed(copies)
    changed = [i for i, (a, b) in enumerate(zip(images, copies, strict=True)) if not np.array_equal(a, b)]
    assert not changed, f"embed changed the pixels of images {changed}"
    fresh = vectors.copy()
    vectors[:] = 0
    _equal(embedder.embed(images), fresh, tolerance, "what a caller does to a result changes the next one")
    for image in copies:
        image.flags.writeable = False
    _equal(embedder.embed(copies), fresh, tolerance, "read-only images have other vectors")
    strided = [np.repeat(image, 2, axis=1)[:, ::2] for image in images]
    _equal(embedder.embed(strided), fresh, tolerance, "non-contiguous images have other vectors")
    vectors[:] = fresh


def _check_orientation(embedder: Embedder, tolerance: float) -> None:
    """Arrays that are turned in memory, and files that say by EXIF that they are."""
    upright = _scene(96, 128)
    turned = [np.rot90(side, turns) for side in (upright, upright[:, ::-1]) for turns in range(4)]
    expected = embedder.embed([np.ascontiguousarray(view) for view in turned])
    _equal(embedder.embed(turned), expected, tolerance, "a turned or mirrored view of memory has another vector")
    # What each EXIF orientation of 1 to 8 says was done to the picture, so that undoing it gives the upright one.
    back = [turned[at] for at in (0, 4, 2, 6, 5, 1, 7, 3)]
    files = [_png(Pillow.fromarray(np.ascontiguousarray(view)), tag) for tag, view in enumerate(back, 1)]
    shown = [decode(file, input_size=embedder.input_size).pixels for file in files]
    rows = np.repeat(embedder.embed(shown[:1]), len(shown), axis=0)
    _equal(embedder.embed(shown), rows, tolerance, "the EXIF orientation of a file changes its vector")


def _check_grey(embedder: Embedder, tolerance: float) -> None:
    grey = _grey(_scene(96, 128))
    files = [_png(Pillow.fromarray(grey[:, :, 0])), _png(Pillow.fromarray(grey))]
    one, three = embedder.embed([decode(file, input_size=embedder.input_size).pixels for file in files])
    _equal(one[None], three[None], tolerance, "a grey file has another vector than the same in colour")


def _png(picture: Pillow.Image, orientation: int = 1) -> bytes:
    out = io.BytesIO()
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    picture.save(out, "PNG", exif=exif)
    return out.getvalue()


def _check_likeness(embedder: Embedder) -> None:
    large, other = _scene(2 * embedder.input_size + 64, 512), _scene(300, 500, shift=2.0)
    small = _scene(300, 400)
    huge = small.repeat(10, axis=0).repeat(10, axis=1)
    rows = embedder.embed([large, _halve(large), other, small])
    vast = embedder.embed([huge])
    _check_rows(vast, 1, embedder)
    near, far = (_score(embedder, rows[[0, at]]) for at in (1, 2))
    wide = _score(embedder, np.concatenate([rows[3:], vast]))
    what, least = ("bits in common", 0.9) if embedder.space.kind == "bits" else ("cosine", 0.95)
    assert near >= least, f"a picture and itself at half the size have {what} {near:.4f}, under {least}"
    assert far < near, f"another picture is as near ({far:.4f}) as the same at half the size"
    assert wide >= least, f"a picture and itself at 12 megapixels have {what} {wide:.4f}, under {least}"


def _score(embedder: Embedder, pair: Vectors) -> float:
    return float(pair_scores(pair[:1], pair[1:], embedder.space.similarity, embedder.space.dim)[0])


def _halve(image: Image) -> Image:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    blocks = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return np.asarray(blocks.mean(axis=(1, 3)).round(), np.uint8)


def _equal(found: Vectors, expected: Vectors, tolerance: float, message: str) -> None:
    assert found.shape == expected.shape, f"{message}: shapes {found.shape} and {expected.shape}"
    worst = float(np.abs(found.astype(np.float32) - expected).max(initial=0.0))
    assert worst <= tolerance, f"{message}: they differ by up to {worst:.2g}, {tolerance:.2g} is allowed"

"""Embedding the subject: the same as cropping by hand and embedding that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lookalike.detect import create_detector
from lookalike.detect.box import crop
from lookalike.embed import create
from lookalike.embed.subject import Subject, SubjectAndText, split_spec, subject_spec
from lookalike.embed.unit import unit
from lookalike.errors import BadInput, UnknownName
from lookalike.protocols import TextEmbedder
from lookalike.testing.embedder import check_embedder
from lookalike.types import Image, Region, Vectors, VectorSpace
from pictures import picture


class Corner:
    """Finds the upper left quarter of every picture of more than 4 pixels."""

    name = spec = fingerprint = "corner"

    def detect(self, image: Image) -> Sequence[Region]:
        height, width = image.shape[:2]
        return [Region(0, 0, width // 2, height // 2)] if min(height, width) > 4 else []


@pytest.mark.parametrize(
    "name",
    [
        "subject:saliency:builtin-1",
        "subject:content:color-layout",
        "subject:saliency+whole:lbp",
        "subject:content:phash",
    ],
)
def test_the_contract(name: str) -> None:
    check_embedder(lambda: create(name))


@pytest.mark.parametrize("name", ["builtin-1", "phash"])
def test_it_is_the_embedding_of_the_crop(name: str) -> None:
    inner = create(name)
    images = [picture(seed, side=80) for seed in range(3)]
    found = Subject(inner, Corner()).embed(images)
    np.testing.assert_array_equal(found, inner.embed([image[:40, :40] for image in images]))
    tiny = np.full((3, 3, 3), 50, np.uint8)
    np.testing.assert_array_equal(Subject(inner, Corner()).embed([tiny]), inner.embed([tiny]))


def test_with_the_whole_a_score_is_the_mean_of_both() -> None:
    inner = create("color-layout")
    both = Subject(inner, Corner(), whole=True)
    images = [picture(seed, side=80) for seed in range(2)]
    a, b = both.embed(images)
    crops, wholes = inner.embed([image[:40, :40] for image in images]), inner.embed(images)
    assert a @ b == pytest.approx((crops[0] @ crops[1] + wholes[0] @ wholes[1]) / 2, abs=1e-6)
    assert both.space.dim == 2 * inner.space.dim


def test_a_persons_region_replaces_the_detectors() -> None:
    inner = create("builtin-1")
    image, region = picture(1, side=90), Region(30, 40, 80, 85)
    found = Subject(inner, Corner()).embed_at(image, region)
    np.testing.assert_array_equal(found, inner.embed([crop(image, region)]))


class Words:
    """Pictures by their mean colour, and the names of three colours in the same space."""

    space = VectorSpace("words", 3, "words")
    fingerprint = "words"
    input_size = 8

    def embed(self, images: Sequence[Image]) -> Vectors:
        return unit(np.array([image.mean(axis=(0, 1)) + 1 for image in images]), source="words")

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        return np.eye(3, dtype=np.float32)[[("red", "green", "blue").index(text) for text in texts]]


@pytest.mark.parametrize("whole", [False, True])
def test_words_are_compared_with_the_subject(whole: bool) -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:20, :20, 0] = 255  # the subject is red
    image[20:, :, 1] = 255  # the rest is mostly green
    made = SubjectAndText(Words(), Corner(), whole=whole)
    (row,) = made.embed([image])
    red, green = made.embed_text(["red", "green"])
    crop_score, whole_score = (Words().embed([part])[0][0] for part in (image[:20, :20], image))
    assert row @ red == pytest.approx((crop_score + whole_score) / 2 if whole else crop_score, abs=1e-6)
    assert row @ red > row @ green
    assert not isinstance(create("subject:content:lbp"), TextEmbedder)


def test_the_stored_name_makes_the_same_again() -> None:
    made = create("subject:saliency+whole:builtin")
    again = create(str(made.spec))  # type: ignore[attr-defined]
    assert again.space == made.space
    assert made.space.name == "builtin-2+saliency+whole"
    others = ["subject:content:builtin", "subject:saliency:builtin", "subject:saliency+whole:lbp", "builtin"]
    assert len({made.fingerprint, *(create(other).fingerprint for other in others)}) == 5


def test_the_same_thing_elsewhere_is_nearer_than_without() -> None:
    """A thing on white, small in another corner: the crop sees the same, the whole does not."""
    thing = picture(5, side=60)
    first, second = (np.full((200, 260, 3), 255, np.uint8) for _ in range(2))
    first[20:80, 30:90] = thing
    second[120:165, 200:245] = np.asarray(Pillow.fromarray(thing).resize((45, 45), Pillow.Resampling.LANCZOS))
    inner = create("gist")
    whole = inner.embed([first, second])
    subject = Subject(inner, create_detector("content")).embed([first, second])
    assert subject[0] @ subject[1] > 0.95
    assert whole[0] @ whole[1] < 0.5


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("saliency:builtin", ("saliency", False, "builtin")),
        ("content+whole:onnx:/a/b.onnx", ("content", True, "onnx:/a/b.onnx")),
        ("onnx:/d/yolo.onnx:onnx:/a/b.onnx", ("onnx:/d/yolo.onnx", False, "onnx:/a/b.onnx")),
        ("onnx:C:/d/yolo.onnx+whole:builtin", ("onnx:C:/d/yolo.onnx", True, "builtin")),
    ],
)
def test_specifications(rest: str, expected: tuple[str, bool, str]) -> None:
    assert split_spec(rest) == expected


def test_a_specification_that_is_kept_means_the_same_in_any_folder() -> None:
    assert subject_spec("content+whole", "builtin") == "subject:content+whole:builtin-2"
    assert subject_spec("onnx:d.onnx+whole", "lbp") == f"subject:onnx:{Path.cwd()}/d.onnx+whole:lbp"


def test_specifications_that_cannot_be() -> None:
    for rest in ("", "saliency", "saliency:", ":builtin", "onnx:/d/yolo:builtin", "onnx:/d/yolo.onnx"):
        with pytest.raises(BadInput, match="does not name a detector and an embedder"):
            create(f"subject:{rest}")
    with pytest.raises(UnknownName, match="detector 'salient'"):
        create("subject:salient:builtin")
    with pytest.raises(BadInput, match="subject of a subject"):
        create("subject:saliency:subject:content:builtin")
    with pytest.raises(BadInput, match="learns from a collection first"):
        create("subject:saliency:eigenfaces")


def test_a_collection_of_subjects(tmp_path: Path) -> None:
    """The setting is the collection's: a query is cropped as its images were."""
    import lookalike

    thing = picture(5, side=60)
    ground = np.full((200, 260, 3), 255, np.uint8)
    ground[20:80, 30:90] = thing
    with lookalike.open(tmp_path / "c", embedder="subject:content:builtin") as photos:
        images = [ground, *(picture(seed) for seed in range(10, 14))]
        photos.add_images(images, ids=[f"i{n}" for n in range(len(images))])
    with lookalike.open(tmp_path / "c") as photos:
        assert photos.space.name == "builtin-2+content"
        moved = np.roll(ground, (90, 120), axis=(0, 1))
        best = photos.search(moved, k=2)[0]
        assert best.id == "i0"
        assert best.score > 0.99

"""Embedders made of others: side by side, over several views, and with fewer dimensions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from lookalike.embed import create
from lookalike.embed.augment import VIEWS, parse_views, views_of
from lookalike.embed.ensemble import Ensemble
from lookalike.embed.reduce import LearnsToReduce, Reduced, save_whitening
from lookalike.embed.specs import inner, members, without_parentheses
from lookalike.embed.whitening import fit_pairs
from lookalike.errors import BadInput, ModelError, NoSuchFile, UnknownName
from lookalike.protocols import Learns
from lookalike.testing.embedder import check_embedder
from lookalike.types import Image
from pictures import picture

PICTURES = [picture(seed) for seed in range(12)]


@pytest.mark.parametrize(
    "name",
    [
        "ensemble:builtin-1+color-layout:2",
        "ensemble:hog+dhash:0.25",
        "ensemble:(subject:saliency+whole:lbp)+hog",
        "tta:mirror,crops,zooms:color-layout",
        "tta:crops:(ensemble:hog+lbp)",
    ],
)
def test_the_contract(name: str) -> None:
    check_embedder(lambda: create(name))


@pytest.mark.parametrize(
    "name", ["reduce:16:builtin-1", "reduce:8:(ensemble:hog+color-layout)", "reduce:48:tta:mirror:hog"]
)
def test_the_contract_of_what_learns(name: str) -> None:
    taught = _taught(name)
    check_embedder(lambda: taught.from_state(taught.state()))
    assert taught.embed(PICTURES).shape == (12, taught.dim)


def _taught(name: str) -> LearnsToReduce:
    made = create(name)
    assert isinstance(made, Learns)
    assert not made.fitted
    taught = made.fit([picture(seed) for seed in range(80)], 0)
    assert isinstance(taught, LearnsToReduce)
    return taught


# -- side by side --------------------------------------------------------------------------------------------------


def test_a_cosine_is_the_weighted_mean_of_cosines() -> None:
    parts = {"builtin-1": 1.0, "color-layout": 3.0, "hog": 0.5}
    rows = create("ensemble:builtin-1+color-layout:3+hog:0.5").embed(PICTURES).astype(np.float64)
    expected = np.zeros((12, 12))
    for name, weight in parts.items():
        alone = create(name).embed(PICTURES).astype(np.float64)
        expected += weight / 4.5 * (alone @ alone.T)
    np.testing.assert_allclose(rows @ rows.T, expected, atol=1e-6)


def test_bits_take_part_by_their_agreement() -> None:
    hashes, layout = create("dhash").embed(PICTURES), create("color-layout").embed(PICTURES).astype(np.float64)
    agreement = np.array(
        [[sum(a == b for a, b in zip(_bits(one), _bits(two), strict=True)) / 64 for two in hashes] for one in hashes]
    )
    rows = create("ensemble:dhash:2+color-layout").embed(PICTURES).astype(np.float64)
    np.testing.assert_allclose(rows @ rows.T, (2 * (2 * agreement - 1) + layout @ layout.T) / 3, atol=1e-6)


def _bits(row: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> str:
    return "".join(f"{int(byte):08b}" for byte in row)


def test_only_the_ratio_of_weights_counts_and_the_name_says_them() -> None:
    one, other = create("ensemble:hog:1+lbp:3"), create("ensemble:hog:2+lbp:6")
    np.testing.assert_array_equal(one.embed(PICTURES), other.embed(PICTURES))
    assert one.fingerprint == other.fingerprint
    assert create("ensemble:hog:3+lbp").fingerprint != one.fingerprint
    assert one.space.name == "hog+3*lbp"
    spec = getattr(create("ensemble:builtin+(subject:saliency+whole:builtin):2"), "spec", "")
    assert spec == "ensemble:builtin-2+(subject:saliency+whole:builtin-2):2"
    assert create(spec).fingerprint == create("ensemble:builtin+(subject:saliency+whole:builtin):2").fingerprint


def test_nested_specifications() -> None:
    assert members("a+b:2") == [("a", 1.0), ("b", 2.0)]
    assert members("(subject:x+whole:a):.5 + hf:o/n") == [("subject:x+whole:a", 0.5), ("hf:o/n", 1.0)]
    assert members("(onnx:a:2)+(ensemble:c+(tta:mirror:d):3)") == [
        ("onnx:a:2", 1.0),
        ("ensemble:c+(tta:mirror:d):3", 1.0),
    ]
    assert without_parentheses("(a)+(b)") == "(a)+(b)"
    for spec in ("a", "a+b", "onnx:x:2", "hf:o/n"):
        assert members(f"{inner(spec)}+z") == [(spec, 1.0), ("z", 1.0)]
    for wrong in ("", "a", "a+", "(a+b", "a)+b", "a:0+b", "a:-1+b", "a:inf+b"):
        with pytest.raises(BadInput):
            members(wrong)


def test_what_cannot_be_joined_is_said() -> None:
    with pytest.raises(BadInput, match="learns from a collection first"):
        create("ensemble:eigenfaces+hog")
    with pytest.raises(UnknownName, match="unknown embedder"):
        create("ensemble:hog+nothing")
    with pytest.raises(BadInput, match="two embedders or more"):
        Ensemble([create("hog")], [1.0])


# -- several views -------------------------------------------------------------------------------------------------


def test_a_vector_is_the_mean_of_those_of_the_views() -> None:
    image = picture(3, side=100)
    square = [(0, 0), (0, 20), (20, 0), (20, 20), (10, 10)]
    views: list[Image] = [image, *(image[y : y + 80, x : x + 80] for y, x in square)]
    views += [view[:, ::-1] for view in views]
    inside = create("color-layout")
    mean = np.mean([inside.embed([np.ascontiguousarray(view)])[0].astype(np.float64) for view in views], axis=0)
    found = create("tta:crops,mirror:color-layout").embed([image])[0]
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)


def test_the_mirror_image_has_the_same_vector() -> None:
    embedder = create("tta:mirror:builtin-1")
    image = picture(5)
    one, other = embedder.embed([image, np.ascontiguousarray(image[:, ::-1])])
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_how_many_views_and_how_large() -> None:
    image = picture(1, side=100)[:60]
    assert [len(views_of(image, kinds)) for kinds in ((), ("mirror",), ("crops",), ("zooms",), VIEWS)] == [
        1,
        2,
        6,
        3,
        16,
    ]
    assert [view.shape[:2] for view in views_of(image, ("zooms",))] == [(60, 100), (51, 85), (42, 70)]
    assert all(min(view.shape[:2]) > 0 for view in views_of(image[:1, :1], VIEWS))


def test_the_views_are_in_the_name() -> None:
    plain, mirrored = create("hog"), create("tta:mirror:hog")
    assert plain.fingerprint != mirrored.fingerprint
    assert getattr(create("tta:crops,mirror:builtin"), "spec", "") == "tta:mirror,crops:builtin-2"
    with pytest.raises(UnknownName, match="unknown views 'flip'"):
        parse_views("flip")
    with pytest.raises(BadInput, match="twice"):
        parse_views("mirror,mirror")
    with pytest.raises(BadInput, match="have no mean"):
        create("tta:mirror:phash")


# -- fewer dimensions ----------------------------------------------------------------------------------------------


def test_the_axes_are_those_of_another_library() -> None:
    images = [picture(seed) for seed in range(80)]
    rows = create("builtin-1").embed(images).astype(np.float64)
    reference = PCA(16, svd_solver="full").fit(rows)
    # scikit-learn's variances are divided by N - 1, which one scale for all axes takes away again.
    expected = reference.transform(rows) / reference.explained_variance_**0.25
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = _taught("reduce:16:builtin-1").embed(images)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=2e-4)  # an axis has either sign
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=5e-4)


def test_fewer_images_than_axes_leave_zeros() -> None:
    made = create("reduce:32:hog")
    assert isinstance(made, LearnsToReduce)
    rows = made.fit([picture(seed) for seed in range(5)], 0).embed(PICTURES)
    assert (rows[:, 4:] == 0).all()  # five images span four dimensions around their mean
    with pytest.raises(BadInput, match="at least 2 images"):
        made.fit([picture(0)], 0)


def test_axes_from_a_file(tmp_path: Path) -> None:
    rows = create("hog").embed(PICTURES)
    save_whitening(tmp_path / "axes.npz", fit_pairs(rows, [0, 2, 4], [1, 3, 5], dim=8))
    made = create(f"reduce:{tmp_path / 'axes.npz'}:hog")
    assert isinstance(made, Reduced)
    np.testing.assert_allclose(
        made.embed(PICTURES), fit_pairs(rows, [0, 2, 4], [1, 3, 5], dim=8).apply(rows), atol=1e-6
    )
    assert create(made.spec).fingerprint == made.fingerprint
    check_embedder(lambda: create(made.spec))
    with pytest.raises(BadInput, match="takes vectors of 384 components"):
        create(f"reduce:{tmp_path / 'axes.npz'}:lbp")
    with pytest.raises(NoSuchFile):
        create("reduce:nowhere.npz:lbp")
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read as a whitening"):
        create(f"reduce:{tmp_path / 'bad.npz'}:lbp")


@pytest.mark.parametrize(
    "name", ["reduce:hog", "reduce:0:hog", "reduce:10000:hog", "reduce:8:phash", "reduce:8:", "tta:mirror:"]
)
def test_what_cannot_be_done_is_said(name: str) -> None:
    with pytest.raises(BadInput):
        create(name)

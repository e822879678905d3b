"""Combined embedders in a collection: made, kept, opened again, and searched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

import lookalike
from lookalike.collection import learn
from lookalike.embed import create
from lookalike.errors import BadInput
from pictures import write_pictures


def test_reduced_vectors_are_learned_and_kept(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 30)
    name = "reduce:8:ensemble:hog+color-layout:2"
    with pytest.raises(BadInput, match="learns from images"):
        lookalike.open(tmp_path / "c", embedder=name)
    taught = learn(name, tmp_path / "photos", collection=tmp_path / "c")
    with lookalike.open(tmp_path / "c", embedder=taught) as photos:
        photos.add(tmp_path / "photos")
        best = photos.search("id:picture-0004.png", k=3)
        vector = photos.store.vectors(photos.space.name, [best[0].row])
        assert vector.shape == (1, 8)
    with lookalike.open(tmp_path / "c") as again:  # from what was stored alone
        found = again.search(str(tmp_path / "photos" / "picture-0004.png"), k=3)
        assert [hit.id for hit in found] == [hit.id for hit in best]
        assert found[0].score == pytest.approx(1, abs=1e-5)
    assert learn(name, tmp_path / "photos", collection=tmp_path / "c") == name  # it has learned already
    with lookalike.open(tmp_path / "c", embedder=name) as named:
        assert len(named) == 30


def test_an_ensemble_is_a_space_like_any_other(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 6)
    for name in ("ensemble:builtin+dhash:0.5", "tta:mirror:hog"):
        with lookalike.open(tmp_path / "c", embedder=name, add_space=True) as photos:
            photos.add(tmp_path / "photos")
    with lookalike.open(tmp_path / "c") as photos:
        assert list(photos.store.spaces()) == ["builtin-2+0.5*dhash", "hog+mirror"]
        image = str(tmp_path / "photos" / "picture-0002.png")
        both = photos.search(image, spaces={"builtin-2+0.5*dhash": 1.0, "hog+mirror": 2.0})
        assert both[0].id == "picture-0002.png"
        (row,) = photos.store.vectors(photos.space.name, [both[0].row])
        direct = create("ensemble:builtin+dhash:0.5").embed([np.asarray(PILImage.open(image).convert("RGB"))])[0]
        np.testing.assert_allclose(row, direct, atol=1e-5)


def test_a_query_over_views_is_the_mean_of_its_views(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 8)
    with lookalike.open(tmp_path / "c", embedder="hog") as photos:
        photos.add(tmp_path / "photos")
        image = tmp_path / "photos" / "picture-0003.png"
        pixels = np.asarray(PILImage.open(image).convert("RGB"))
        vector = create("tta:mirror,zooms:hog").embed([pixels])[0]
        expected = photos.search(vector)
        found = photos.search(image, augment="mirror,zooms")
        assert [hit.id for hit in found] == [hit.id for hit in expected]
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-6)
        assert photos.search(image, augment="mirror")[0].score < 1
        with pytest.raises(BadInput, match="no picture to take views of"):
            photos.search("id:picture-0003.png", augment="mirror")
        with pytest.raises(BadInput, match="unknown views"):
            photos.search(image, augment="flip")

"""NMI and AMI of an evaluation: of k-means clusters of its labelled images, with intervals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lookalike
from lookalike.errors import BadInput
from lookalike.evaluate.clustered import cluster_estimates, summarise_all
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.truth import Joined, join
from lookalike.evaluate.truth.base import LabelSets, Pairs, Truth
from lookalike.evaluate.truth.joining import Parts
from lookalike.evaluate.vector_files import VectorSet

LABELS = [("a",)] * 6 + [("b",)] * 6 + [("c",)] * 6 + [()] * 4


def made(noise: float) -> tuple[VectorSet, Joined]:
    """Return 18 vectors about three corners, and four distractors that lie anywhere."""
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(3, 8, dtype=np.float32), 6, axis=0)
    vectors = np.concatenate([centres, rng.standard_normal((4, 8)).astype(np.float32)])
    vectors += noise * rng.standard_normal(vectors.shape).astype(np.float32)
    searched = VectorSet(vectors, cosine=True)
    truth = Truth(path=Path("t.csv"), format="labels", names=searched.names, labels=LabelSets.of(LABELS))
    return searched, join(truth, searched)


def test_the_agreement_is_scikit_learns_of_the_labelled_images_alone() -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    metrics = pytest.importorskip("sklearn.metrics")
    searched, joined = made(0.5)
    found = cluster_estimates(searched, joined, ["ami", "nmi"], seed=3)
    named = np.repeat([0, 1, 2], 6)
    clusters = cluster.KMeans(3, n_init=4, random_state=3).fit_predict(searched.vectors(np.arange(18)))
    assert found["nmi"].value == pytest.approx(metrics.normalized_mutual_info_score(named, clusters))
    assert found["ami"].value == pytest.approx(metrics.adjusted_mutual_info_score(named, clusters))
    assert found["nmi"].n == 18
    for each in found.values():
        assert each.low <= each.value <= each.high
        assert each.high - each.low > 0.05
    assert cluster_estimates(searched, joined, ["nmi"], seed=3)["nmi"] == found["nmi"]


def test_the_interval_is_that_of_resampled_images() -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    metrics = pytest.importorskip("sklearn.metrics")
    searched, joined = made(0.7)
    found = cluster_estimates(searched, joined, ["ami"])["ami"]
    named = np.repeat([0, 1, 2], 6)
    clusters = cluster.KMeans(3, n_init=4, random_state=0).fit_predict(searched.vectors(np.arange(18)))
    rng = np.random.default_rng(7)  # other draws than those of the interval
    draws = (rng.integers(0, 18, 18) for _ in range(400))
    spread = np.std([metrics.adjusted_mutual_info_score(named[drawn], clusters[drawn]) for drawn in draws])
    assert found.high - found.value == pytest.approx(min(1.96 * spread, 1 - found.value), rel=0.25)
    assert found.low == pytest.approx(max(0, found.value - 1.96 * spread), abs=0.1)


def test_beside_other_metrics_in_the_order_asked_for() -> None:
    pytest.importorskip("sklearn")
    searched, joined = made(0.0)
    judged = run_protocol(searched, joined).judged
    figures = summarise_all(judged, ["nmi", "map", "ami"], searcher=searched, joined=joined)
    assert list(figures) == ["nmi", "map", "ami"]
    assert [round(each.value, 6) for each in figures.values()] == [1, 1, 1]
    assert list(summarise_all(judged, ["map"], searcher=searched, joined=joined)) == ["map"]


def test_clusters_need_one_label_an_image() -> None:
    searched, joined = made(0.1)
    several = replace(joined.truth, labels=LabelSets.of([("a", "b"), *LABELS[1:]]))
    with pytest.raises(BadInput, match=r"one label an image, and '0' has several"):
        cluster_estimates(searched, replace(joined, truth=several), ["nmi"])
    pairs = replace(joined.truth, labels=None, pairs=Pairs.of([(0, 1, 1.0)]))
    with pytest.raises(BadInput, match="compared with labels"):
        cluster_estimates(searched, replace(joined, truth=pairs), ["nmi"])


def test_images_that_boxes_cut_count_by_their_parts() -> None:
    pytest.importorskip("sklearn")
    searched, joined = made(0.0)
    other = searched.vectors(np.array([0])).repeat(18, axis=0)  # the whole images are all alike
    alike = VectorSet(np.concatenate([other, searched.vectors(np.arange(18, 22))]), cosine=True)
    assert cluster_estimates(alike, joined, ["nmi"])["nmi"].value == 0
    cut = {at: at for at in range(18)}
    parts = Parts(searched.space, searched.vectors(np.arange(18)), cut)
    truth = replace(joined.truth, boxes=dict.fromkeys(cut, (0.0, 0.0, 1.0, 1.0)), boxes_in_base=True)
    assert cluster_estimates(alike, replace(joined, truth=truth, parts=parts), ["nmi"])["nmi"].value == 1


def test_not_of_bits_nor_of_several_spaces(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    noise = np.random.default_rng(1).integers(0, 256, (22, 32, 32, 3), np.uint8)
    with lookalike.open(tmp_path / "c", embedder="dhash") as photos:
        photos.add_images(list(noise), ids=[str(at) for at in range(22)])
        joined = join(made(0.1)[1].truth, photos)
        with pytest.raises(BadInput, match="these are bits"):
            cluster_estimates(photos.searcher, joined, ["nmi"])
        with pytest.raises(BadInput, match="several spaces together"):
            cluster_estimates(photos.searching(), joined, ["nmi"])

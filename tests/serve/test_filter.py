"""The content filter: what a classifier catches is marked or hidden, in the API and wherever pictures are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

import lookalike
from lookalike.classify.picture import Picture
from lookalike.errors import LookalikeError
from lookalike.serve import Settings, create_app
from pictures import picture
from serving import Start, item, query

IMAGES = 30
MIDDLE = 174.8  # of the grey values: about half of the pictures are brighter


def bright(seed: int) -> bool:
    """What the classifiers of these tests catch."""
    return float(picture(seed).mean()) > MIDDLE


CAUGHT = {f"picture-{seed:04d}.png" for seed in range(IMAGES) if bright(seed)}
EVERY = query(item("id", "picture-0001.png"), k=IMAGES)


@pytest.fixture
def head(folder: Path) -> str:
    """A head that learns from the collection's own vectors which pictures are bright; beside the collection."""
    with lookalike.open(folder) as photos:
        records = list(photos)
        vectors = photos.searcher.vectors(np.array([record.row for record in records]))
    labels = [record.id in CAUGHT for record in records]
    learned = LogisticRegression(C=1e6, max_iter=10_000).fit(vectors, labels)
    assert learned.score(vectors, labels) == 1
    (folder / "classifiers").mkdir()
    np.savez(folder / "classifiers" / "bright.npz", coef=learned.coef_, intercept=learned.intercept_)
    return "head:bright.npz"


@pytest.fixture
def network(folder: Path) -> str:
    """A network over the picture: a steep logistic of its mean, which is a half at MIDDLE."""
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["mean", "middle"], ["over"]),
        helper.make_node("Mul", ["over", "steep"], ["steeply"]),
        helper.make_node("Sigmoid", ["steeply"], ["scores"]),
    ]
    held = [
        helper.make_tensor("middle", TensorProto.FLOAT, [1], [MIDDLE / 255]),
        helper.make_tensor("steep", TensorProto.FLOAT, [1], [1000]),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 96, 96])
    out = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch"])
    graph = helper.make_graph(nodes, "bright", [given], [out], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "classifiers" / "bright" / "model.onnx"
    path.parent.mkdir(parents=True)
    onnx.save(model, str(path))
    (path.parent / "preprocessor_config.json").write_text(
        '{"size": {"height": 96, "width": 96}, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}'
    )
    return "image:bright"


def test_there_is_something_to_catch_and_something_to_leave() -> None:
    assert 5 < len(CAUGHT) < IMAGES - 5


@pytest.mark.parametrize("kind", ["head", "network"])
def test_marked_or_hidden(start: Start, request: pytest.FixtureRequest, kind: str) -> None:
    spec = request.getfixturevalue(kind)
    with start(filter=spec) as client:
        hits = client.search(EVERY).json()["hits"]
        assert len(hits) == IMAGES
        assert {hit["id"] for hit in hits if hit.get("flagged")} == CAUGHT
        assert all(hit["flagged"] is True for hit in hits if "flagged" in hit)
        samples = client("GET", "/v1/collections/photos/samples?k=200").json()["records"]
        assert not {record["id"] for record in samples} & CAUGHT
    with start(filter=spec, filter_action="hide") as client:
        assert not set(client.ids(EVERY)) & CAUGHT
        assert len(client.ids({**EVERY, "k": IMAGES - len(CAUGHT)})) == IMAGES - len(CAUGHT)
        # Pages are cut from what may be shown, not from what was found.
        first = client.search({**EVERY, "k": 4}).json()
        second = client.search({**EVERY, "k": 4, "cursor": first["next"]}).json()
        shown = [hit["id"] for page in (first, second) for hit in page["hits"]]
        assert shown == client.ids({**EVERY, "k": 8})


def test_by_a_name_of_the_operators(start: Start, head: str) -> None:
    with start(classifiers={"safety": head}, filter="safety") as client:
        assert {hit["id"] for hit in client.search(EVERY).json()["hits"] if hit.get("flagged")} == CAUGHT
        body = {"indice_name": "photos", "num_images": IMAGES, "columns_to_return": ["image_path"]}
        row = client.search(EVERY).json()["hits"][0]["row"]
        with lookalike.open(Path(client.app.state.service.settings.collections["photos"])) as photos:
            vector = photos.searcher.vectors(np.array([row]))[0].tolist()
        answer = client("POST", "/knn-service", json={**body, "embedding_input": vector, "use_safety_model": True})
        assert "warning" not in answer.headers
        assert {hit["image_path"] for hit in answer.json()} == {f"picture-{s:04d}.png" for s in range(IMAGES)} - CAUGHT


def test_the_bar_can_be_set(start: Start, head: str) -> None:
    with start(filter=head, filter_from=2.0) as client:
        assert not [hit for hit in client.search(EVERY).json()["hits"] if hit.get("flagged")]
    with start(filter=head, filter_from=0.0) as client:
        assert all(hit["flagged"] for hit in client.search(EVERY).json()["hits"])


def test_a_picture_is_looked_at_once(start: Start, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    scores = Picture.scores

    def counted(self: Picture, given: Sequence[Any]) -> Any:
        nonlocal looked
        looked += len(given)
        return scores(self, given)

    monkeypatch.setattr(Picture, "scores", counted)
    with start(filter=network) as client:
        client.search(EVERY)
        client.search(EVERY)
    assert looked == 1 + IMAGES  # one grey picture, at the start
    with start(filter=network) as client:  # another process would find the scores too
        assert {hit["id"] for hit in client.search(EVERY).json()["hits"] if hit.get("flagged")} == CAUGHT
    assert looked == 2 + IMAGES


def test_what_cannot_be_looked_at_is_caught(start: Start, network: str, folder: Path) -> None:
    with lookalike.open(folder) as photos:
        photos.add_images([picture(1000)], ids=["from-memory.png"])  # has no file
    with start(filter=network) as client:
        hits = client.search({**EVERY, "k": IMAGES + 1}).json()["hits"]
        assert [hit["flagged"] for hit in hits if hit["id"] == "from-memory.png"] == [True]


def test_a_classifier_that_does_not_fit_says_so_at_the_start(folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "narrow.npz", coef=np.zeros(3), intercept=0.0)
    for spec, said in (
        (f"head:{tmp_path / 'narrow.npz'}", "takes vectors of 3 numbers"),
        ("head:missing.npz", "no such classifier"),
        ("nsfw", "unknown classifier 'nsfw'"),
    ):
        app = create_app(Settings(collections={"photos": str(folder)}, filter=spec))
        with pytest.raises(LookalikeError, match=said):
            app.state.service.start()
        app.state.service.close()

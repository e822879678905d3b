"""clip-retrieval's published client works unchanged: it is installed from the registry and asks a server of ours."""

from __future__ import annotations

import base64
import importlib.util
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from hub_models import Clip
from lookalike.serve import Settings, create_app
from pictures import picture, write_pictures
from serving import Client, on_loopback

PUBLISHED = "clip-retrieval==2.45.0"
IMAGES = 24


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module of the real client. Its package imports torch and faiss, which a client does not need."""
    target = tmp_path_factory.mktemp("clip-retrieval")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--retries", "1", "--target", str(target), PUBLISHED], capture_output=True, text=True, timeout=240
    )
    if done.returncode:
        reason = f"{PUBLISHED} could not be installed: {done.stderr.strip().splitlines()[-1:]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    spec = importlib.util.spec_from_file_location("clip_client", target / "clip_retrieval" / "clip_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def metadata_of(seed: int) -> dict[str, Any]:
    """Every third picture is unsafe, every fourth violent; the rating grows with the seed."""
    return {
        "caption": f"picture {seed}",
        "url": f"https://example.com/{seed}.png",
        "NSFW": "NSFW" if seed % 3 == 0 else "UNLIKELY",
        "violence": 0.9 if seed % 4 == 0 else 0.1,
        "aesthetic": seed / 4,
        "licence": "CC0",
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """``cats`` holds records with metadata in the space of a small CLIP; ``files`` a folder, with two near-copies."""
    folder = tmp_path_factory.mktemp("served")
    Clip().save(folder / "clip")
    with lookalike.open(folder / "cats.collection", embedder=f"onnx:{folder / 'clip'}") as cats:
        seeds = range(IMAGES)
        cats.add_images(
            [picture(seed) for seed in seeds],
            ids=[f"{seed}.png" for seed in seeds],
            metadata=[metadata_of(seed) for seed in seeds],
        )
    paths = write_pictures(folder / "pictures", 12)
    shutil.copy(paths[3], folder / "pictures" / "the-same.png")
    Pillow.fromarray(picture(3)).save(folder / "pictures" / "again.jpg", quality=92)
    with lookalike.open(folder / "files.collection") as files:
        files.add(folder / "pictures")
    return {"cats": str(folder / "cats.collection"), "files": str(folder / "files.collection")}


@pytest.fixture(scope="module")
def url(folders: dict[str, str]) -> Iterator[str]:
    with on_loopback(create_app(Settings(collections=folders, access_log=False))) as url:
        yield url


@pytest.fixture
def ask(published: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes a real client: without aesthetics and filters unless told otherwise."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def made(name: str, **options: Any) -> Any:
        plain = {"aesthetic_score": "", "aesthetic_weight": "", "deduplicate": False, "use_safety_model": False}
        plain["use_violence_detector"] = False
        return published.ClipClient(url=f"{url}/knn-service", indice_name=name, **{**plain, **options})

    return made


def rows_of(folder: str) -> dict[str, int]:
    with lookalike.open(folder) as collection:
        return {record.id: record.row for record in collection}


def vectors_of(folder: str) -> dict[int, Any]:
    """Row -> its unit vector in float64."""
    with lookalike.open(folder) as collection:
        rows = [record.row for record in collection]
        return dict(zip(rows, collection.searcher.vectors(np.array(rows)).astype(np.float64), strict=True))


def ranked(query: Any, vectors: dict[int, Any]) -> list[int]:
    return sorted(vectors, key=lambda row: (-float(query @ vectors[row]), row))


def test_words(ask: Any, folders: dict[str, str]) -> None:
    found = ask("cats", num_images=10).query(text="red cat")
    query, vectors = Clip().text("red cat"), vectors_of(folders["cats"])
    assert [hit["id"] for hit in found] == ranked(query, vectors)[:10]
    assert [hit["similarity"] for hit in found] == pytest.approx(
        [float(query @ vectors[hit["id"]]) for hit in found], abs=1e-5
    )
    seeds = {row: int(id.partition(".")[0]) for id, row in rows_of(folders["cats"]).items()}
    for hit in found:
        seed = seeds[hit["id"]]
        assert (hit["caption"], hit["url"]) == (f"picture {seed}", f"https://example.com/{seed}.png")
        assert hit["NSFW"] == metadata_of(seed)["NSFW"]
        assert "licence" not in hit  # not one of columns_to_return


def test_a_picture_by_file_and_by_url(ask: Any, folders: dict[str, str], tmp_path: Path) -> None:
    file = write_pictures(tmp_path, 1, start=5)[0]
    found = ask("cats", num_images=3).query(image=str(file))
    assert found[0]["id"] == rows_of(folders["cats"])["5.png"]
    assert found[0]["similarity"] == pytest.approx(1, abs=1e-5)
    refused = ask("cats").query(image="http://127.0.0.1:9/a.png")  # the server does not fetch from the loopback
    assert refused["error"]["code"]


def test_vectors(ask: Any, folders: dict[str, str]) -> None:
    vectors = vectors_of(folders["cats"])
    row = rows_of(folders["cats"])["7.png"]
    found = ask("cats", num_images=IMAGES).query(embedding_input=vectors[row].tolist())
    assert [hit["id"] for hit in found] == ranked(vectors[row], vectors)
    assert "numbers" in ask("cats").query(embedding_input=[1.0, 2.0])["error"]["message"]


def test_near_copies_are_given_once(ask: Any, folders: dict[str, str], tmp_path: Path) -> None:
    rows = rows_of(folders["files"])
    copies = {rows[name] for name in ("picture-0003.png", "the-same.png", "again.jpg")}
    client = ask("files", num_images=14)
    file = str(write_pictures(tmp_path, 1, start=3)[0])
    every = client.query(image=file)
    assert {hit["id"] for hit in every[:3]} == copies
    client.deduplicate = True
    once = client.query(image=file)
    assert [hit["id"] for hit in once if hit["id"] in copies] == [every[0]["id"]]
    assert [hit["id"] for hit in once] == [hit["id"] for hit in every if hit["id"] in {one["id"] for one in once}]


def test_files_come_with_their_pictures(ask: Any, folders: dict[str, str], url: str) -> None:
    import httpx

    vector = vectors_of(folders["files"])[rows_of(folders["files"])["picture-0004.png"]]
    (hit,) = ask("files", num_images=1).query(embedding_input=vector.tolist())
    assert hit["image_path"] == "picture-0004.png"
    assert "caption" not in hit  # it has none
    with Pillow.open(io.BytesIO(base64.b64decode(hit["image"]))) as shown:
        assert shown.format == "JPEG"
        assert np.abs(np.asarray(shown, np.int16) - picture(4)).mean() < 12
    assert hit["url"].startswith(f"{url}/v1/collections/files/images/")
    assert httpx.get(hit["url"], trust_env=False).headers["content-type"] == "image/jpeg"


def test_what_is_unsafe_is_left_out(ask: Any) -> None:
    def captions(**options: Any) -> list[int]:
        found = ask("cats", num_images=IMAGES, **options).query(text="dog")
        return sorted(int(hit["caption"].split()[1]) for hit in found)

    seeds = range(IMAGES)
    assert captions() == [*seeds]
    assert captions(use_safety_model=True) == [seed for seed in seeds if seed % 3]
    assert captions(use_violence_detector=True) == [seed for seed in seeds if seed % 4]
    assert captions(use_safety_model=True, use_violence_detector=True) == [s for s in seeds if s % 3 and s % 4]


def test_the_aesthetic_score_is_a_part_of_the_score(ask: Any, folders: dict[str, str]) -> None:
    query, vectors = Clip().text("dog"), vectors_of(folders["cats"])
    rating = {row: int(id.partition(".")[0]) / 4 for id, row in rows_of(folders["cats"]).items()}
    # The quartiles of 0, 1/4, ..., 23/4 are 5.75/4 and 17.25/4: 2.875 apart.
    scores = {row: (query @ vectors[row] + 2 * np.exp(-abs(rating[row] - 5) / 2.875)) / 3 for row in vectors}
    found = ask("cats", num_images=6, aesthetic_score=5, aesthetic_weight=2).query(text="dog")
    assert [hit["id"] for hit in found] == sorted(scores, key=lambda row: -scores[row])[:6]
    assert found[0]["similarity"] == pytest.approx(max(scores.values()), abs=1e-5)


def test_a_model_that_rates_orders_four_times_as_many(folders: dict[str, str], tmp_path: Path) -> None:
    coef = np.random.default_rng(6).normal(size=6)
    np.savez(tmp_path / "rating.npz", coef=coef, intercept=0.0)
    only = {"cats": folders["cats"]}  # a head fits the vectors of one model
    rating = f"head:{tmp_path / 'rating.npz'}"
    app = create_app(Settings(collections=only, access_log=False, classifiers={"aesthetic": rating}))
    app.state.service.start()
    try:
        body = {"text": "dog", "num_images": 3, "aesthetic_score": 0, "aesthetic_weight": 4}
        found = Client(app)("POST", "/knn-service", json={"indice_name": "cats", **body}).json()
    finally:
        app.state.service.close()
    query, vectors = Clip().text("dog"), vectors_of(folders["cats"])
    looked_at = ranked(query, vectors)[:12]
    ratings = {row: 1 / (1 + np.exp(-coef @ vectors[row])) for row in looked_at}
    quarter, three_quarters = np.percentile(list(ratings.values()), [25, 75])
    likeness = {row: np.exp(-abs(ratings[row]) / (three_quarters - quarter)) for row in looked_at}
    expected = sorted(looked_at, key=lambda row: -(query @ vectors[row] + 4 * likeness[row]))[:3]
    assert [hit["id"] for hit in found] == expected != looked_at[:3]


def test_the_published_defaults(published: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = published.ClipClient(url=f"{url}/knn-service", indice_name="cats")
    found = client.query(text="cat")
    assert found
    assert {"id", "similarity", "url", "caption"} <= set(found[0])
    assert all(int(hit["caption"].split()[1]) % 3 and int(hit["caption"].split()[1]) % 4 for hit in found)
    client = published.ClipClient(url=f"{url}/knn-service", indice_name="cats", modality=published.Modality.TEXT)
    assert client.query(text="cat")[0]["caption"] == found[0]["caption"]


def test_a_key_travels_in_the_address(
    published: Any, folders: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lookalike.serve.keys import add_key

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    key = add_key(tmp_path / "keys.toml", "shop", "search")
    settings = Settings(collections=folders, access_log=False, api_keys=str(tmp_path / "keys.toml"))
    with on_loopback(create_app(settings)) as url:
        place = url.removeprefix("http://")
        asked = [f"http://{place}", f"http://any:wrong@{place}", f"http://any:{key}@{place}"]
        answers = [
            published.ClipClient(url=f"{each}/knn-service", indice_name="cats").query(text="cat") for each in asked
        ]
    assert answers[0]["error"]["code"] == "no_key"
    assert "error" in answers[1]
    assert len(answers[2]) > 1


# -- what the client does not ask --------------------------------------------------------------------------------------


@pytest.fixture
def knn(folders: dict[str, str]) -> Iterator[Client]:
    app = create_app(Settings(collections=folders, access_log=False))
    app.state.service.start()
    yield Client(app)
    app.state.service.close()


def post(client: Client, path: str = "/knn-service", **body: Any) -> Any:
    return client("POST", path, json={"indice_name": "cats", "modality": "image", **body})


def test_results_beyond_num_images_have_their_score_alone(knn: Client) -> None:
    found = post(knn, text="cat", num_images=2, num_result_ids=5).json()
    assert [set(hit) == {"id", "similarity"} for hit in found] == [False, False, True, True, True]
    assert post(knn, text="cat", num_images=0, num_result_ids=2).json() == [
        {"id": hit["id"], "similarity": hit["similarity"]} for hit in found[:2]
    ]


def test_columns_to_return(knn: Client, folders: dict[str, str]) -> None:
    (hit,) = post(knn, text="cat", num_images=1, columns_to_return=["licence", "nothing"]).json()
    assert set(hit) == {"id", "similarity", "licence"}
    app = create_app(Settings(collections=folders, access_log=False, columns_to_return=("caption",)))
    app.state.service.start()
    try:
        (hit,) = post(Client(app), text="cat", num_images=1).json()
    finally:
        app.state.service.close()
    assert set(hit) == {"id", "similarity", "caption"}


def test_indices_and_metadata(knn: Client, folders: dict[str, str]) -> None:
    assert knn("GET", "/indices-list").json() == ["cats", "files"]
    row = rows_of(folders["cats"])["9.png"]
    found = post(knn, "/metadata", ids=[row, 10**6, -1]).json()
    assert [each["id"] for each in found] == [row, 10**6, -1]
    assert found[0]["metadata"]["caption"] == "picture 9"
    assert found[1]["metadata"] == found[2]["metadata"] == {}
    assert post(knn, "/metadata", ids=[]).json() == []
    assert "image" in knn("POST", "/metadata", json={"ids": [1], "indice_name": "files"}).json()[0]["metadata"]


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ({"use_safety_model": True}, "use_safety_model"),
        ({"use_violence_detector": True}, "use_violence_detector"),
        ({"aesthetic_score": 9, "aesthetic_weight": 0.5}, "aesthetic_score"),
        ({"use_mclip": True}, "use_mclip"),
        ({"modality": "text"}, "modality"),
    ],
)
def test_what_cannot_be_honoured_is_named_in_a_warning(
    knn: Client, folders: dict[str, str], option: dict[str, Any], word: str
) -> None:
    vector = next(iter(vectors_of(folders["files"]).values()))
    body = {"indice_name": "files", "num_images": 3, "embedding_input": vector.tolist()}
    with_it = knn("POST", "/knn-service", json={**body, **option})
    without = knn("POST", "/knn-service", json=body)
    assert len(without.json()) == 3
    assert with_it.json() == without.json()
    assert with_it.headers["warning"].startswith(f'299 lookalike "{word}: ')
    assert "warning" not in without.headers


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "nothing to search for"),
        ({"text": "", "image": None}, 400, "nothing to search for"),
        ({"text": "cat", "indice_name": "dogs"}, 404, "no collection 'dogs'"),
        ({"text": "cat", "num_images": 1001}, 413, "num_images is at most 1000"),
        ({"text": "cat", "num_result_ids": 10_001}, 413, "num_result_ids 10000"),
        ({"text": "cat", "modality": "sound"}, 422, "modality"),
        ({"image": "%%%"}, 400, "not in base64"),
    ],
)
def test_what_is_refused(knn: Client, body: dict[str, Any], status: int, said: str) -> None:
    answer = post(knn, **body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]


def test_the_content_filter_holds_here_too(folders: dict[str, str]) -> None:
    for action in ("mark", "hide"):
        settings = Settings(collections=folders, access_log=False, filter="column:NSFW", filter_action=action)
        app = create_app(settings)
        app.state.service.start()
        try:
            found = post(Client(app), text="cat", num_images=IMAGES).json()
        finally:
            app.state.service.close()
        marked = [int(hit["caption"].split()[1]) for hit in found if hit.get("flagged")]
        if action == "mark":
            assert sorted(marked) == [seed for seed in range(IMAGES) if seed % 3 == 0]
        else:
            assert not marked
            assert len(found) == IMAGES - IMAGES // 3

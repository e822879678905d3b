"""Jobs, the click log and explanations."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow

from lookalike.collection.explaining import explain
from lookalike.embed import create
from lookalike.serve import wire
from lookalike.serve.keys import add_key
from pictures import picture, write_pictures
from serving import Client, Start, item, query


def finished(client: Client, id: str, seconds: float = 30) -> wire.Job:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = wire.Job.model_validate(client("GET", f"/v1/jobs/{id}").json())
        if job.state not in ("queued", "running"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"{id} did not end")


def zipped(folder: Path, count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in write_pictures(folder, count, start=100):
            archive.write(path, f"sub/{path.name}")
        archive.writestr("sub/broken.png", b"no picture")
        archive.writestr("readme.txt", b"not looked at")
    return out.getvalue()


def test_an_archive_is_indexed_in_the_background(client: Client, tmp_path: Path, folder: Path) -> None:
    answer = client(
        "POST",
        "/v1/jobs",
        data={"collection": "photos", "prefix": "new/"},
        files=[("image", ("some.zip", zipped(tmp_path / "z", 70))), ("image", ("alone.png", picture_bytes(5)))],
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    job = finished(client, answer.json()["id"])
    assert (job.state, job.added, job.skipped, job.done, job.total) == ("done", 71, 1, 72, 72)
    assert job.examples[0].id == "new/sub/broken.png"
    assert client("GET", "/v1/collections/photos/records/new/sub/picture-0100.png").status_code == 200
    assert client("GET", "/v1/collections/photos/records/new/alone.png").status_code == 200
    assert list((folder / "uploads").glob("job-*")) == []  # the archive itself is not kept
    assert [each["id"] for each in client("GET", "/v1/jobs").json()["jobs"]] == [job.id]


def picture_bytes(seed: int) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(picture(seed)).save(out, "PNG")
    return out.getvalue()


def test_a_folder_of_the_server_is_indexed_only_below_the_roots_and_by_an_admin(start: Start, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    write_pictures(allowed / "in", 3, start=200)
    write_pictures(tmp_path / "outside", 1)
    (allowed / "link").symlink_to(tmp_path / "outside")
    keys = tmp_path / "keys.toml"
    writer, admin = add_key(keys, "w", "write"), add_key(keys, "a", "admin")

    def ask(client: Client, source: Path, key: str) -> Any:
        body = {"collection": "photos", "source": str(source), "prune": True}
        return client("POST", "/v1/jobs", json=body, headers={"X-API-Key": key})

    with start(api_keys=str(keys), import_roots=(str(allowed),)) as client:
        assert ask(client, allowed / "in", writer).status_code == 403
        for source in (tmp_path / "outside", allowed / ".." / "outside", allowed / "link", tmp_path):
            assert ask(client, source, admin).status_code == 403
        answer = ask(client, allowed / "in", admin)
        assert answer.status_code == 202
        client.headers = {"X-API-Key": admin}
        assert finished(client, answer.json()["id"]).added == 3
        (allowed / "in" / "picture-0200.png").unlink()
        job = finished(client, ask(client, allowed / "in", admin).json()["id"])
        assert (job.unchanged, job.removed) == (2, 1)


def test_jobs_of_a_dead_server_go_on(start: Start, tmp_path: Path, folder: Path) -> None:
    with start() as client:
        service = client.app.state.service
        service.jobs.close()  # nobody runs it
        body = {"data": {"collection": "photos"}, "files": [("image", ("z.zip", zipped(tmp_path / "z", 5)))]}
        id = client("POST", "/v1/jobs", **body).json()["id"]
        with service.collections.use("photos") as served, served.ledger.changing() as db:
            # As a worker leaves it that was killed: it runs, says its owner, whose process is no more.
            db.execute("UPDATE jobs SET state = 'running', owner = '4194305-x', beat = ?", (time.time(),))
    with start() as client:
        assert finished(client, id).added == 5


def test_a_job_can_be_cancelled(client: Client, tmp_path: Path) -> None:
    client.app.state.service.jobs.close()
    files = [("image", ("z.zip", zipped(tmp_path / "z", 5)))]
    id = client("POST", "/v1/jobs", data={"collection": "photos"}, files=files).json()["id"]
    assert client("DELETE", f"/v1/jobs/{id}").json()["state"] == "cancelled"
    assert client("DELETE", "/v1/jobs/nothing").status_code == 404


def test_a_job_needs_either_a_source_or_files(client: Client) -> None:
    assert client("POST", "/v1/jobs", json={"collection": "photos"}).status_code == 400
    assert client("POST", "/v1/jobs", json={"collection": "others", "source": "/"}).status_code == 404
    assert client("POST", "/v1/jobs", json={"collection": "photos", "source": "/"}).status_code == 403


# -- the click log ----------------------------------------------------------------------------------------------------


def test_the_click_log_has_a_row_for_each_shown_item(client: Client) -> None:
    found = client.search(query(item("id", "picture-0001.png"), k=4)).json()
    shown = [hit["id"] for hit in found["hits"]]
    report = {
        "collection": "photos",
        "search_id": found["search_id"],
        "query_id": found["query_id"],
        "shown": shown,
        "time": 1000.5,
        "clicks": [{"id": shown[2]}],
    }
    assert client("POST", "/v1/feedback", json=report).json() == {"rows": 4}
    judged = {**report, "clicks": [{"id": shown[3], "clicked": False, "judged": -1}]}
    assert client("POST", "/v1/feedback", json=judged).status_code == 200
    assert client("POST", "/v1/feedback", json=report).status_code == 200  # said again: nothing changes
    text = client("GET", "/v1/collections/photos/feedback").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == shown
    assert [row["position"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["clicked"] for row in rows] == ["0", "0", "1", "0"]
    assert [row["judged"] for row in rows] == ["0", "0", "0", "-1"]
    assert {(row["search_id"], row["time"], row["query_id"]) for row in rows} == {
        (found["search_id"], "1000.5", "picture-0001.png")
    }
    table = pq.read_table(io.BytesIO(client("GET", "/v1/collections/photos/feedback?format=parquet").content))
    assert table.column_names == ["search_id", "time", "query_id", "id", "position", "clicked", "judged"]
    assert table["clicked"].to_pylist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"clicks": [{"id": "not shown"}]}, 400),
        ({"shown": ["a", "a"]}, 400),
        ({"shown": []}, 422),
        ({"collection": "others"}, 404),
        ({"clicks": [{"id": "a", "judged": 5}]}, 422),
    ],
)
def test_feedback_that_makes_no_sense(client: Client, change: dict[str, Any], status: int) -> None:
    report = {"collection": "photos", "search_id": "s", "query_id": "q", "shown": ["a"], **change}
    assert client("POST", "/v1/feedback", json=report).status_code == status
    assert client("GET", "/v1/collections/photos/feedback").text.count("\n") == 1  # the names of the columns alone


# -- explanations -----------------------------------------------------------------------------------------------------


def test_the_part_that_is_alike_makes_the_score() -> None:
    """Two images share their upper left quarter and nothing else."""
    embedder = create("builtin-1")
    rng = np.random.default_rng(0)
    quarter = picture(3, side=128)
    one, other = np.full((256, 256, 3), 90, np.uint8), rng.integers(0, 60, (256, 256, 3), dtype=np.uint8)
    one[:128, :128] = other[:128, :128] = quarter
    found = explain(embedder.embed([one]), other, embedder, cells=6)
    assert found.score == pytest.approx(float(embedder.embed([one])[0] @ embedder.embed([other])[0]), abs=1e-5)
    # Covering what is shared costs; covering noise, which the other has not, gains.
    assert found.falls[:3, :3].mean() > 0 > found.falls[3:, 3:].mean()


def test_an_explanation_equals_a_slow_loop() -> None:
    embedder = create("color-layout")
    image, query_vector = picture(1), create("color-layout").embed([picture(2)])
    whole = float((query_vector @ embedder.embed([image]).T)[0, 0])
    falls = np.zeros((3, 3))
    times = np.zeros((3, 3))
    for y in range(2):
        for x in range(2):
            covered = image.copy()
            covered[32 * y : 32 * y + 64, 32 * x : 32 * x + 64] = image.reshape(-1, 3).mean(axis=0).round()
            fall = whole - float((query_vector @ embedder.embed([covered]).T)[0, 0])
            for cell_y in (y, y + 1):
                for cell_x in (x, x + 1):
                    falls[cell_y, cell_x] += fall
                    times[cell_y, cell_x] += 1
    np.testing.assert_allclose(explain(query_vector, image, embedder, cells=3).falls, falls / times, atol=1e-6)


def test_why(client: Client) -> None:
    body = {**query(item("id", "picture-0001.png")), "id": "picture-0002.png", "cells": 4}
    answer = wire.Explanation.model_validate(client("POST", "/v1/collections/photos/explain", json=body).json())
    assert np.array(answer.grid).shape == (4, 4)
    hits = client.search(query(item("id", "picture-0001.png"), k=100)).json()["hits"]
    assert answer.score == pytest.approx(
        next(hit["score"] for hit in hits if hit["id"] == "picture-0002.png"), abs=1e-4
    )
    shown = client("POST", "/v1/collections/photos/explain", json={**body, "picture": True})
    with Pillow.open(io.BytesIO(shown.content)) as opened:
        assert opened.format == "JPEG"
    for bad, status in (({"id": "nobody"}, 404), ({"cells": 40}, 422), ({"query": {"items": []}}, 400)):
        answer_of_bad = client("POST", "/v1/collections/photos/explain", content=json.dumps({**body, **bad}))
        assert answer_of_bad.status_code == status

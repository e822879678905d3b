"""``kill -9`` at any moment of ``index``: what was committed is there, the next run goes on, nothing is doubled."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import lookalike
from lookalike.embed import create
from lookalike.images.decode import decode
from pictures import write_pictures

IMAGES = 240
MOMENTS = 20

# Small batches and a commit after each, so that a run has some eighty commits to be killed between, in or after.
PROGRAM = """
import sys, lookalike
from lookalike.collection import Options
c = lookalike.open(sys.argv[1])
done = 0
def tell(report):
    global done
    if report.added > done:
        done = report.added
        print(done, flush=True)
c.add(sys.argv[2], options=Options(batch_size=3, commit_every_s=0.0, workers=2), on_progress=tell)
print("end", flush=True)
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")]


def start(collection: Path, photos: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(collection), str(photos)], stdout=subprocess.PIPE, text=True
    )


def first_commit_to_end(collection: Path, photos: Path) -> float:
    """Return how many seconds an unbroken run takes from its first commit."""
    with start(collection, photos) as child:
        assert child.stdout is not None
        child.stdout.readline()
        begin = time.monotonic()
        rest = child.stdout.read().splitlines()
    assert child.returncode == 0
    assert rest[-1] == "end"
    return time.monotonic() - begin


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kill") / "photos"
    write_pictures(folder, IMAGES)
    return folder


@pytest.fixture(scope="module")
def truth(photos: Path) -> dict[str, np.ndarray]:
    """Return id -> vector, by the embedder alone."""
    embedder = create("builtin")
    paths = sorted(photos.iterdir())
    return dict(
        zip((p.name for p in paths), embedder.embed([decode(p.read_bytes()).pixels for p in paths]), strict=True)
    )


@pytest.fixture(scope="module")
def length(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    return first_commit_to_end(tmp_path_factory.mktemp("whole") / "c.collection", photos)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_a_random_moment(
    moment: int, photos: Path, truth: dict[str, np.ndarray], length: float, tmp_path: Path
) -> None:
    place = tmp_path / "c.collection"
    with start(place, photos) as child:
        assert child.stdout is not None
        acknowledged = int(child.stdout.readline())
        time.sleep(random.Random(moment).uniform(0, length))  # the moment itself is what is tested
        child.send_signal(signal.SIGKILL)
        rest = [line for line in child.stdout.read().splitlines() if line.isdigit()]
    acknowledged = int(rest[-1]) if rest else acknowledged

    with closing(sqlite3.connect(place / "collection.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with lookalike.open(place) as left:
        kept = check_whole(left, truth)
        assert acknowledged <= kept <= IMAGES
        report = left.add(photos)
        assert report.added == IMAGES - kept, "the next run goes on where this one was killed"
        assert check_whole(left, truth) == IMAGES, "nothing is lost and nothing is doubled"
        assert len(left.search(photos / "picture-0000.png", k=2 * IMAGES)) == IMAGES
        assert left.add(photos).added == 0


def check_whole(collection: lookalike.Collection, truth: dict[str, np.ndarray]) -> int:
    """Check that every record is whole and has its own vector; return how many there are."""
    records = list(collection)
    assert len({record.id for record in records}) == len(records)
    assert len({record.source for record in records}) == len(records)
    assert {record.id for record in records} <= set(truth)
    vectors = collection.searcher.vectors(np.array([record.row for record in records], dtype=np.int64))
    expected = np.stack([truth[record.id] for record in records])
    assert float((vectors * expected).sum(axis=1).min()) > 0.999
    return len(records)

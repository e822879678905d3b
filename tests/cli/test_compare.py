"""``lookalike compare`` as a person uses it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from pictures import kind_and_view
from running import Run

KINDS, VIEWS = 8, 3


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    found = kind_and_view(KINDS, VIEWS, tmp_path / "photos")
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label"), *found.items()])
    return tmp_path / "labels.csv"


@pytest.fixture
def good(labels: Path, tmp_path: Path) -> Path:
    with lookalike.open(tmp_path / "good.collection") as photos:
        photos.add(tmp_path / "photos")
    return tmp_path / "good.collection"


@pytest.fixture
def bad(labels: Path, tmp_path: Path) -> Path:
    """The same ids with other pictures: noise, in which nothing of the kinds is left."""
    rng = np.random.default_rng(0)
    (tmp_path / "noise").mkdir()
    for path in sorted((tmp_path / "photos").iterdir()):
        Pillow.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "noise" / path.name)
    with lookalike.open(tmp_path / "bad.collection") as photos:
        photos.add(tmp_path / "noise")
    return tmp_path / "bad.collection"


def test_the_better_of_two_collections(run: Run, labels: Path, good: Path, bad: Path) -> None:
    code, out, err = run("compare", bad, good, "--truth", labels, "--metric", "map")
    assert code == 0
    assert "B is better" in out.splitlines()[1]
    assert f"{KINDS * VIEWS} queries" in err
    code, out, _ = run("compare", good, bad, "--truth", labels, "--metric", "map", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["metrics"]["map"]["verdict"] == "worse"
    assert answer["metrics"]["map"]["high"] < 0
    assert answer["queries"] == KINDS * VIEWS
    assert answer["left_out"] == {"only_first": 0, "only_second": 0, "other_truth": 0}
    assert answer["protocol"]["a"]["name"] == "leave-one-out"


def test_a_collection_against_itself_cannot_be_told(run: Run, labels: Path, good: Path) -> None:
    code, out, _ = run("compare", good, f"{good}@builtin", "--truth", labels)
    assert code == 0
    lines = out.splitlines()[1:]
    assert len(lines) == 5
    assert all(line.endswith("cannot tell") for line in lines)


def test_the_figures_are_those_of_evaluate(run: Run, labels: Path, good: Path, bad: Path) -> None:
    compared = json.loads(run("compare", bad, good, "--truth", labels, "--metric", "map", "--json")[1])
    alone = json.loads(run("evaluate", "--truth", labels, "--collection", good, "--metric", "map", "--json")[1])
    assert compared["metrics"]["map"]["b"] == pytest.approx(alone["metrics"]["map"]["value"], abs=1e-12)


def test_a_query_of_one_side_only_is_said(run: Run, labels: Path, good: Path, bad: Path) -> None:
    with lookalike.open(good) as photos:
        photos.remove([f"kind0-view{view}.png" for view in range(VIEWS)])
        photos.remove("kind1-view0.png")
    code, _, err = run("compare", bad, good, "--truth", labels)
    assert code == 0
    assert "4 queries are only in A" in err
    # kind1's other two views have one relevant image now, where A has two.
    assert "2 queries have another number of relevant images" in err


def test_the_report_shows_what_changed(run: Run, labels: Path, good: Path, bad: Path, tmp_path: Path) -> None:
    code, _, err = run("compare", bad, good, "--truth", labels, "--report", tmp_path / "out")
    assert code == 0
    assert "comparison.html" in err
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert "Results of A" in page
    assert page.count("data:image/jpeg;base64") > 20


def test_queries_from_a_folder(run: Run, labels: Path, good: Path, bad: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    asked.mkdir()
    for collection in (good, bad):
        with lookalike.open(collection) as photos:
            photos.remove([f"kind{kind}-view0.png" for kind in range(KINDS)])
    for kind in range(KINDS):
        (tmp_path / "photos" / f"kind{kind}-view0.png").rename(asked / f"kind{kind}-view0.png")
    words = ("compare", bad, good, "--truth", labels, "--queries", asked, "--metric", "map", "--json")
    answer = json.loads(run(*words, "--report", "out")[1])
    assert answer["queries"] == KINDS
    assert answer["metrics"]["map"]["b"] > 0.9
    assert "kind0-view0.png" in (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")


def test_two_runs_against_qrels(run: Run, tmp_path: Path) -> None:
    queries = [f"q{n}" for n in range(12)]
    (tmp_path / "qrels.txt").write_text("".join(f"{q} 0 right-{q} 1\n{q} 0 other 0\n" for q in queries))
    for name, order in (("a.run", ("other", "right")), ("b.run", ("right", "other"))):
        lines = []
        for q in queries:
            for rank, which in enumerate(order, start=1):
                lines.append(f"{q} Q0 {which if which == 'other' else f'right-{q}'} {rank} {1 / rank} {name}\n")
        (tmp_path / name).write_text("".join(lines))
    code, out, _ = run("compare", "a.run", "b.run", "--truth", "qrels.txt", "--metric", "mrr", "--json")
    assert code == 0
    mrr = json.loads(out)["metrics"]["mrr"]
    assert (mrr["a"], mrr["b"], mrr["verdict"]) == (0.5, 1.0, "better")
    assert mrr["p"] == pytest.approx(2 / 2**12)


def test_the_caller_s_mistakes_are_sentences(run: Run, labels: Path, good: Path) -> None:
    code, _, err = run("compare", good, "nowhere", "--truth", labels)
    assert code == 2
    assert "no collection and no run file 'nowhere'" in err
    code, out, _ = run("compare", good, good, "--truth", labels, "--metric", "accuracy@5", "--json")
    assert code == 2
    assert json.loads(out)["error"]["code"] == "unknown_name"

"""`lookalike evaluate` with other truths, protocols and outputs than the plain one."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from lookalike.evaluate.metrics import METRICS
from pictures import kind_and_view
from running import Run


@pytest.fixture
def photos(run: Run, tmp_path: Path) -> Path:
    for name, kind in kind_and_view(4, 3, tmp_path / "flat").items():
        (tmp_path / "photos" / kind).mkdir(parents=True, exist_ok=True)
        (tmp_path / "flat" / name).rename(tmp_path / "photos" / kind / name)
    assert run("index", "photos")[0] == 0
    return tmp_path / "photos"


def test_a_folder_for_each_class_and_a_table(run: Run, photos: Path) -> None:
    code, out, err = run("evaluate", "--truth", "photos", "--per-class", "--run-out", "out.run")
    assert code == 0, err
    figures, table = out.split("\n\n")
    assert [line.split()[0] for line in figures.splitlines()][:2] == ["map", "hit_rate@1"]
    assert "micro_ap" in figures
    assert [line.split()[-1] for line in table.splitlines()] == ["class", "kind0", "kind1", "kind2", "kind3"]
    assert "Protocol leave-one-out: 12 queries, 12 images searched, ranked whole" in err
    assert len(Path("out.run").read_text().splitlines()) == 12 * 11


def test_episodes_cut_and_macro_in_json(run: Run, photos: Path) -> None:
    words = ["evaluate", "--truth", "photos", "--json", "--seed", "1"]
    code, out, err = run(*words, "--protocol", "2-way-1-shot", "--metric", "hit_rate@1", "--by", "query")
    answer = json.loads(out)
    assert code == 0, err
    assert answer["protocol"]["name"] == "2-way-1-shot"
    assert answer["metrics"]["hit_rate@1"]["n"] == 1200
    cut = json.loads(run(*words, "--cut", "2", "--average", "macro")[1])
    assert list(cut["metrics"]) == ["map@2", "hit_rate@1", "micro_ap"]
    assert cut["protocol"]["cut"] == 2


def test_vectors_of_a_file(run: Run, tmp_path: Path) -> None:
    labels = [at // 2 for at in range(10)]
    (tmp_path / "t.csv").write_text("file,label\n" + "".join(f"i{at},{label}\n" for at, label in enumerate(labels)))
    np.save(tmp_path / "v.npy", np.eye(5, dtype=np.float32)[labels])
    code, out, err = run("evaluate", "--truth", "t.csv", "--vectors", "v.npy", "--json")
    assert code == 0, err
    assert json.loads(out)["metrics"]["map"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 10}
    code, _, err = run("evaluate", "--truth", "t.csv", "--vectors", "v.npy", "--report", "here")
    assert code == 2
    assert "there are no images" in err


def test_the_values_of_every_query(run: Run, photos: Path) -> None:
    words = ["--metric", "map", "--metric", "micro_ap", "--metric", "hit_rate@1", "--no-leak-check", "--json"]
    code, out, err = run("evaluate", "--truth", "photos", "--per-query", "values.csv", *words)
    assert code == 0, err
    assert "The values of 12 queries are in values.csv." in err
    with Path("values.csv").open(newline="") as lines:
        values = list(csv.DictReader(lines))
    assert list(values[0]) == ["query", "label", "relevant", "map", "hit_rate@1"]
    assert {(line["label"], line["relevant"]) for line in values} == {(f"kind{at}", "2") for at in range(4)}
    for key in ("map", "hit_rate@1"):
        mean = sum(float(line[key]) for line in values) / 12
        assert json.loads(out)["metrics"][key]["value"] == pytest.approx(mean)
    code, _, err = run("evaluate", "--truth", "photos", "--metric", "micro_ap", "--per-query", "values.csv")
    assert code == 2
    assert "none of micro_ap has a value of a single query" in err


def test_metrics_are_listed_and_checked_first(run: Run, photos: Path) -> None:
    code, out, _ = run("evaluate", "--metric", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[::2]] == list(METRICS)
    told = json.loads(run("evaluate", "--metric", "list", "--json")[1])["metrics"]
    assert told["precision@K"]["higher_is_better"] is True
    # No truth is read and nothing is searched for a metric that there is not.
    for words in (["evaluate", "--truth", "nowhere"], ["compare", "a", "b", "--truth", "nowhere"]):
        code, _, err = run(*words, "--metric", "map@")
        assert (code, "cut of 'map@'" in err) == (2, True)


def test_what_the_truth_lacks_is_said_with_its_lines(run: Run, photos: Path) -> None:
    first, second = sorted(str(path.relative_to(photos)) for path in photos.glob("kind0/*"))[:2]
    lines = ["query,relevant", f"{first},{second}", f"{first},{second}", f"{second},", f"gone.png,{first}"]
    Path("pairs.csv").write_text("\n".join(lines) + "\n")
    code, _, err = run("evaluate", "--truth", "pairs.csv", "--metric", "precision@50", "--no-leak-check")
    assert code == 0, err
    assert "Line 3 of pairs.csv repeats an earlier one and counts once" in err
    assert f"not averaged as 0: {second} (line 4)" in err
    assert "1 name joins no image: gone.png (line 5)." in err
    assert "do not exist: see the cut of precision@50." in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "folders"], "Did you mean 'folder'"),
        (["--protocol", "full"], "does not say which images are queries"),
        (["--protocol", "revisited-hard"], "does not tell easy, hard and junk images apart"),
        (["--queries", "nowhere"], "nowhere"),
        (["--metric", "map@"], "cut of 'map@'"),
        (["--cut", "1", "--metric", "recall@5"], "only the first 1 results"),
    ],
)
def test_mistakes(run: Run, photos: Path, words: list[str], said: str) -> None:
    code, out, err = run("evaluate", "--truth", "photos", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err

"""`lookalike evaluate` with other truths, protocols and outputs than the plain one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

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

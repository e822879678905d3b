"""``lookalike evaluate --benchmark`` as a person uses it."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from lookalike.cli import main
from pictures import picture


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


Run = Callable[..., Done]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOOKALIKE_COLLECTION", raising=False)

    def run(*words: str) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", *words])
        out, err = capfd.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def grocery(tmp_path: Path) -> Path:
    """Two fine classes: class3 is held out, class0 is not (sha1, worked out once)."""
    folder = tmp_path / "data" / "grocery"
    folder.mkdir(parents=True)
    rows = []
    with tarfile.open(folder / "images.tar", "w") as archive:
        for kind in range(12):
            for split in ("iconic", "train", "test"):
                for view in (0, 1):
                    name = f"{split}/class{kind}/{view}.png"
                    buffer = io.BytesIO()
                    Pillow.fromarray(picture(kind, side=32, view=view)).save(buffer, "PNG")
                    info = tarfile.TarInfo(name)
                    info.size = len(buffer.getvalue())
                    archive.addfile(info, io.BytesIO(buffer.getvalue()))
                    rows.append((name, split, f"class{kind}"))
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "split", "fine"), *rows])
    return tmp_path / "data"


def test_an_embedder_that_learns_is_taught_by_the_benchmark(run: Run, grocery: Path, tmp_path: Path) -> None:
    words = ("--benchmark", "grocery", "--data", str(grocery), "--all", "--embedder", "eigenfaces", "--json")
    first = run(*words)
    assert first.code == 0
    assert first.json["benchmark"]["embedder"] == "eigenfaces"
    kept = run(*words, "--collection", str(tmp_path / "kept"))
    assert kept.json["metrics"] == first.json["metrics"]  # the same images and seed teach the same
    # A collection that has been taught is not taught again: with a new seed it keeps its vectors.
    again = run(*words, "--collection", str(tmp_path / "kept"), "--seed", "5")
    assert again.code == 0
    values = [{key: each["value"] for key, each in done.json["metrics"].items()} for done in (kept, again)]
    assert values[0] == values[1]


OPTIONS = ("--embedder", "color-histogram")


def test_prints_each_run_and_says_which_classes(run: Run, grocery: Path, tmp_path: Path) -> None:
    done = run("--benchmark", "grocery", "--data", str(grocery), *OPTIONS)
    assert done.code == 0
    assert "iconic-to-photo\nmap " in done.out
    assert "\n\ntest-to-train\nmap " in done.out
    assert "held-out classes only: queries and base (--all for all classes)" in done.err
    assert not (tmp_path / "lookalike.collection").exists()  # nothing is left behind
    whole = run("--benchmark", "grocery", "--data", str(grocery), "--all", *OPTIONS)
    assert "72 images" in whole.err
    assert "all classes, those included that training may have seen" in whole.err


def test_json_keeps_the_contract_of_evaluate(run: Run, grocery: Path) -> None:
    answer = run("--benchmark", "grocery", "--data", str(grocery), "--all", "--json", *OPTIONS).json
    assert set(answer) == {"metrics", "protocol", "skipped", "leaks", "benchmark", "further"}
    assert answer["metrics"]["map"]["n"] == 24
    assert answer["benchmark"]["run"] == "iconic-to-photo"
    assert answer["benchmark"]["part"] == "all"
    assert answer["further"]["test-to-train"]["metrics"]["map"]["n"] == 24
    assert answer["further"]["test-to-train"]["protocol"]["base"] == 24


def test_a_named_collection_is_used_again(run: Run, grocery: Path, tmp_path: Path) -> None:
    words = ("--benchmark", "grocery", "--data", str(grocery), "--collection", "kept", "--json", *OPTIONS)
    first = run(*words)
    assert (tmp_path / "kept").is_dir()
    assert run(*words).json == first.json


def test_metrics_and_report_of_ones_own_choice(run: Run, grocery: Path, tmp_path: Path) -> None:
    done = run(
        *("--benchmark", "grocery", "--data", str(grocery), "--metric", "mrr", "--report", "out", "--per-class"),
        *("--no-leak-check", *OPTIONS),
    )
    assert done.out.splitlines()[1].startswith("mrr ")
    assert "cop" not in done.err  # copies were not looked for
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.html")} == {"iconic-to-photo", "test-to-train"}


def test_list_names_them_all(run: Run) -> None:
    assert {"emoji", "sop", "disc21"} <= {line.split()[0] for line in run("--benchmark", "list").out.splitlines()}
    assert "layout" in run("--benchmark", "list", "--json").json["benchmarks"]["sop"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing option '--truth'"),
        (("--data", "x"), "--data belongs to --benchmark"),
        (("--truth", "x", "--all"), "--all or --held-out belongs to --benchmark"),
        (("--benchmark", "emoji"), "needs its files"),
        (("--benchmark", "emojis", "--data", "."), "Did you mean 'emoji'"),
        (("--benchmark", "emoji", "--data", ".", "--truth", "x"), "fixes what --truth would say"),
        (("--benchmark", "emoji", "--data", ".", "--exclude-leaks"), "fixes what --exclude-leaks would say"),
        (("--benchmark", "emoji", "--data", "nowhere"), "no folder nowhere"),
    ],
)
def test_mistakes(run: Run, words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.code == 2
    assert said in done.err

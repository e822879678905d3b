"""`lookalike calibrate`, and what `lookalike search` shows and leaves out afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image as Pillow

from pictures import kind_and_view
from running import Run


@pytest.fixture
def labelled(run: Run, tmp_path: Path) -> Path:
    labels = kind_and_view(8, 3, tmp_path / "photos")
    (tmp_path / "truth.csv").write_text("file,label\n" + "".join(f"{file},{kind}\n" for file, kind in labels.items()))
    assert run("index", "photos")[0] == 0
    return tmp_path


def test_calibrate_then_search_by_relevance(run: Run, labelled: Path) -> None:
    code, out, err = run("calibrate", "--truth", "truth.csv")
    assert code == 0, err
    lines = {name.strip(): rest for name, rest in (line.split("  ", 1) for line in out.splitlines())}
    assert set(lines) == {"ece", "50% at score", "90% at score"}
    assert "n=480" in lines["ece"]  # 24 queries, their first 20 of 23 results
    assert "label was held out" in err
    assert "--min-relevance" in err

    code, out, _ = run("search", "photos/kind3-view0.png", "-k", "24")
    table = [line.split("\t") for line in out.splitlines()]
    assert all(len(fields) == 3 for fields in table)
    relevance = [float(fields[1]) for fields in table]
    assert relevance == sorted(relevance, reverse=True)
    assert relevance[0] > 0.9
    assert relevance[-1] < 0.5

    code, out, err = run("search", "photos/kind3-view0.png", "--min-relevance", "0.5", "--json")
    hits = json.loads(out)["hits"]
    assert {Path(hit["id"]).name.split("-")[0] for hit in hits} == {"kind3"}
    assert all(hit["relevance"] >= 0.5 for hit in hits)


def test_calibrate_as_json_and_plots(run: Run, labelled: Path) -> None:
    code, out, _ = run("calibrate", "--truth", "truth.csv", "-k", "10", "--json", "--plot", "plot.svg")
    assert code == 0
    answer = json.loads(out)
    assert 0 <= answer["ece"]["low"] <= answer["ece"]["value"] <= answer["ece"]["high"] <= 1
    assert answer["ece"]["n"] == 240 == sum(each["count"] for each in answer["bins"])
    assert (answer["queries"], answer["depth"]) == (24, 10)
    assert answer["score_at"]["0.5"] <= answer["score_at"]["0.9"]
    assert answer["protocol"]["name"] == "leave-one-out"
    drawn = ElementTree.parse(labelled / "plot.svg").getroot()
    circles = [each for each in drawn.iter() if each.tag.endswith("circle")]
    assert len(circles) == len(answer["bins"])
    assert run("calibrate", "--truth", "truth.csv", "--plot", "plot.png")[0] == 0
    with Pillow.open(labelled / "plot.png") as picture:
        assert picture.format == "PNG"
        assert len(set(picture.convert("RGB").resize((60, 60)).tobytes())) > 10


def test_without_a_calibration_a_least_relevance_says_what_to_do(run: Run, labelled: Path) -> None:
    code, out, err = run("search", "photos/kind3-view0.png", "--min-relevance", "0.5")
    assert (code, out) == (2, "")
    assert "not calibrated" in err
    assert "lookalike calibrate --truth" in err
    assert run("search", "photos/kind3-view0.png", "--min-relevance", "1.5")[0] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--truth", "nothing.csv"], "no such truth file"),
        (["--truth", "truth.csv", "--plot", "plot.gif"], "written as .svg or .png"),
        (["--truth", "truth.csv", "--plot", "no/folder/plot.svg"], "cannot be written"),
    ],
)
def test_mistakes_are_sentences_and_store_nothing(run: Run, labelled: Path, words: list[str], said: str) -> None:
    code, out, err = run("calibrate", *words)
    assert code in (2, 3)
    assert out == ""
    assert said in err
    assert run("search", "photos/kind3-view0.png", "--min-relevance", "0.5")[0] == 2


def test_when_nothing_is_relevant_enough_it_is_said(run: Run, labelled: Path) -> None:
    # Labels at random: no score is ever worth much.
    files = sorted(path.name for path in (labelled / "photos").iterdir())
    lines = "".join(f"{name},{'xyz'[at % 3]}\n" for at, name in enumerate(files))
    (labelled / "truth.csv").write_text(f"file,label\n{lines}")
    assert run("calibrate", "--truth", "truth.csv")[0] == 0
    assert run("search", "photos/kind3-view0.png", "--json")[0] == 0
    code, out, err = run("search", "photos/kind3-view0.png", "--min-relevance", "0.99")
    assert (code, out) == (0, "")
    assert "Nothing reaches a relevance of 0.99: the best result, kind3-view0.png, has" in err

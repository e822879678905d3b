"""``search --not-same``, ``--group-by`` and by words, as a script uses them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pictures import kind_and_view
from running import Run


@pytest.fixture
def catalogue(run: Run, tmp_path: Path) -> Path:
    """Four articles of three views each, from a list with a column of articles."""
    folder = tmp_path / "photos"
    labels = kind_and_view(4, 3, folder)
    with (tmp_path / "list.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "article"])
        table.writerows([str(folder / name), kind] for name, kind in labels.items())
    assert run("index", "list.csv").code == 0
    return folder


def test_one_result_an_article(run: Run, catalogue: Path) -> None:
    hits = run("search", "photos/kind1-view0.png", "--group-by", "article", "--json").json["hits"]
    assert hits[0]["group"] == {"by": "article", "value": "kind1", "size": 3}
    assert sorted(hit["group"]["value"] for hit in hits) == ["kind0", "kind1", "kind2", "kind3"]


def test_not_the_same_article(run: Run, catalogue: Path) -> None:
    hits = run("search", "photos/kind1-view0.png", "--group-by", "article", "--not-same", "--json").json["hits"]
    assert sorted(hit["group"]["value"] for hit in hits) == ["kind0", "kind2", "kind3"]
    lines = run("search", "photos/kind1-view0.png", "--not-same").out.splitlines()
    assert lines
    assert not any("kind1-view0" in line for line in lines)


def test_a_column_that_is_not_there(run: Run, catalogue: Path) -> None:
    done = run("search", "photos/kind1-view0.png", "--group-by", "artikle", "--json")
    assert done.code == 2
    assert done.json["error"]["hint"] == "Did you mean 'article'?"


def test_words_are_looked_up_in_names_and_metadata(run: Run, catalogue: Path) -> None:
    done = run("search", "kind2", "+", "view1", "-k", "3", "--json")
    (best, *others) = done.json["hits"]
    assert (best["source"], best["found_by"]) == (str(catalogue / "kind2-view1.png"), "text")
    assert all("kind2" in hit["id"] or "view1" in hit["id"] for hit in others)
    mixed = run("search", "photos/kind1-view0.png", "+", "kind2", "--json").json["hits"]
    assert {hit["found_by"] for hit in mixed} == {"both", "vector"}
    shown = run("search", "photos/kind1-view0.png", "+", "kind2")
    table = [line.split("\t") for line in shown.out.splitlines()]
    assert [(found_by, source) for _, found_by, source in table] == [(hit["found_by"], hit["source"]) for hit in mixed]
    assert "the two rankings fused" in shown.err
    assert all(len(line.split("\t")) == 2 for line in run("search", "photos/kind1-view0.png").out.splitlines())
    spoken = run("search", "zebra")
    assert (spoken.code, spoken.out) == (0, "")
    assert "No id, file name or metadata has these words" in spoken.err


def test_a_sign_that_stands_with_its_item_is_explained(run: Run, catalogue: Path) -> None:
    done = run("search", "photos/kind1-view0.png", "-2:cartoon")
    assert done.code == 2
    assert "write - 2:cartoon in place of -2:cartoon" in done.err
    assert "No such option" in run("search", "photos/kind1-view0.png", "-2").err


def test_spaces_together(run: Run, catalogue: Path) -> None:
    assert run("index", "list.csv", "--embedder", "color-layout", "--add-space").code == 0
    alone = run("search", "photos/kind1-view0.png", "--json").json["hits"]
    both = run("search", "photos/kind1-view0.png", "--spaces", "builtin-2,color-layout:2", "--json").json["hits"]
    assert {hit["id"] for hit in both} == {hit["id"] for hit in alone}
    assert [hit["score"] for hit in both] != [hit["score"] for hit in alone]
    ranks = run("search", "photos/kind1-view0.png", "--spaces", "builtin-2,color-layout", "--fusion", "rrf", "--json")
    assert ranks.json["hits"][0]["score"] == round(2 / 61, 6)
    for words, said in (
        (["--spaces", "nothing"], "no vector space 'nothing'"),
        (["--spaces", "a:0"], "weights above 0"),
        (["--fusion", "rrf"], "--fusion goes with --spaces"),
    ):
        done = run("search", "photos/kind1-view0.png", *words)
        assert done.code == 2
        assert said in done.err


def test_conditions_on_metadata(run: Run, catalogue: Path) -> None:
    hits = run("search", "photos/kind1-view0.png", "--where", "article in kind2,kind3", "--json").json["hits"]
    assert sorted({hit["metadata"]["article"] for hit in hits}) == ["kind2", "kind3"]
    assert len(hits) == 6
    failed = run("search", "photos/kind1-view0.png", "--where", "artikle=kind2")
    assert failed.code == 2
    assert "Did you mean 'article'?" in failed.err


def test_merged_groups_metadata_and_views(run: Run, catalogue: Path) -> None:
    merged = run("search", "photos/kind1-view0.png", "--group-by", "article", "--merge", "mean", "--json").json["hits"]
    assert len(merged) == 4
    assert merged[0]["group"] == {"by": "article", "value": "kind1", "size": 3}
    assert merged[0]["score"] < 1  # of the mean of three views
    weighed = ["--metadata-weight", "article:50", "--like", "article=kind3"]
    hits = run("search", "photos/kind1-view0.png", *weighed, "--json").json["hits"]
    assert [hit["metadata"]["article"] for hit in hits[:3]] == ["kind3"] * 3
    assert run("search", "photos/kind1-view0.png", "--augment", "mirror,crops", "-k", "1").code == 0
    for words, said in (
        (["--merge", "gem"], "--group-by COLUMN"),
        (["--metadata-weight", "article"], "with weights above 0"),
        (["--augment", "flip"], "Known: mirror, crops, zooms"),
        (["--like", "article=kind1"], "--metadata-weight"),
    ):
        failed = run("search", "photos/kind1-view0.png", *words)
        assert failed.code == 2
        assert said in failed.err

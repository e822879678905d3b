"""``lookalike related``."""

from __future__ import annotations

import csv
from pathlib import Path

from pictures import write_pictures
from running import Run


def test_lists_for_every_image(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 6)
    run("index", "photos")
    done = run("related", "lists.csv", "-k", "3", "--json")
    assert (done.code, done.json) == (0, {"images": 6, "pairs": 18, "path": "lists.csv"})
    with (tmp_path / "lists.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    first = [row["related_id"] for row in rows if row["id"] == "picture-0002.png"]
    hits = run("search", "id:picture-0002.png", "-k", "4", "--json").json["hits"]
    assert first == [hit["id"] for hit in hits][1:]
    done = run("related", "lists.npz")
    assert done.out == ""
    assert done.err.strip() == "30 related images of 6 images written to lists.npz."


def test_another_suffix_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("related", "lists.docx")
    assert done.code == 2
    assert ".csv, .parquet, .npz" in done.err

"""``lookalike weigh``, and what uses it, as a script does."""

from __future__ import annotations

from pathlib import Path

from running import Run
from two_spaces import write_two_spaces


def test_the_command(run: Run, tmp_path: Path) -> None:
    write_two_spaces(tmp_path)
    done = run("weigh", "--truth", "truth.csv", "--collection", "c", "--metadata", "shade:same", "--json").json
    assert done["against_equal"]["verdict"] == "better"
    assert set(done["metadata"]) == {"shade"}
    hits = run("search", "id:03-1", "--collection", "c", "--spaces", "learned", "--json").json["hits"]
    assert hits[0]["id"] == "03-1"
    measured = run("evaluate", "--truth", "truth.csv", "--collection", "c", "--spaces", "learned", "--json").json
    plain = run("evaluate", "--truth", "truth.csv", "--collection", "c", "--json").json
    assert measured["metrics"]["map"]["value"] > plain["metrics"]["map"]["value"] + 0.2
    text = run("weigh", "--truth", "truth.csv", "--collection", "c")
    assert "better" in text.out
    assert "Stored in" in text.err

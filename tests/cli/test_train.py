"""``lookalike train`` where it cannot run."""

from __future__ import annotations

from pathlib import Path

from pictures import write_pictures
from without import run_without


def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pictures(tmp_path / "images" / name, 2)
    result = run_without({"torch"}, "train", "--images", "images", "--out", "model", cwd=tmp_path)
    assert result.returncode == 2
    assert "training needs the package 'torch'" in result.stderr
    assert "pip install 'lookalike[train]'" in result.stderr
    assert not (tmp_path / "model").exists()


def test_a_setting_that_is_no_number_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", 2)
    arguments = ("train", "--images", "images", "--out", "model", "--epochs", "many")
    result = run_without({"torch"}, *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert "epochs from the options cannot be used" in result.stderr

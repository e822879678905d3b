"""An embedder of another package, installed as a person would install it, used from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pictures import write_pictures

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "lookalike-mean-colour"
version = "1.0"
[project.entry-points."lookalike.embedders"]
mean-colour = "mean_colour:MeanColour"
[tool.setuptools]
py-modules = ["mean_colour"]
"""

MODULE = """
import numpy as np
from lookalike.types import VectorSpace

class MeanColour:
    spec = "mean-colour"
    fingerprint = "mean-colour/1"
    input_size = 32
    space = VectorSpace("mean-colour", 4, fingerprint)

    def embed(self, images):
        rows = [[*(image.mean(axis=(0, 1)) / 255), 1.0] for image in images]
        rows = np.array(rows, np.float32).reshape(-1, 4)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "mean_colour.py").write_text(MODULE)
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run([*pip, "--target", target, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def lookalike(installed: Path, cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    found = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(installed), *([found] if found else [])])
    return subprocess.run(
        [sys.executable, "-m", "lookalike", *args],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_uses_it(installed: Path, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "pictures", 5)
    made = lookalike(installed, tmp_path, "index", "pictures", "--embedder", "mean-colour")
    assert made.returncode == 0, made.stderr
    done = lookalike(installed, tmp_path, "search", str(paths[3]), "--json")
    assert done.returncode == 0, done.stderr
    hits = json.loads(done.stdout)["hits"]
    assert hits[0]["id"] == paths[3].name
    assert hits[0]["score"] == pytest.approx(1, abs=1e-3)
    about = lookalike(installed, tmp_path, "info", "--json")
    assert json.loads(about.stdout)["spaces"]["mean-colour"]["dim"] == 4


def test_it_keeps_the_contract_and_its_name_is_offered(installed: Path, tmp_path: Path) -> None:
    code = (
        "from lookalike.embed import create; from lookalike.testing.embedder import check_embedder; "
        "check_embedder(lambda: create('mean-colour'))"
    )
    env = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    missed = lookalike(installed, tmp_path, "index", str(tmp_path), "--embedder", "mean-color")
    assert missed.returncode == 2
    assert "Did you mean 'mean-colour'" in missed.stderr


def test_without_it_the_collection_says_so(installed: Path, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "pictures", 2)
    assert lookalike(installed, tmp_path, "index", "pictures", "--embedder", "mean-colour").returncode == 0
    done = lookalike(tmp_path, tmp_path, "search", str(paths[0]))
    assert done.returncode == 2
    assert "unknown embedder 'mean-colour'" in done.stderr

"""What is generated is up to date, and everything that a person can name is in the documents."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike import errors
from lookalike.cli.app import COMMANDS
from lookalike.detect import DETECTORS
from lookalike.embed import ALIASES, EMBEDDERS
from lookalike.embed.pooling import POOLINGS
from lookalike.local import MATCHERS

ROOT = Path(__file__).resolve().parents[1]


def generate(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "docs" / "generate.py"), *words], capture_output=True, text=True, check=False
    )


def documents() -> str:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def test_what_is_generated_is_up_to_date() -> None:
    done = generate(ROOT, "--check")
    assert done.returncode == 0, done.stderr


def test_a_change_by_hand_is_noticed_and_undone(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for script in (ROOT / "docs").glob("*.py"):
        shutil.copy(script, tmp_path / "docs")
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- begin:speed-table -->\nold\n<!-- end:speed-table -->\nafter\n", encoding="utf-8")
    assert generate(tmp_path).returncode == 0
    assert "old" not in readme.read_text(encoding="utf-8")
    assert readme.read_text(encoding="utf-8").startswith("before\n<!-- begin:speed-table -->\n")
    assert readme.read_text(encoding="utf-8").endswith("\n<!-- end:speed-table -->\nafter\n")
    assert generate(tmp_path, "--check").returncode == 0
    page = tmp_path / "docs" / "errors.md"
    page.write_text(page.read_text(encoding="utf-8").replace("BadInput", "Wrong"), encoding="utf-8")
    done = generate(tmp_path, "--check")
    assert done.returncode == 1
    assert "docs/errors.md" in done.stderr


def test_a_misspelt_marker_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for script in (ROOT / "docs").glob("*.py"):
        shutil.copy(script, tmp_path / "docs")
    (tmp_path / "README.md").write_text("<!-- begin:sped-table -->\n<!-- end:sped-table -->\n", encoding="utf-8")
    done = generate(tmp_path)
    assert done.returncode == 1
    assert "'sped-table'" in done.stderr


@pytest.mark.parametrize("name", [*EMBEDDERS.names(), *ALIASES])
def test_every_embedder_is_in_the_documents(name: str) -> None:
    assert re.search(rf"`{re.escape(name)}{'[^`]*' if name.endswith(':') else ''}`", documents())


@pytest.mark.parametrize("name", [*POOLINGS.names(), *DETECTORS.names(), *MATCHERS.names()])
def test_every_pooling_detector_and_matcher_is_in_the_documents(name: str) -> None:
    pages = "\n".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("pooling.md", "regions.md"))
    assert re.search(rf"`{re.escape(name)}{'[^`]*' if name.endswith(':') else ''}`|--verify {name}\b", pages)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_documents(name: str) -> None:
    assert f"`lookalike {name}`" in documents()


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_in_the_documents(name: str) -> None:
    kind = getattr(errors, name)
    assert f"| `{name}` | `{kind.code}` | {kind.exit_code} |" in documents()


def test_help_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    done = generate(ROOT, "--check")
    assert done.returncode == 0, done.stderr

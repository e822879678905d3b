"""What is said where the packages of the extra ``hub`` are not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hub_models import Clip

BLOCK = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from lookalike.cli import main
main({args!r})
"""


def run(absent: set[str], *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = BLOCK.format(absent=absent, args=list(args))
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["hf:org/clip", "dinov2-small"])
def test_a_model_by_name_needs_the_client(tmp_path: Path, name: str) -> None:
    done = run({"huggingface_hub"}, "index", str(tmp_path), "--embedder", name, cwd=tmp_path)
    assert done.returncode == 2
    assert "needs the package 'huggingface_hub', which is not installed" in done.stderr
    assert "pip install 'lookalike[hub]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_words_need_the_tokenizers(tmp_path: Path) -> None:
    from pictures import write_pictures

    write_pictures(tmp_path / "pictures", count=2)
    Clip().save(tmp_path / "clip")
    absent = {"huggingface_hub", "tokenizers"}
    made = run(absent, "index", "pictures", "--embedder", f"onnx:{tmp_path / 'clip'}", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = run(absent, "search", "text:red cat", cwd=tmp_path)
    assert done.returncode == 2
    assert "needs the package 'tokenizers'" in done.stderr
    assert "pip install 'lookalike[hub]'" in done.stderr

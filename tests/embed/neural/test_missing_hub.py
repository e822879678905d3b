"""What is said where the packages of the extra ``hub`` are not installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub_models import Clip
from without import run_without


@pytest.mark.parametrize("name", ["hf:org/clip", "dinov2-small"])
def test_a_model_by_name_needs_the_client(tmp_path: Path, name: str) -> None:
    done = run_without({"huggingface_hub"}, "index", str(tmp_path), "--embedder", name, cwd=tmp_path)
    assert done.returncode == 2
    assert "needs the package 'huggingface_hub', which is not installed" in done.stderr
    assert "pip install 'lookalike[hub]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_words_need_the_tokenizers(tmp_path: Path) -> None:
    from pictures import write_pictures

    write_pictures(tmp_path / "pictures", count=2)
    Clip().save(tmp_path / "clip")
    absent = {"huggingface_hub", "tokenizers"}
    made = run_without(absent, "index", "pictures", "--embedder", f"onnx:{tmp_path / 'clip'}", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = run_without(absent, "search", "text:red cat", cwd=tmp_path)
    assert done.returncode == 2
    assert "needs the package 'tokenizers'" in done.stderr
    assert "pip install 'lookalike[hub]'" in done.stderr


@pytest.mark.parametrize("name", ["timm:resnet18", "open_clip:ViT-B-32/openai", "torchvision:resnet18"])
def test_a_model_of_a_torch_library_needs_the_extra(tmp_path: Path, name: str) -> None:
    library = name.partition(":")[0]
    for absent in (library, "torch"):
        done = run_without({absent}, "index", str(tmp_path), "--embedder", name, cwd=tmp_path)
        assert done.returncode == 2
        assert re.search(f"the embedder '{library}:' needs the package '({library}|torch)', which is not", done.stderr)
        assert "pip install 'lookalike[models]'" in done.stderr
        assert "Traceback" not in done.stderr

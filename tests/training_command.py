"""``lookalike train`` as a real process, with a network so small that it trains in seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

import lookalike
from pictures import picture

__all__ = ["SMALL", "begun", "ended", "weights_of", "write_classes"]

TESTS = Path(__file__).resolve().parent

SMALL: dict[str, Any] = {
    "backbone": "timm:test_resnet?weights=none",
    "side": 48,
    "dimensions": 32,
    "batch": 16,
    "per_class": 4,
    "epochs": 3,
    "threads": 2,
    "augment": "light",
    "patience": 0,
    "device": "cpu",
    "precision": "float32",
}


def write_classes(folder: Path, classes: int = 14, views: int = 5) -> Path:
    """Write ``classes`` folders of ``views`` images and return the folder of all."""
    for kind in range(classes):
        (folder / f"kind{kind:02d}").mkdir(parents=True)
        for view in range(views):
            Pillow.fromarray(picture(kind, view=view)).save(folder / f"kind{kind:02d}" / f"{view}.png")
    return folder


def begun(
    stub: Path, *arguments: str | Path, module: Sequence[str] = ("lookalike",), **settings: Any
) -> subprocess.Popen[str]:
    """Start it, in a process group of its own, so that Ctrl-C can reach it and what it starts.

    Args:
        stub: an empty folder, for what lets torchvision load in every process.
        arguments: of the command.
        module: what ``python -m`` runs it by.
        settings: over ``SMALL``; a name with ``_`` for ``-``.
    """
    stub.mkdir(exist_ok=True)
    (stub / "sitecustomize.py").write_text(
        f"import sys\nsys.path.append({str(TESTS)!r})\nfrom torch_libraries import declare_operators\n"
        "declare_operators()\n"
    )
    source = Path(lookalike.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{stub}", "OMP_NUM_THREADS": "1"}
    every = {name.replace("_", "-"): value for name, value in {**SMALL, **settings}.items()}
    flags = [f"--{name}={value}" for name, value in every.items() if value is not None]
    return subprocess.Popen(
        [sys.executable, "-m", *module, "train", *map(str, arguments), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str], seconds: float = 240) -> tuple[int, str, str]:
    """Wait for it; return the exit code, standard output and standard error."""
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def weights_of(model: Path) -> str:
    """Return the hash of the weights that came out."""
    return str(json.loads((model / "lookalike.json").read_text())["exported"]["weights"])

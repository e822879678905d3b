"""Indexing runs at 90% or more of what decoding and the model allow, and needs no more memory for more images.

Decoding alone (reading, decoding, preparing, on all cores) and the model alone (prepared batches, on all cores) are
measured in the same run; 1 / (1/decode + 1/model) is the best that doing both can reach on these cores. Indexing is the
whole of it: finding files, hashing, the store's commits, everything up to the moment when `add` returns. Beside it: the
loop that people write, Pillow's full decode and the same model, one image at a time and in batches of 8.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

import lookalike
from harness import RESULTS, arguments, commit, interleave, ratios, row, spread, write_result
from lookalike.collection import Options
from lookalike.embed import create
from lookalike.images.decode import decode
from photographs import ONE_MEGAPIXEL, TWELVE_MEGAPIXELS, write_photographs
from vit_onnx import write_vit

BATCH = Options().batch_size
CORES = os.cpu_count() or 1
TARGET = 0.9
MEMORY_TARGET = 1.1
PARTS = ("small", "large", "vit", "memory")  # of the run, so that each is a matter of minutes


def main() -> None:
    options = arguments(__doc__ or "", only=f"parts: {', '.join(PARTS)}")
    quick = bool(options.quick)
    wanted = options.only or PARTS
    if unknown := sorted(set(wanted) - set(PARTS)):
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(PARTS)}")
    figures: dict[str, Any] = {} if quick or not options.only else _measured()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = folder / "vit" / "model.onnx"
        plans = {
            "small": ("builtin-1, 0.8 MP", "builtin-1", ONE_MEGAPIXEL, 128 if quick else 1536, 2 if quick else 5),
            "large": ("builtin-1, 12 MP", "builtin-1", TWELVE_MEGAPIXELS, 16 if quick else 96, 2 if quick else 3),
            "vit": ("ViT-B/32 (ONNX), 0.8 MP", f"onnx:{model}", ONE_MEGAPIXEL, 64 if quick else 96, 2 if quick else 3),
        }
        if "vit" in wanted:
            model.parent.mkdir()
            write_vit(model, seed=options.seed)
        for part in wanted:
            if part == "memory":
                rows, detail = _memory(folder / "memory", 100 if quick else 5000, 1 if quick else 3, options.seed)
            else:
                rows, detail = _pace(*plans[part], folder / "work", options.seed)
            figures[part] = {"rows": rows, "commit": commit(), **detail}
    figures = {part: figures[part] for part in PARTS if part in figures}
    rows = [line for part in figures.values() for line in part["rows"]]
    n = sum(plan[3] for plan in plans.values())
    figures = {"cores": CORES, "batch": BATCH, **figures}
    write_result("indexing", __doc__ or "", figures, n=n, seed=options.seed, rows=rows, quick=quick)


def _measured() -> dict[str, Any]:
    """Return the parts that have been measured before, on whatever machine: each says at which commit."""
    path = RESULTS / "indexing.json"
    if not path.is_file():
        return {}
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return {part: figures[part] for part in PARTS if part in figures and "rows" in figures[part]}


def _pace(
    name: str, embedder_name: str, size: tuple[int, int], count: int, rounds: int, folder: Path, seed: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Measure one embedder on one size of photograph."""
    photographs = folder / "photographs"
    files = write_photographs(photographs, count, size, seed=seed)
    embedder: Any = create(embedder_name)
    prepared = _decode_all(files, embedder)
    batches = [prepared[start : start + BATCH] for start in range(0, count, BATCH)]

    def index() -> None:
        target = folder / "new.collection"
        shutil.rmtree(target, ignore_errors=True)
        with lookalike.open(target, embedder=embedder) as photos:
            report = photos.add(photographs)
        if report.added != count or report.reused:
            raise SystemExit(f"{report.added} of {count} were added, {report.reused} were known: nothing was measured")

    contenders: dict[str, Callable[[], object]] = {
        "decode": lambda: _decode_all(files, embedder),
        "model, one batch at a time": lambda: [embedder.embed_prepared(batch) for batch in batches],
        # A model that works on one core alone is given all of them, or the bound would be too easy to keep.
        "model, one batch a core": lambda: _one_batch_a_core(embedder, batches),
        "index": index,
        "loop, one by one": lambda: _loop(files, embedder, 1),
        "loop, batches of 8": lambda: _loop(files, embedder, 8),
    }
    seconds = interleave(contenders, rounds)
    shutil.rmtree(folder)

    model = [
        min(pair)
        for pair in zip(seconds["model, one batch at a time"], seconds["model, one batch a core"], strict=True)
    ]
    seconds["possible"] = [a + b for a, b in zip(seconds["decode"], model, strict=True)]
    pace = {key: spread([count / taken for taken in some]) for key, some in seconds.items()}
    loops = {key: spread(ratios(seconds, key, "index"))["median"] for key in seconds if "loop" in key}
    beside = (
        f"{pace['index']['median']:.0f} images/s (decoding alone {pace['decode']['median']:.0f}, the model alone "
        f"{count / float(np.median(model)):.0f})"
    )
    rows = [
        row(
            f"Indexing with {name}: share of what decoding and the model allow",
            [100 * share for share in ratios(seconds, "possible", "index")],
            unit="%",
            at_least=100 * TARGET,
            beside=beside,
        ),
        row(
            f"Indexing with {name}, against a loop of Pillow and the same model in batches of 8",
            ratios(seconds, "loop, batches of 8", "index"),
            unit="x",
            beside=f"{pace['loop, batches of 8']['median']:.0f} images/s; "
            f"one by one {pace['loop, one by one']['median']:.0f}",
        ),
    ]
    detail = {"images": count, "size": list(size), "images_per_s": pace, "seconds": seconds, "times_faster": loops}
    return rows, detail


def _decode_all(files: Sequence[Path], embedder: Any) -> list[Any]:
    def one(path: Path) -> Any:
        return embedder.prepare(decode(path.read_bytes(), input_size=embedder.input_size).pixels)

    return _on_all_cores(one, files)


def _on_all_cores(work: Callable[[Any], Any], things: Sequence[Any]) -> list[Any]:
    with ThreadPoolExecutor(CORES) as pool:
        return list(pool.map(work, things))


def _one_batch_a_core(embedder: Any, batches: Sequence[Any]) -> None:
    # Two levels of threads would wait for each other, and a slow model alone makes the bound easy to keep.
    # The same goes for a model that shares a batch among threads of its own.
    with threadpool_limits(1, user_api="blas"):
        _on_all_cores(getattr(embedder, "describe", embedder.embed_prepared), batches)


def _loop(files: Sequence[Path], embedder: Any, batch: int) -> None:
    """Embed as a person's own script does: open, decode in full, resize, run the model; nothing is stored."""
    for start in range(0, len(files), batch):
        images = []
        for path in files[start : start + batch]:
            with Image.open(path) as opened:
                images.append(np.asarray(opened.convert("RGB")))
        embedder.embed(images)


def _memory(folder: Path, count: int, rounds: int, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Compare the largest memory of `lookalike index` over n and over 8n images."""
    # Small ones, for what is asked is how many there may be; from 4096 on the sample for confidence is full.
    write_photographs(folder / "few", count, size=(320, 240), seed=seed)
    write_photographs(folder / "many", 8 * count, size=(320, 240), seed=seed)
    peaks: dict[str, list[float]] = {"few": [], "many": []}
    for turn in range(rounds):
        for name, some in peaks.items():
            some.append(_peak_mb(folder / name, folder / f"{name}-{turn}.collection"))
    shutil.rmtree(folder)
    if any(np.isnan(some).any() for some in peaks.values()):
        return [], {"note": "this system does not say how much memory a program needed"}
    few, many = (spread(peaks[name])["median"] for name in ("few", "many"))
    line = row(
        f"Peak memory of `lookalike index` over {8 * count} images, against {count} images",
        ratios(peaks, "many", "few"),
        unit="x",
        at_most=MEMORY_TARGET,
        beside=f"{many:.0f} MB against {few:.0f} MB",
    )
    return [line], {"images": [count, 8 * count], "mb": peaks}


# A new program counts as its own what its parent held when it was started, so the parent must be a small one.
LAUNCHER = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _peak_mb(photographs: Path, collection: Path) -> float:
    """Return the largest resident memory of the command in MB; NaN where the system does not tell."""
    if sys.platform == "win32":
        return float("nan")
    index = [sys.executable, "-m", "lookalike", "index", str(photographs), "--collection", str(collection), "--quiet"]
    done = subprocess.run([sys.executable, "-c", LAUNCHER, *index], capture_output=True, text=True, check=True)
    code, peak = (int(word) for word in done.stdout.split())
    if code != 0:
        raise SystemExit(f"`lookalike index` ended with {code}")
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    main()

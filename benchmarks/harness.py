"""What every benchmark shares: interleaved runs, their spread, and a result file that says how it came about."""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
SHARED = RESULTS.parents[2] / "shared"  # data and weights beside the checkout, which some scripts need
LIBRARIES = ("lookalike", "numpy", "pillow", "simplejpeg", "onnxruntime", "faiss-cpu", "ai-edge-litert", "click")
TRAINING = ("torch", "timm", "pytorch-metric-learning", "open-metric-learning", "kornia", "torchvision")


def arguments(claim: str, *, only: str = "", flags: Mapping[str, str] | None = None) -> argparse.Namespace:
    """Read ``--quick``, ``--seed``, ``--only`` where ``only`` says of what, and more flags; and print the claim."""
    options = argparse.ArgumentParser(description=claim, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a minute's smoke test, whose figures mean nothing")
    options.add_argument("--seed", type=int, default=0)
    if only:
        options.add_argument("--only", nargs="+", metavar="NAME", help=f"only these {only}")
    for flag, meaning in (flags or {}).items():
        options.add_argument(flag, action="store_true", help=meaning)
    given = options.parse_args()
    print(claim.strip().splitlines()[0], flush=True)
    return given


def flagged(claim: str, paths: Mapping[str, str]) -> argparse.Namespace:
    """Read ``--quick``, ``--seed`` and flags that take a path; and print the claim."""
    options = argparse.ArgumentParser(description=claim, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a minute's smoke test, whose figures mean nothing")
    options.add_argument("--seed", type=int, default=0)
    for flag, meaning in paths.items():
        options.add_argument(flag, type=Path, metavar="PATH", help=meaning)
    given = options.parse_args()
    print(claim.strip().splitlines()[0], flush=True)
    return given


def interleave(commands: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Run the commands in turn, ``repeats`` times after a warm-up, and return the seconds of each run.

    In turn, so that a machine that slows down or is shared slows all of them alike: what is quoted are ratios.
    """
    for command in commands.values():
        command()
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            gc.collect()  # what one leaves behind is not swept up in another's time
            start = time.perf_counter()
            command()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def spread(times: Sequence[float]) -> dict[str, float]:
    """Return median, lowest and highest of some measurements, to four digits, and how many there are."""
    return {
        "median": _rounded(statistics.median(times)),
        "low": _rounded(min(times)),
        "high": _rounded(max(times)),
        "runs": len(times),
    }


def ratios(seconds: Mapping[str, Sequence[float]], ours: str, theirs: str) -> list[float]:
    """Return our time divided by theirs, run by run; under 1 we are faster."""
    return [mine / other for mine, other in zip(seconds[ours], seconds[theirs], strict=True)]


def row(
    what: str,
    values: Sequence[float],
    *,
    unit: str,
    at_least: float | None = None,
    at_most: float | None = None,
    beside: str = "",
) -> dict[str, Any]:
    """Return one line of README's table.

    Args:
        what: what is measured, in words.
        values: one for each run.
        unit: ``x`` for a ratio, ``%``, ``ms``, ``s`` or ``MB``.
        at_least, at_most: what is claimed of the median; neither, when the figure is for information.
        beside: what it is compared with, and the figures of that.
    """
    middle = statistics.median(values)
    kept = (at_least is None or middle >= at_least) and (at_most is None or middle <= at_most)
    return {
        "what": what,
        "unit": unit,
        **spread(values),
        "at_least": at_least,
        "at_most": at_most,
        "kept": kept if at_least is not None or at_most is not None else None,
        "beside": beside,
    }


def write_result(
    name: str,
    claim: str,
    figures: Mapping[str, Any],
    *,
    n: int,
    seed: int,
    rows: Sequence[Mapping[str, Any]] = (),
    quick: bool = False,
) -> Path:
    """Show the rows, write ``results/<name>.json`` and return where it is.

    Args:
        name: of the benchmark.
        claim: the sentence that the figures support or refute.
        figures: what was measured; units in the keys.
        n: how many images, vectors or runs it was measured on.
        seed: of everything random in it.
        rows: the lines of README's table, made by ``row``.
        quick: a smoke test: written to ``results/quick/``, which nothing reads.
    """
    _show(rows)
    folder = RESULTS / "quick" if quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    result = {
        "name": name,
        "claim": " ".join(claim.split()),
        "rows": list(rows),
        "figures": figures,
        "n": n,
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit(),
        "machine": _machine(),
        "versions": {"python": platform.python_version(), **_versions()},
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(RESULTS.parents[1])}", flush=True)
    return path


def _show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print each line: the median, lowest and highest, the claim, and whether it was kept."""
    for line in rows:
        claim = "" if line["at_least"] is None else f"  at least {line['at_least']:g}"
        claim += "" if line["at_most"] is None else f"  at most {line['at_most']:g}"
        verdict = {True: ": kept", False: ": NOT KEPT", None: ""}[line["kept"]]
        print(
            f"{line['what']}: {line['median']:g} {line['unit']} ({line['low']:g} to {line['high']:g}){claim}{verdict}"
        )
        if line["beside"]:
            print(f"    beside: {line['beside']}")


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _versions() -> dict[str, str]:
    found = {}
    for library in (*LIBRARIES, *TRAINING):
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Return the commit that is measured, with a plus where the sources differ from it."""
    here = RESULTS.parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        sources = ["../src", "*.py"]
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *sources], cwd=here, check=False)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changed.returncode else "")


def _machine() -> dict[str, Any]:
    """Return what decides over speed; no name, no path."""
    answer: dict[str, Any] = {"processor": _processor(), "cores": os.cpu_count(), "system": platform.system()}
    if hasattr(os, "getloadavg"):
        answer["load_at_the_end"] = _rounded(os.getloadavg()[0])  # well above the cores: others were at work
    return answer


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

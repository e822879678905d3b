"""The program answers at once: above numpy alone, `lookalike --help` costs 150 ms at most, `import lookalike` 30 ms.

Each figure is a fresh process minus a fresh `python -c "import numpy"` of the same round. Neither may load torch,
onnxruntime, faiss or a web framework.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

from harness import arguments, interleave, row, spread, write_result

HEAVY = ("torch", "onnxruntime", "faiss", "tensorflow", "ai_edge_litert", "cv2", "pyarrow", "sklearn", "scipy")
WEB = ("starlette", "fastapi", "flask", "django", "uvicorn", "aiohttp")
HELP_MS, IMPORT_MS = 150.0, 30.0

PROGRAMS = {
    "numpy": "import numpy",
    "import": "import numpy, lookalike",
    "open": "import numpy, lookalike; lookalike.open",  # the first use of a name loads what stands behind it
    "help": "import sys; sys.argv = ['lookalike', '--help']; from lookalike.cli import main; main()",
}
LOADED = """
import json, sys
sys.stdout, out = open({devnull!r}, "w"), sys.stdout
try:
    exec({program!r})
except SystemExit:
    pass
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})), file=out)
"""


def main() -> None:
    options = arguments(__doc__ or "")
    loaded = {name: _heavy(program) for name, program in PROGRAMS.items() if name != "numpy"}
    rounds = 3 if options.quick else 31
    seconds = interleave({name: _runner(program) for name, program in PROGRAMS.items()}, rounds)
    above = {
        name: [1000 * (a - b) for a, b in zip(some, seconds["numpy"], strict=True)] for name, some in seconds.items()
    }
    bare = spread([1000 * each for each in seconds["numpy"]])["median"]
    help_ms = spread([1000 * each for each in seconds["help"]])["median"]
    import_ms = spread([1000 * each for each in seconds["import"]])["median"]
    rows = [
        row(
            "`lookalike --help`, above a bare Python that imports numpy",
            above["help"],
            unit="ms",
            at_most=HELP_MS,
            beside=f"{help_ms:.0f} ms against {bare:.0f} ms",
        ),
        row(
            "`import lookalike`, above a bare Python that imports numpy",
            above["import"],
            unit="ms",
            at_most=IMPORT_MS,
            beside=f"{import_ms:.0f} ms against {bare:.0f} ms",
        ),
        row("`lookalike.open`, named for the first time, above the same", above["open"], unit="ms"),
        row(
            "Model runtimes, index libraries and web frameworks loaded by either",
            [float(len({*loaded["help"], *loaded["import"]}))],
            unit="packages",
            at_most=0,
            beside=", ".join(sorted({*loaded["help"], *loaded["import"]})),
        ),
    ]
    figures = {"above_numpy_ms": above, "seconds": seconds, "heavy_packages": loaded}
    write_result("startup", __doc__ or "", figures, n=rounds, seed=options.seed, rows=rows, quick=options.quick)


def _runner(program: str) -> Callable[[], object]:
    words = (
        [sys.executable, "-m", "lookalike", "--help"]
        if program == PROGRAMS["help"]
        else [sys.executable, "-c", program]
    )
    return lambda: subprocess.run(words, stdout=subprocess.DEVNULL, check=True)


def _heavy(program: str) -> list[str]:
    """Return the heavy packages that a program has loaded when it ends."""
    code = LOADED.format(devnull=os.devnull, program=program)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return sorted(set(json.loads(done.stdout)) & {*HEAVY, *WEB})


if __name__ == "__main__":
    main()

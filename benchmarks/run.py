"""Run every benchmark, one after another; one that fails does not stop the rest. `--quick` for smoke tests."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = (
    "startup",
    "first_search",
    "exact_search",
    "decoding",
    "indexing",
    "leaks",
    "copies",
    "quality",
    "embedder_speed",
    "serve_overhead",
    "page_paint",
    "regions",
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="smoke tests, whose figures mean nothing")
    options.add_argument("only", nargs="*", choices=[[], *SCRIPTS], metavar="NAME", help=f"of {', '.join(SCRIPTS)}")
    given = options.parse_args()
    failed = []
    for name in given.only or SCRIPTS:
        print(f"\n== {name}", flush=True)
        begin = time.monotonic()
        words = [sys.executable, str(HERE / f"{name}.py"), *(["--quick"] if given.quick else [])]
        code = subprocess.run(words, check=False).returncode
        print(f"-- {name}: {time.monotonic() - begin:.0f} s", flush=True)
        if code:
            failed.append(f"{name} (exit code {code})")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")
    if not given.quick:
        print("\nNow `python docs/generate.py` brings the figures into README.")


if __name__ == "__main__":
    main()

"""The command line in a process of its own, where some packages cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Set as AbstractSet
from pathlib import Path

__all__ = ["run_without"]

_CODE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from lookalike.cli import main
main({args!r})
"""


def run_without(absent: AbstractSet[str], *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run ``lookalike ARGS`` as if the packages were not installed."""
    code = _CODE.format(absent=set(absent), args=list(args))
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)

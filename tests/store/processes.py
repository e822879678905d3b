"""Running a piece of Python beside the test, as another process or as another user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PRELUDE = """
import os, sys, time
from pathlib import Path
import numpy as np
from lookalike.errors import *
from lookalike.store.sqlite import SqliteStore
from lookalike.testing.store import StoredImage, unit_vectors
from lookalike.types import Stamp, VectorSpace
SPACE = VectorSpace("s", 8, "f")
path = Path(sys.argv[1])
def put(store, *names):
    return store.put([StoredImage(n, "/r/" + n, "/r") for n in names], {"s": unit_vectors(len(names), 8, len(names))})
def say(*words):
    print(*words, flush=True)
"""

# 65534 is a user without rights on any system. Python itself may lie where that user cannot look, so everything is
# imported before.
DROP = """
import filelock, json
os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""


def start(code: str, path: Path, *, unprivileged: bool = False) -> subprocess.Popen[str]:
    """Start ``code`` after the prelude; as a user without rights when that is asked for and we are root."""
    drop = DROP if unprivileged and os.geteuid() == 0 else ""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + drop + code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code: str, path: Path, *, unprivileged: bool = False) -> str:
    """Run ``code`` after the prelude and return what it says; it must end well."""
    process = start(code, path, unprivileged=unprivileged)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out

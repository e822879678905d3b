"""Keep what C libraries print on standard error off the person's terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

__all__ = ["libraries_silenced"]

STDERR = 2


@contextlib.contextmanager
def libraries_silenced() -> Iterator[None]:
    """Point file descriptor 2 at nothing, and ``sys.stderr`` at where it led.

    libtiff prints up to hundreds of lines of its own for one damaged file, in the middle of the progress bar. What was
    wrong with the file comes as an exception too, and is told once. ``LOOKALIKE_DEBUG`` leaves everything visible.
    """
    if os.environ.get("LOOKALIKE_DEBUG") or sys.stderr is None or not _is_descriptor_two():
        yield
        return
    sys.stderr.flush()
    ours = sys.stderr
    kept = os.dup(STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDERR)
    os.close(nowhere)
    with open(kept, "w", buffering=1, encoding=ours.encoding, errors="backslashreplace", closefd=False) as stream:
        sys.stderr = stream
        try:
            yield
        finally:
            stream.flush()
            sys.stderr = ours
            os.dup2(kept, STDERR)
            os.close(kept)


def _is_descriptor_two() -> bool:
    try:
        return sys.stderr.fileno() == STDERR
    except (OSError, ValueError, AttributeError):  # replaced by something that is no file
        return False

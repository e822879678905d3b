"""Thumbnails as JPEG bytes, and in terminals."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow

from lookalike.errors import BadInput
from lookalike.images.thumbnails import terminal_image, thumbnail_jpeg

from .awkward import scene


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((400, 200), 100, (100, 50)), ((200, 400), 100, (50, 100)), ((30, 20), 100, (30, 20)), ((1, 20000), 64, (1, 64))],
)
def test_thumbnail_fits_and_keeps_its_shape(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    pixels = scene(*size)
    with Pillow.open(io.BytesIO(thumbnail_jpeg(pixels, side))) as picture:
        assert picture.format == "JPEG"
        assert picture.size == expected
        np.testing.assert_allclose(np.asarray(picture).mean((0, 1)), pixels.mean((0, 1)), atol=3)


def test_impossible_sizes() -> None:
    with pytest.raises(BadInput, match="at least 1"):
        thumbnail_jpeg(scene(4, 4), 0)
    with pytest.raises(BadInput, match="at least 1"):
        terminal_image(scene(4, 4), columns=0)


SCRIPT = """
import sys, numpy as np
from lookalike.images.thumbnails import terminal_image
shown = terminal_image(np.full((40, 60, 3), 200, np.uint8), columns=6)
sys.stderr.write("none" if shown is None else "some")
sys.stderr.write(" loaded" if "textual_image" in sys.modules else " not loaded")
if shown is not None:
    from rich.console import Console
    Console(force_terminal=True).print(shown)
"""


def test_no_terminal_no_picture_and_nothing_is_asked() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, stdin=subprocess.DEVNULL, check=True)
    assert done.stderr == b"none not loaded"
    assert done.stdout == b""


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("term", "columns", "said"),
    [("xterm-256color", 80, b"some loaded"), ("xterm-256color", 0, b"none"), ("dumb", 80, b"none not loaded")],
)
def test_in_a_terminal(term: str, columns: int, said: bytes) -> None:
    import pty
    import termios

    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24 if columns else 0, columns))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": term, "COLORTERM": "truecolor"},
    )
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(controller, 65536):
            shown += chunk
    except OSError:  # Linux says so when the other side has closed
        pass
    os.close(controller)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors.startswith(said), errors
    # This terminal answers no question, so it gets half cells: six columns of the colour.
    assert ("▄" in shown.decode() or "▀" in shown.decode()) == said.startswith(b"some")

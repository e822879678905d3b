"""Tiles instead of subjects: the picture parted into columns and rows, whatever it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ..errors import BadInput
from ..types import Image, Region

__all__ = ["Grid", "open_grid"]

MOST = 16  # a side


class Grid:
    """Columns times rows of equal tiles, from left to right and top to bottom; they do not overlap.

    Args:
        columns, rows: 1 to 16 each, and not both 1.
    """

    def __init__(self, *, columns: int, rows: int) -> None:
        if not (1 <= columns <= MOST and 1 <= rows <= MOST and columns * rows > 1):
            raise BadInput(
                f"a grid has 1 to {MOST} columns and rows, and at least two tiles, got {columns}x{rows}.",
                hint="Write grid:COLUMNSxROWS, such as grid:2x2.",
            )
        self.columns = columns
        self.rows = rows
        self.name = f"grid-{columns}x{rows}"
        self.spec = f"grid:{columns}x{rows}"
        self.fingerprint = f"grid/1/{columns}x{rows}"

    def __repr__(self) -> str:
        return f"Grid(columns={self.columns}, rows={self.rows})"

    def detect(self, image: Image) -> Sequence[Region]:
        """Return the tiles; of a picture of fewer pixels than tiles, those that have any."""
        height, width = image.shape[:2]
        across = [round(width * part / self.columns) for part in range(self.columns + 1)]
        down = [round(height * part / self.rows) for part in range(self.rows + 1)]
        return [
            Region(x0, y0, x1, y1) for y0, y1 in pairwise(down) for x0, x1 in pairwise(across) if x0 < x1 and y0 < y1
        ]


def open_grid(text: str) -> Grid:
    """Return the tiles that ``COLUMNSxROWS`` names.

    Raises:
        BadInput: it does not.
    """
    found = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text)
    if found is None:
        raise BadInput(f"'grid:{text}' names no grid.", hint="Write grid:COLUMNSxROWS, such as grid:2x2.")
    return Grid(columns=int(found[1]), rows=int(found[2]))

"""Scores that came with the images: a metadata column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

__all__ = ["Column", "open_column"]

# The column NSFW of LAION-400M, which holds what CLIP's classifier said in words; its README orders them so.
_WORDS = {"unlikely": 0.0, "unsure": 0.5, "nsfw": 1.0, "false": 0.0, "true": 1.0}


class Column:
    """Reads numbers, true and false, and LAION's words ``UNLIKELY`` (0), ``UNSURE`` (0.5) and ``NSFW`` (1).

    Args:
        names: columns; the first that an image has a value in counts. None: the image's score is NaN.
    """

    sees: Literal["metadata"] = "metadata"
    input_size = 0

    def __init__(self, *names: str) -> None:
        self.names = names
        self.fingerprint = f"column/{'|'.join(names)}"

    def __repr__(self) -> str:
        return f"Column({', '.join(map(repr, self.names))})"

    def scores(self, given: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
        """Return what stands there, (B,); NaN where nothing does, or what no number can be made of."""
        return np.array([self._score(metadata) for metadata in given], np.float64)

    def _score(self, metadata: Mapping[str, Any]) -> float:
        for name in self.names:
            number = _number(metadata.get(name))
            if not math.isnan(number):
                return number
        return math.nan


def _number(value: Any) -> float:
    if isinstance(value, (bool, int, float)):
        return float(value)
    if not isinstance(value, str):
        return math.nan
    word = value.strip().lower()
    try:
        return _WORDS[word] if word in _WORDS else float(word)
    except ValueError:
        return math.nan


def open_column(name: str, *, folder: Path | None = None, device: str = "auto") -> Column:
    """Return the classifier of ``column:NAME``.

    Raises:
        BadInput: no name.
    """
    if not name:
        raise BadInput("column: needs the name of a metadata column.", hint="Write column:nsfw.")
    return Column(name)

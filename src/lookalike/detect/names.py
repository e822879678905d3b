"""Names of detectors as they stand inside other names: ``saliency+onnx:/a/b.onnx``, ``grid:2x2:builtin``."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["absolute", "read_detectors"]

# A path may hold colons and plus signs: it ends with the suffix of its scheme, and its options with the next + or :
_NAME = re.compile(
    r"onnx:.+?\.onnx(?:\?[\w=&.-]*)?(?=[+:]|$)|tflite:.+?\.tflite(?:\?[\w=&.-]*)?(?=[+:]|$)|grid:[^+:]*|(?!onnx:|tflite:)[^+:]+"
)


def read_detectors(text: str) -> tuple[list[str], str]:
    """Return the names that stand joined by ``+`` at the beginning, and what follows the colon behind them.

    Example:
        >>> read_detectors("grid:2x2+saliency:builtin-1")
        (['grid:2x2', 'saliency'], 'builtin-1')
    """
    names: list[str] = []
    at = 0
    while found := _NAME.match(text, at):
        names.append(found[0])
        at = found.end()
        if text[at : at + 1] != "+":
            break
        at += 1
    return names, text[at + 1 :] if text[at : at + 1] == ":" else ""


def absolute(name: str) -> str:
    """Return the name with the path of a model file made absolute, so that it means the same in any folder."""
    scheme, _, path = name.partition(":")
    return f"{scheme}:{Path(path).expanduser().absolute()}" if scheme in ("onnx", "tflite") else name

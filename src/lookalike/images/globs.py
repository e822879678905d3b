"""Patterns such as ``photos/**/*.jpg``, matched by our own walk: Python's ``glob`` follows links round in loops."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace

from ..errors import NoSuchFile
from .folder import scan_folder
from .item import Item, Skipped
from .names import Selection
from .reading import FetchLimits

__all__ = ["has_wildcard", "scan_glob"]

_WILD = re.compile(r"[*?[]")


def has_wildcard(text: str) -> bool:
    """Say whether a text may be a pattern."""
    return _WILD.search(text) is not None


def scan_glob(pattern: str, *, selection: Selection, limits: FetchLimits) -> Iterator[Item | Skipped]:
    """Yield the pictures (and the members of the tars) that match; the root is the last folder without a wildcard.

    ``*`` and ``?`` stop at a slash, ``**`` stands for any number of folders, ``[ab]`` for one of the letters.

    Raises:
        NoSuchFile: the root is no folder.
    """
    pattern = os.path.abspath(pattern)
    parts = pattern.replace(os.sep, "/").split("/")
    first = next(n for n, part in enumerate(parts) if has_wildcard(part))
    root = "/".join(parts[:first]) or "/"
    if not os.path.isdir(root):
        raise NoSuchFile(f"no image matches {pattern!r}: there is no folder {root!r}.")
    wild = parts[first:]
    selection = replace(selection, only=_expression(wild), depth=None if "**" in wild else len(wild) - 1)
    return scan_folder(os.path.normpath(root), selection=selection, limits=limits)


def _expression(parts: list[str]) -> re.Pattern[str]:
    *folders, last = parts
    text = "".join("(?:[^/]+/)*" if part == "**" else _part(part) + "/" for part in folders)
    return re.compile(text + ("(?:[^/]+/)*[^/]+" if last == "**" else _part(last)), re.DOTALL)


def _part(part: str) -> str:
    """Translate one part of a path; a bracket that is never closed means itself."""
    out = ""
    at = 0
    while at < len(part):
        char = part[at]
        at += 1
        closed = part.find("]", at + 1 + (part[at : at + 1] == "!"))
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[" and closed > 0:
            inside = part[at:closed]
            negated = inside.startswith("!")
            letters = inside[negated:].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^").replace("]", "\\]")
            out += f"[{'^/' if negated else ''}{letters}]"
            at = closed + 1
        else:
            out += re.escape(char)
    return out

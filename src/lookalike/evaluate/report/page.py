"""The page around a report: its head, its parts, and how it reaches the disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ... import __version__
from ...errors import StorageFailed
from ...images.printable import printable
from .style import STYLE

__all__ = ["number", "page", "section", "size_in_words", "table", "text", "write_page"]

# The page may show what is inside it and nothing else, whatever a name or a message in it tries.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SYMBOLS = (
    '<svg class="symbols" aria-hidden="true"><symbol id="yes" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/>'
    '<path d="M4.2 8.3l2.6 2.7 5-5.6"/></symbol><symbol id="no" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/>'
    '<path d="M5 5l6 6M11 5l-6 6"/></symbol></svg>'
)


def text(value: object) -> str:
    """Return a name or message as it may stand in the page, also inside an attribute."""
    return escape(printable(str(value)), quote=True)


def number(value: float, *, sign: bool = False) -> str:
    """Return a figure to three places, its full value kept for programs; a dash for NaN."""
    if value != value:
        return '<span class="quiet">–</span>'
    shown = f"{value:+.3f}" if sign else f"{value:.3f}"
    return f'<data value="{value!r}">{shown.replace("-", "−")}</data>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str, numeric: Sequence[int] = ()) -> str:
    """Return a table of HTML cells; the first cell of a row is its heading. ``numeric`` columns stand right."""
    right = [' class="n"' if column in numeric else "" for column in range(len(head))]
    top = "".join(f'<th scope="col"{side}>{cell}</th>' for cell, side in zip(head, right, strict=True))
    body = []
    for cells in rows:
        first, *others = zip(cells, right, strict=True)
        line = "".join(f"<td{side}>{cell}</td>" for cell, side in others)
        body.append(f'<tr><th scope="row"{first[1]}>{first[0]}</th>{line}</tr>')
    return (
        f'<div class="scroll"><table><caption class="sr">{escape(caption)}</caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def section(name: str, heading: str, *parts: str, intro: str = "") -> str:
    """Return a part of the page with its heading; ``intro`` is HTML."""
    lead = f'<p class="lead">{intro}</p>' if intro else ""
    head = f'<h2 id="{name}-h">{escape(heading)}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-h">{head}{lead}{"".join(parts)}</section>'


def page(title: str, lead: str, sections: Sequence[str], *, pictures: int) -> str:
    """Return the whole file. ``lead`` and ``sections`` are HTML; ``pictures`` is how many are inside."""
    body = "".join(sections)
    weight = size_in_words(len(body.encode()) + len(STYLE))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY, quote=True)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body>{_SYMBOLS}"
        f"<header><h1>{text(title)}</h1>{lead}</header><main>{body}</main>"
        f"<footer><p>Made by lookalike {escape(__version__)}. This file is about {weight} with {pictures} small "
        "pictures inside; it needs no other file and no network.</p></footer></body></html>\n"
    )


def size_in_words(count: int) -> str:
    """Return a number of bytes in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"


def write_page(html: str, target: Path) -> Path:
    """Write the file so that a reader never sees half of it; the folder is made, a file that is there is replaced.

    Raises:
        StorageFailed: the folder cannot be made or written, or the disk is full.
    """
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(html.encode())
        aside.replace(target)
    except OSError as failure:
        if target.parent.is_dir():
            aside.unlink(missing_ok=True)
        raise StorageFailed(
            f"the report {str(target)!r} could not be written: {failure.strerror or failure}.",
            hint="Choose another folder, or make room.",
        ) from failure
    return target

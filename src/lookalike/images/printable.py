"""Names as they can be shown: on a terminal, in JSON, under a picture."""

from __future__ import annotations

import re

__all__ = ["printable"]

_AWKWARD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str) -> str:
    """Return the text on one line: control characters escaped, undecodable bytes of a file name as %XX.

    An escape sequence in a file name must not reach the terminal, nor half a character a JSON file.
    """
    return _AWKWARD.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    letter = found.group()
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that Python could not decode (PEP 383)
        return f"%{code - 0xDC00:02X}"
    return _SHORT.get(letter) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")

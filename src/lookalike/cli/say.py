"""What the person reads: results on stdout, everything else on stderr."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from ..errors import LookalikeError
from ..images.printable import printable

__all__ = [
    "duration",
    "error",
    "failure",
    "json_error",
    "message",
    "overhear",
    "paths",
    "result",
    "set_up_streams",
    "size",
]


def set_up_streams() -> None:
    """Let names that the terminal's encoding lacks come out escaped instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def result(value: Mapping[str, Any]) -> None:
    """Print one JSON object; refuses NaN and infinity, which JSON does not have."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2))


def message(text: str) -> None:
    """Tell the person something on stderr."""
    click.echo(text, err=True)


def error(problem: LookalikeError) -> None:
    """Say what was wrong and what to do."""
    click.echo(f"lookalike: {printable(problem.message)}", err=True)
    if problem.hint:
        click.echo(problem.hint, err=True)


def json_error(code: str, text: str, hint: str) -> None:
    """Print an error as the JSON object of the contract."""
    result({"error": {"code": code, "message": printable(text), "hint": hint}})


def failure(problem: Exception) -> None:
    """Own up to a failure of ours."""
    click.echo(f"lookalike: this should not have happened: {type(problem).__name__}: {problem}", err=True)
    click.echo("Please report it, with what `LOOKALIKE_DEBUG=1 lookalike ...` prints.", err=True)


def overhear(name: str) -> None:
    """Tell the person what a part of the library logs, such as that something will take long."""

    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message(record.getMessage())

    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(Teller())


def paths(sources: list[str], *, null: bool) -> None:
    """Print one path a line, or NUL-separated, byte for byte as the file system has them."""
    end = b"\0" if null else b"\n"
    data = b"".join(os.fsencode(source) + end for source in sources)
    sys.stdout.flush()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:  # a captured stream without bytes
        sys.stdout.write(data.decode("utf-8", "backslashreplace"))
    else:
        binary.write(data)
        binary.flush()


def duration(seconds: float) -> str:
    """Return a length of time as people say it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"

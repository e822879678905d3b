"""The command line: one file a command; no logic beyond reading arguments and showing results."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``lookalike`` with the arguments given (by default those of the process) and exit."""
    from .app import run

    run(arguments)

"""Which collection is meant: the one named, or the nearest one from the current folder upwards."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import BadInput
from ..images.names import is_url

__all__ = ["DEFAULT_NAME", "default_path"]

DEFAULT_NAME = "lookalike.collection"


def default_path(start: Path | None = None) -> Path:
    """Return the nearest ``lookalike.collection`` from ``start`` upwards, as git finds its repository.

    ``LOOKALIKE_COLLECTION`` in the environment comes first. Where there is none, the one that would be made in
    ``start`` (by default the current folder) is returned.

    Raises:
        BadInput: ``LOOKALIKE_COLLECTION`` is the address of a server.
    """
    named = os.environ.get("LOOKALIKE_COLLECTION", "")
    if is_url(named):
        raise BadInput(
            f"LOOKALIKE_COLLECTION names a server, {named}, and this needs a folder.",
            hint="Name one with --collection.",
        )
    if named:
        return Path(named).expanduser()
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        candidate = folder / DEFAULT_NAME
        if candidate.is_dir():
            return candidate
    return here / DEFAULT_NAME

"""Query images on disk, where the operator wants them for training; nowhere else are they ever kept."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Sequence
from pathlib import Path

from .settings import Settings

__all__ = ["keep_queries"]

log = logging.getLogger("lookalike.serve")


def keep_queries(images: Sequence[bytes], settings: Settings) -> None:
    """Write the pictures of a query under their sha256, which is what the click log calls them."""
    if not settings.keep_queries:
        return
    folder = Path(settings.keep_queries).expanduser()
    for data in images:
        name = hashlib.sha256(data).hexdigest()
        file = folder / name[:2] / name
        if file.exists():
            continue
        part = file.with_name(f"{name}.{secrets.token_hex(4)}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(file)
        except OSError as error:
            log.error("a query image could not be kept: %s", error)  # the search itself goes on
            part.unlink(missing_ok=True)

"""What a run that was stopped goes on from: one file, written aside and renamed, read without pickles."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import BadInput, ModelError
from .settings import Settings

__all__ = ["load_state", "save_state"]


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers and text; a kill at any moment leaves the file before or this one."""
    import torch

    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException as failed:  # Ctrl-C too
        aside.unlink(missing_ok=True)
        if _interrupted(failed):  # torch finds its archive torn when it closes it, and says that instead
            raise KeyboardInterrupt from failed
        raise


def _interrupted(failed: BaseException | None) -> bool:
    while failed is not None and not isinstance(failed, KeyboardInterrupt):
        failed = failed.__context__
    return failed is not None


def load_state(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return what was saved; None where there is nothing.

    Raises:
        BadInput: it was made with other settings; the first that differs is named.
        ModelError: the file is damaged.
    """
    import torch

    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as broken:  # torch's errors share no base
        raise ModelError(f"{path} cannot be read: {broken}", hint="Delete it to begin again.") from broken
    before = json.loads(state["settings"])
    default = Settings().to_json()  # of what the version that began the run did not have yet
    # What only changes how fast it goes may change between two runs.
    free = ("threads", "cache_mb", "device", "devices", "save_every")
    for key in settings:
        if key not in free and before.get(key, default.get(key)) != settings[key]:
            raise BadInput(
                f"the run in {path.parent} was begun with {key} = {before.get(key)!r}, not {settings[key]!r}.",
                hint="Give the same settings to go on, another --out, or --restart to begin again.",
            )
    return state

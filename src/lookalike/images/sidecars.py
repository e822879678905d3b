"""What lies beside a picture: WebDataset's ``.json``, ``.txt`` and ``.cls``, in archives and in folders."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from ..errors import ImageError
from .reading import FetchLimits, read_file

__all__ = ["MAX_BYTES", "SIDECARS", "beside", "json_value", "metadata_of"]

SIDECARS = ("json", "txt", "cls")
MAX_BYTES = 1_000_000  # a larger one is data of another kind (LabelMe keeps whole pictures in its JSON)
# Keys of img2dataset's JSON; other programs put JSON beside pictures too, and that is not meant for us.
_IMG2DATASET = frozenset({"key", "url", "caption"})


def json_value(value: Any) -> Any:
    """Return the value as JSON knows it: no NaN or infinity, times as ISO 8601, keys as text, bytes left out."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_value(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(part) for part in value]
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return None
    return str(value)


def metadata_of(parts: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the metadata in the sidecars of one sample, by suffix; what cannot be read is as if it were not there."""
    found = _object(parts.get("json", b""))
    if "txt" in parts:
        found["caption"] = parts["txt"].decode("utf-8", "replace").strip()
    if "cls" in parts:
        label = parts["cls"].decode("utf-8", "replace").strip()
        found["label"] = int(label) if label.isascii() and label.isdigit() and len(label) < 19 else label
    return found


def beside(stem: str, names: frozenset[str], base: str, limits: FetchLimits) -> dict[str, Any]:
    """Return the metadata that img2dataset left beside a picture of a folder.

    Args:
        stem: the picture's path without its suffix.
        names: the names in the picture's folder, so that looking costs no system call.
        base: the name of the picture without its suffix.
        limits: of reading.
    """
    if f"{base}.json" not in names:
        return {}
    found = _object(_small(f"{stem}.json", limits))
    if not _IMG2DATASET & found.keys():
        return {}
    # A .txt alone is more often a YOLO label than a caption: it is read only where the JSON is img2dataset's.
    if "caption" not in found and f"{base}.txt" in names:
        found["caption"] = _small(f"{stem}.txt", limits).decode("utf-8", "replace").strip()
    return found


def _small(path: str, limits: FetchLimits) -> bytes:
    try:
        return read_file(path, FetchLimits(max_bytes=min(MAX_BYTES, limits.max_bytes)))
    except ImageError:
        return b""


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return {key: json_value(value) for key, value in found.items()} if isinstance(found, dict) else {}

"""Values of Python to values of SQLite and back, checked at the door."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import BadInput, BadShape
from ..protocols import NewRecord
from ..types import Metadata, Record, Stamp, Vectors, VectorSpace

__all__ = ["COLUMNS", "check_vectors", "hash_bytes", "metadata_text", "record", "values"]

# What ``record`` reads, in this order; joined with ``roots``.
COLUMNS = (
    "records.row, records.id, source, roots.path, size, mtime_ns, content_hash, width, height, metadata, indexed_ns "
    "FROM records LEFT JOIN roots ON roots.id = records.root_id"
)

_NORM_TOLERANCE = 1e-3  # a float16 model's unit vector is within 5e-4; a forgotten normalisation is far outside
_LONGEST = 1e15  # squared distances beyond it overflow float32


def record(columns: Sequence[Any]) -> Record:
    """Make a record of one row of ``SELECT`` COLUMNS."""
    row, name, source, root, size, mtime_ns, content_hash, width, height, metadata, indexed_ns = columns
    return Record(
        row=row,
        id=name,
        source=os.fsdecode(source),
        root=os.fsdecode(root) if root is not None else "",
        stamp=Stamp(size, mtime_ns) if size is not None else None,
        content_hash=content_hash.hex() if content_hash is not None else "",
        width=width,
        height=height,
        metadata=json.loads(metadata),
        indexed_ns=indexed_ns,
    )


def values(new: NewRecord) -> dict[str, Any]:
    """Return the columns of a new record, but for its row, root and clock."""
    if not new.id:
        raise BadInput(f"the record of {new.source!r} has an empty id.", hint="Give every record an id of its own.")
    try:
        new.id.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(
            f"the id {new.id!r} is not valid Unicode.", hint="Write the bytes of it that are not UTF-8 as %XX."
        ) from error
    return {
        "id": new.id,
        "source": os.fsencode(new.source),
        "size": new.stamp.size if new.stamp is not None else None,
        "mtime_ns": new.stamp.mtime_ns if new.stamp is not None else None,
        "content_hash": hash_bytes(new.content_hash),
        "width": new.width,
        "height": new.height,
        "metadata": metadata_text(new.id, new.metadata),
    }


def hash_bytes(content_hash: str) -> bytes | None:
    """Return the 32 bytes of a sha256 in hex; None for the empty string."""
    if not content_hash:
        return None
    try:
        raw = bytes.fromhex(content_hash)
    except ValueError:
        raw = b""
    if len(raw) != 32 or len(content_hash) != 64:
        raise BadInput(f"a content hash is a sha256 of 64 hex digits, got {content_hash!r}.")
    return raw


def metadata_text(name: str, metadata: Metadata) -> str:
    """Return the metadata as JSON; refuse what JSON cannot say, so that it is never lost later."""
    try:
        # ASCII, because a lone surrogate (from a file name, say) can be escaped but not stored.
        return json.dumps(dict(metadata), allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(
            f"the metadata of {name!r} is not JSON: {error}.",
            hint="Use text, finite numbers, true, false, null, and lists and objects of them.",
        ) from error


def check_vectors(space: VectorSpace, vectors: Vectors, n: int) -> None:
    """Refuse vectors that are not (n, width) of the space's type.

    Floats must be finite, and of unit norm where the space says so; of bits the unused ones must be 0.
    """
    seen = f"{getattr(vectors, 'dtype', type(vectors).__name__)} of shape {getattr(vectors, 'shape', '?')}"
    if not isinstance(vectors, np.ndarray) or vectors.shape != (n, space.width) or vectors.dtype != space.dtype:
        raise BadShape(f"the space {space.name!r} takes {space.dtype} of shape {(n, space.width)}, got {seen}.")
    if space.kind == "bits":
        if np.bitwise_and(vectors[:, -1], space.unused, dtype=np.uint8).any():
            raise BadShape(f"a vector for the space {space.name!r} has more than its {space.dim} bits set.")
        return
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise BadShape(f"vector {int(np.argmin(finite))} of {n} for the space {space.name!r} is not finite.")
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    if (norms > _LONGEST).any():
        raise BadShape(
            f"vector {int(np.argmax(norms))} of {n} for the space {space.name!r} is longer than {_LONGEST:g}."
        )
    if space.similarity == "cosine":
        off = np.abs(norms - 1) > _NORM_TOLERANCE
        if off.any():
            first = int(np.argmax(off))
            raise BadShape(
                f"vector {first} of {n} for the space {space.name!r} has the norm {norms[first]:.6g}, not 1.",
                hint="Divide each vector by its L2 norm, or use a space whose similarity is 'l2'.",
            )

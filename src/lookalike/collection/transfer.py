"""Vectors in and out, in the layout that clip-retrieval writes: ``.npy`` files and Parquet tables in one order."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..embed import create, resolve
from ..errors import BadInput, BadShape, MissingExtra, NoSuchFile
from ..images.printable import printable
from ..types import Record, Stamp, Vectors, VectorSpace
from .facade import Collection
from .opening import open

__all__ = ["export_folder", "import_vectors"]

PART = 1_000_000  # vectors a file, as clip-retrieval's --write_batch_size
AT_ONCE = 1000  # records in one transaction
PATH_COLUMNS = ("image_path", "file", "path", "filename", "url")


def export_folder(photos: Collection, folder: str | os.PathLike[str]) -> int:
    """Write every image's vector and facts; return how many.

    ``img_emb/img_emb_{i}.npy`` holds (N, D) float32 (packed bits: (N, ceil(D / 8)) uint8),
    ``metadata/metadata_{i}.parquet`` the columns ``image_path``,
    ``id``, ``row``, ``content_hash``, ``width``, ``height`` and every key of the metadata.

    Raises:
        BadInput: the folder holds an export already. MissingExtra: pyarrow is not installed.
    """
    arrow, parquet = _arrow()
    target = Path(folder).expanduser()
    if (target / "img_emb").exists():
        raise BadInput(f"{target} holds vectors already.", hint="Name another folder, or remove it first.")
    (target / "img_emb").mkdir(parents=True)
    (target / "metadata").mkdir(exist_ok=True)
    records = iter(photos)
    count = 0
    for part, some in enumerate(iter(lambda: list(islice(records, PART)), [])):
        vectors = np.lib.format.open_memmap(
            target / "img_emb" / f"img_emb_{part}.npy", "w+", photos.space.dtype, (len(some), photos.space.width)
        )
        for start in range(0, len(some), AT_ONCE):
            rows = [record.row for record in some[start : start + AT_ONCE]]
            vectors[start : start + len(rows)] = photos.store.vectors(photos.space.name, rows)
        vectors.flush()
        table = arrow.Table.from_pylist([_facts(record) for record in some])
        parquet.write_table(table, target / "metadata" / f"metadata_{part}.parquet")
        count += len(some)
    return count


def _facts(record: Record) -> dict[str, Any]:
    own = {
        "image_path": printable(record.source),
        "id": record.id,
        "row": record.row,
        "content_hash": record.content_hash,
        "width": record.width,
        "height": record.height,
    }
    # A column holds one type: nested values go in as JSON text.
    rest = {
        key: json.dumps(value) if isinstance(value, (dict, list)) else value for key, value in record.metadata.items()
    }
    return {**rest, **own}


@dataclass(frozen=True, slots=True)
class _Imported:
    """A record whose file may not be here."""

    id: str
    source: str
    root: str = ""
    stamp: Stamp | None = None
    content_hash: str = ""
    width: int = 0
    height: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)


def import_vectors(
    collection: str | os.PathLike[str] | None,
    source: str | os.PathLike[str],
    *,
    metadata: str | os.PathLike[str] | None = None,
    embedder: str | None = None,
    name: str | None = None,
) -> tuple[Collection, int]:
    """Take in vectors that were made elsewhere; return the collection and how many there were.

    Args:
        collection: where to, as in ``open``; made when it is not there.
        source: a folder as clip-retrieval writes it (``img_emb/*.npy``, ``metadata/*.parquet``), or one ``.npy`` file
            (N, D) of float16, float32 or float64, or of uint8 that holds packed bits.
        metadata: a Parquet or CSV table with a row a vector, beside a single file. The first of ``image_path``,
            ``file``, ``path``, ``filename``, ``url`` is where the image is; ``id`` its id; the rest is metadata.
        embedder: the one that made the vectors, so that new images can be searched for and added.
        name: what to call the vectors when no embedder is named.

    Raises:
        NoSuchFile, BadShape: files that are missing or do not fit one another. OtherEmbedder: as in ``open``.
    """
    path = Path(source).expanduser()
    parts = _parts(path, Path(metadata).expanduser() if metadata else None)
    first = np.load(parts[0][0], mmap_mode="r", allow_pickle=False)
    if first.ndim != 2 or not (np.issubdtype(first.dtype, np.floating) or first.dtype == np.uint8):
        raise BadShape(
            f"{parts[0][0]} must hold floats or packed bits of shape (N, D), got {first.dtype} {first.shape}."
        )
    claimed: Any
    if embedder:
        claimed = create(resolve(embedder))
        there, right = _what(first.shape[1], first.dtype), _what(claimed.space.width, claimed.space.dtype)
        if there != right:
            raise BadShape(
                f"{parts[0][0]} has vectors of {there}, those of {embedder!r} have {right}.",
                hint="Name the embedder that made them, or leave --embedder out.",
            )
    else:
        claimed = _Claimed(_space(name or path.stem, first))
    photos = open(collection, embedder=claimed)
    if not embedder:
        photos = Collection(photos.store, photos.space.name)  # which has no model, and says so when one is needed
    try:
        with photos.store.writing():
            count = sum(_take(photos, vectors, table) for vectors, table in parts)
            photos.settle()
    except BaseException:
        photos.close()
        raise
    return photos, count


class _Claimed:
    """Stands for the model that made imported vectors and is not here: it has a space, and embeds nothing."""

    def __init__(self, space: VectorSpace) -> None:
        self.space = space
        self.fingerprint = space.fingerprint
        self.input_size = 1
        self.spec = ""

    def embed(self, images: Sequence[Any]) -> Vectors:
        raise BadInput(f"the vectors {self.space.name!r} came without the model that made them.")


def _what(width: int, dtype: np.dtype[Any]) -> str:
    return f"{width} bytes of bits" if dtype == np.uint8 else f"{width} dimensions"


def _space(name: str, vectors: np.ndarray[Any, Any]) -> VectorSpace:
    if vectors.dtype == np.uint8:
        bits = vectors.shape[1] * 8
        label = f"imported:{name}"
        return VectorSpace(label, bits, f"{label}/{bits}/hamming", kind="bits", similarity="hamming")
    sample = np.asarray(vectors[:1000], dtype=np.float32)
    unit = bool(len(sample)) and bool(np.all(np.abs(np.linalg.norm(sample, axis=1) - 1) < 1e-2))
    similarity = "cosine" if unit else "l2"
    label = f"imported:{name}"
    return VectorSpace(
        name=label,
        dim=vectors.shape[1],
        fingerprint=f"{label}/{vectors.shape[1]}/{similarity}",
        similarity="cosine" if unit else "l2",
    )


def _parts(path: Path, metadata: Path | None) -> list[tuple[Path, Path | None]]:
    if path.is_file():
        return [(path, metadata)]
    if not path.is_dir():
        raise NoSuchFile(f"no such file or folder: {path}.")
    folder = path / "img_emb" if (path / "img_emb").is_dir() else path
    arrays = sorted(folder.glob("*.npy"), key=_number)
    if not arrays:
        raise NoSuchFile(f"{path} holds no .npy files.", hint="A clip-retrieval folder has img_emb/img_emb_0.npy.")
    tables = sorted((path / "metadata").glob("*.parquet"), key=_number)
    if tables and len(tables) != len(arrays):
        raise BadShape(
            f"{path} has {len(arrays)} files of vectors and {len(tables)} of metadata; there must be as many."
        )
    return [(array, tables[place] if tables else None) for place, array in enumerate(arrays)]


def _number(path: Path) -> tuple[int, str]:
    digits = path.stem.rpartition("_")[2]
    return (int(digits) if digits.isdigit() else -1, path.name)


def _take(photos: Collection, array_path: Path, table_path: Path | None) -> int:
    vectors = np.load(array_path, mmap_mode="r", allow_pickle=False)
    space = photos.space
    if vectors.ndim != 2 or vectors.shape[1] != space.width or (vectors.dtype == np.uint8) != (space.kind == "bits"):
        kind = "packed bits" if space.kind == "bits" else "floats"
        raise BadShape(
            f"{array_path} must hold {kind} of shape (N, {space.width}), got {vectors.dtype} {vectors.shape}."
        )
    records = _records(array_path, table_path, len(vectors))
    done = 0
    while some := list(islice(records, AT_ONCE)):
        rows = np.asarray(vectors[done : done + len(some)], dtype=space.dtype)
        if len(rows) < len(some):
            raise BadShape(f"{table_path} has more rows than {array_path} has vectors ({len(vectors)}).")
        if space.similarity == "cosine":
            # float16 rows are of unit norm to 3 digits only; those that are so to 6 come through bit by bit.
            norms = np.linalg.norm(rows, axis=1, keepdims=True)
            rows = np.where(np.abs(norms - 1) < 1e-6, rows, rows / np.maximum(norms, 1e-12))
        photos.store.put(some, {space.name: rows})
        done += len(some)
    if done != len(vectors):
        raise BadShape(f"{table_path} has {done} rows, {array_path} has {len(vectors)} vectors; there must be as many.")
    return done


def _records(array_path: Path, table_path: Path | None, count: int) -> Iterator[_Imported]:
    if table_path is None:
        for place in range(count):
            id = f"{array_path.stem}/{place}"
            yield _Imported(id=id, source=f"imported:{id}")
        return
    for place, facts in enumerate(_table(table_path)):
        where = next((str(facts[name]) for name in PATH_COLUMNS if facts.get(name)), "")
        id = str(facts.get("id") or where or f"{array_path.stem}/{place}")
        rest = {key: value for key, value in facts.items() if key not in (*PATH_COLUMNS, "id", "row", "content_hash")}
        yield _Imported(
            id=id,
            source=where if "://" in where else (os.path.abspath(where) if where else f"imported:{id}"),
            content_hash=str(facts.get("content_hash") or ""),
            width=int(facts.get("width") or 0),
            height=int(facts.get("height") or 0),
            metadata={
                key: value for key, value in rest.items() if key not in ("width", "height") and value is not None
            },
        )


def _table(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise NoSuchFile(f"no such metadata file: {path}.")
    if path.suffix.lower() in (".csv", ".tsv"):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.DictReader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        return
    _, parquet = _arrow()
    for batch in parquet.ParquetFile(path).iter_batches(batch_size=AT_ONCE):
        yield from batch.to_pylist()


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            "Parquet tables need the package 'pyarrow', which is not installed.",
            hint="Try: pip install 'lookalike[parquet]'",
        ) from missing
    return pyarrow, pyarrow.parquet

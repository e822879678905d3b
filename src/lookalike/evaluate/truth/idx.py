"""IDX files, as of MNIST and Fashion-MNIST: ``t10k-labels-idx1-ubyte.gz``.

Images are called ``t10k/00000``, ``t10k/00001``, ... in their order, as indexing the images file calls them. One file:
each image searches the others. A folder with labels of ``t10k`` and of ``train...``: test images search the training
images. Source: LeCun, Cortes and Burges, the MNIST database, file formats.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadInput, NoSuchFile
from .base import LabelSets, Reader, Truth
from .building import base_alone

__all__ = ["READER", "read"]

PATTERN = "*-labels-idx1-ubyte*"
_MARK = "-labels-idx1-ubyte"


def looks(path: Path) -> bool:
    """Whether it is called like labels in IDX, or a folder with such a file."""
    return bool(_files(path))


def read(path: Path) -> Truth:
    """Read it.

    Raises:
        NoSuchFile, BadInput: no IDX file of labels; a file that ends early; two files whose parts are not known.
    """
    files = _files(path)
    if not files:
        raise NoSuchFile(f"{path} holds no labels in IDX.", hint="They are called like t10k-labels-idx1-ubyte.gz.")
    names: list[str] = []
    labels: list[tuple[str]] = []
    parts: dict[str, npt.NDArray[np.int64]] = {}
    for file in files:
        part = file.name.partition(_MARK)[0]
        values = _labels(file)
        parts[part] = np.arange(len(names), len(names) + len(values), dtype=np.int64)
        names += [f"{part}/{at:05d}" for at in range(len(values))]
        labels += [(str(value),) for value in values.tolist()]
    test = next((part for part in ("t10k", "test") if part in parts), None)
    if len(parts) == 1:
        test = None
    elif len(parts) > 2 or test is None:
        raise BadInput(f"{path} holds the parts {', '.join(sorted(parts))}.", hint="Name the file of one part.")
    return Truth(
        path=path,
        format="idx",
        names=tuple(names),
        labels=LabelSets.of(labels),
        queries=parts[test] if test else None,
        base=next(rows for part, rows in parts.items() if part != test) if test else None,
    )


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.glob(PATTERN))
    return [path] if _MARK in path.name else []


def _labels(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise NoSuchFile(f"no such truth file: {path}.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {error}.", hint="Fetch it again.") from error
    if len(data) < 8 or data[:4] != b"\0\0\x08\x01":  # unsigned bytes, one dimension
        raise BadInput(f"{path} holds no labels in IDX: it does not begin with 00 00 08 01.")
    (count,) = struct.unpack(">I", data[4:8])
    if len(data) != 8 + count:
        raise BadInput(f"{path} should hold {count} labels and holds {len(data) - 8}.", hint="Fetch it again.")
    return np.frombuffer(data, np.uint8, offset=8)


READER = Reader("idx", "IDX labels, as of MNIST: t10k-labels-idx1-ubyte.gz", looks, read, base_alone(read))

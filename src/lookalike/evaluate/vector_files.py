"""Vectors from files or arrays, searched exactly as a collection's are: for features that were made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadShape, NoSuchFile
from ..index.exact import Exact
from ..types import Candidates, Record, Rows, Vectors, VectorSpace
from .truth.base import Truth

__all__ = ["VectorSet", "load_set", "load_vectors"]

_NORM_TOLERANCE = 1e-3


class VectorSet:
    """Named vectors that can be searched and evaluated; keeps the ``Searcher`` protocol.

    Args:
        vectors: (N, D) finite floats. Rows of unit norm are compared by cosine, others by minus the squared distance,
            unless ``cosine`` says to make them unit first.
        names: N ids; None: ``0`` .. ``N - 1``.
        cosine: scale every row to unit norm.
    """

    def __init__(
        self, vectors: npt.NDArray[np.floating], names: Sequence[str] | None = None, *, cosine: bool = False
    ) -> None:
        table = np.ascontiguousarray(vectors, np.float32)
        if table.ndim != 2 or not table.shape[1]:
            raise BadShape(f"vectors are (N, D), got {table.shape}.")
        if not np.isfinite(table).all():
            first = int(np.argmin(np.isfinite(table).all(axis=1)))
            raise BadInput(f"vector {first} holds NaN or infinity.", hint="Look at the image that it was made of.")
        norms = np.linalg.norm(table, axis=1)
        if cosine:
            if (norms == 0).any():
                raise BadInput(f"vector {int(np.argmin(norms))} is zero: it has no direction.")
            table = table / norms[:, None]
            norms = np.ones(len(table), np.float32)
        self.names = tuple(names) if names is not None else tuple(str(at) for at in range(len(table)))
        if len(self.names) != len(table) or len(set(self.names)) != len(table):
            raise BadInput(
                f"{len(table)} vectors need as many different names, got {len(self.names)}, "
                f"{len(set(self.names))} of them different."
            )
        unit = bool((np.abs(norms - 1) <= _NORM_TOLERANCE).all())
        self.space = VectorSpace("given", table.shape[1], "given", similarity="cosine" if unit else "l2")
        self._table = table
        self._index = Exact(self.space)
        self._index.add(np.arange(len(table), dtype=np.int64), table)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Record]:
        for row, name in enumerate(self.names):
            yield Record(row, name, name)

    @property
    def searcher(self) -> VectorSet:
        """Return itself."""
        return self

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        """Return the k nearest of each of (Q, D) vectors."""
        return self._index.search(vectors, k, allowed=allowed)

    def vectors(self, ids: Rows) -> Vectors:
        """Return (B, D), the vectors of rows."""
        taken: Vectors = self._table[ids]
        return taken


def load_set(vectors: Sequence[str | Path], names: Sequence[str | Path], truth: Truth) -> tuple[VectorSet, Truth]:
    """Return the vectors of one file, or of two: queries and base; and the truth, which then says so.

    Args:
        vectors: one or two ``.npy`` files.
        names: as many text files, a name a line; none: the vectors are of the truth's names, in its order.
        truth: what is known of the names.

    Raises:
        NoSuchFile, BadInput: files that cannot be read, that do not fit one another, or whose numbers of vectors and
            names differ.
    """
    if len(vectors) > 2 or (names and len(names) != len(vectors)):
        raise BadInput(
            f"{len(vectors)} files of vectors and {len(names)} of names do not go together.",
            hint="Give one file of vectors, or two (queries, then base), and a file of names for each.",
        )
    tables = [load_vectors(path) for path in vectors]
    if len({table.shape[1] for table in tables}) > 1:
        raise BadInput(f"the vectors of {' and '.join(map(str, vectors))} differ in length.")
    table = np.concatenate(tables)
    if names:
        listed = [_names(Path(path)) for path in names]
        for file, table_, some in zip(vectors, tables, listed, strict=True):
            if len(table_) != len(some):
                raise BadInput(f"{file} holds {len(table_)} vectors, and there are {len(some)} names for them.")
        called = [name for some in listed for name in some]
    elif len(truth) == len(table):
        called = list(truth.names)
    else:
        raise BadInput(
            f"{len(table)} vectors cannot be told to be of the {len(truth)} images that {truth.path} names.",
            hint="Say what they are of, a name a line: --names FILE",
        )
    if len(tables) == 2 and truth.queries is None:
        position = {name: at for at, name in enumerate(truth.names)}
        asking, base = called[: len(tables[0])], called[len(tables[0]) :]
        truth = replace(
            truth,
            queries=np.array([position[name] for name in asking if name in position], np.int64),
            base=np.array([position[name] for name in base if name in position], np.int64),
        )
    return VectorSet(table, called), truth


def _names(path: Path) -> list[str]:
    try:
        return path.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise NoSuchFile(f"no such file of names: {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text: {error}.", hint="Write it in UTF-8.") from error


def load_vectors(path: str | Path) -> npt.NDArray[np.float32]:
    """Return (N, D) float32 of a ``.npy`` file.

    Raises:
        NoSuchFile: there is none. BadInput: it is no table of numbers; pickled objects are not loaded.
    """
    where = Path(path).expanduser()
    try:
        table = np.load(where, allow_pickle=False)
    except FileNotFoundError:
        raise NoSuchFile(f"no such file of vectors: {where}.") from None
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{where} cannot be read as .npy: {error}.", hint="Write it with numpy.save.") from error
    if not isinstance(table, np.ndarray) or table.ndim != 2 or table.dtype.kind not in "fiu":
        raise BadInput(f"{where} holds no table (N, D) of numbers.", hint="Write it with numpy.save.")
    return np.asarray(table, np.float32)

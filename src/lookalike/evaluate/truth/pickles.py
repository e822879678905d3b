"""Reads pickles of lists, dicts, texts, numbers and NumPy arrays, and runs no code that a pickle names.

A pickle is a program; what it may call is decided by ``find_class`` alone. Here it finds a handful of names, and each
gives a small stand-in of ours: NumPy's own reconstruction, which trusts what it is given, is never called.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BadInput, NoSuchFile

__all__ = ["array_of", "load_plain"]

_LARGEST = 1 << 30  # bytes of a file


class _Dtype:
    """Stands for ``numpy.dtype``: numbers and booleans only."""

    def __init__(self, code: str, align: object = False, copy: object = False) -> None:
        if not isinstance(code, str) or code.lstrip("<>|=")[:1] not in "biuf":
            raise pickle.UnpicklingError(f"arrays of {code!r} are not read")
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]  # (version, byte order, subarray, names, fields, size, alignment, flags)
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("arrays of records are not read")
        self.value = self.value.newbyteorder(order if order in "<>" else "=")


class _Array:
    """Stands for an array whose contents come in a second step."""

    def __init__(self) -> None:
        self.value = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        data = raw.encode("latin-1") if isinstance(raw, str) else raw
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise pickle.UnpicklingError("arrays of objects are not read")
        if math.prod(shape) * dtype.value.itemsize != len(data):
            raise pickle.UnpicklingError("an array whose size and contents differ")
        self.value = np.frombuffer(data, dtype.value).reshape(shape, order="F" if fortran else "C")


class _ArrayClass:
    """Stands for ``numpy.ndarray`` itself, which pickles only mention."""


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    return _Array()


def _scalar(dtype: object, raw: bytes | str) -> Any:
    data = raw.encode("latin-1") if isinstance(raw, str) else raw
    if not isinstance(dtype, _Dtype) or len(data) != dtype.value.itemsize:
        raise pickle.UnpicklingError("a number whose type and contents differ")
    return np.frombuffer(data, dtype.value)[0].item()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise pickle.UnpicklingError("a text in a strange encoding")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    return b""  # how old protocols write an empty array's contents; with an argument, bytes(n) would fill the memory


_ALLOWED: dict[tuple[str, str], Any] = {
    ("__builtin__", "bytes"): _no_bytes,
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _ArrayClass,
}
for _home in ("numpy.core.multiarray", "numpy._core.multiarray"):  # NumPy 1 and 2
    _ALLOWED[_home, "_reconstruct"] = _reconstruct
    _ALLOWED[_home, "scalar"] = _scalar


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which could run code")
        return _ALLOWED[module, name]


def load_plain(path: Path) -> Any:
    """Return what a pickle holds; arrays are stand-ins that ``array_of`` turns into arrays.

    Raises:
        NoSuchFile: there is none. BadInput: it names anything but plain values and arrays, or is no pickle.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size > _LARGEST:
                raise BadInput(f"{path} has more than {_LARGEST:,} bytes: that is no list of names.")
            return _Plain(file, encoding="latin1").load()
    except FileNotFoundError:
        raise NoSuchFile(f"no such truth file: {path}.") from None
    except pickle.UnpicklingError as error:
        raise BadInput(
            f"{path} was not read: {error}.",
            hint="Only lists, dicts, texts, numbers and arrays of numbers are read from a pickle.",
        ) from error
    except BadInput:
        raise
    except Exception as error:  # a torn or hostile pickle fails in any way it likes, before anything of ours runs
        raise BadInput(f"{path} cannot be read as a pickle: {type(error).__name__}: {error}.") from error


def array_of(value: Any) -> Any:
    """Return the array that a stand-in holds; other values as they are."""
    return value.value if isinstance(value, _Array) else value

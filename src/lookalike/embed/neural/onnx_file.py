"""Reads of an ONNX file what must be known before it runs: which other files hold its weights.

A walk over the protobuf wire format of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, so that the core needs
no ``onnx`` package: ModelProto.graph (7) -> GraphProto.initializer (5) -> TensorProto.external_data (13) ->
StringStringEntryProto key (1), value (2).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

__all__ = ["declared_outputs", "external_data", "fields"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def external_data(path: Path) -> list[str]:
    """Return the file names, relative to the model's folder, that hold external weights; sorted, each once.

    Raises:
        ValueError: the file is not protobuf.
    """
    names: set[str] = set()
    if path.stat().st_size == 0:
        raise ValueError("the file is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for graph in fields(data, 0, len(data), 7):
            for tensor in fields(data, *graph, 5):
                for entry in fields(data, *tensor, 13):
                    key = [data[a:b] for a, b in fields(data, *entry, 1)]
                    if key == [b"location"]:
                        names.update(data[a:b].decode("utf-8") for a, b in fields(data, *entry, 2))
    return sorted(names)


def declared_outputs(data: bytes) -> list[str]:
    """Return the names of a model's outputs, GraphProto.output (12) -> ValueInfoProto.name (1), in their order.

    Raises:
        ValueError: the bytes are not protobuf.
    """
    return [
        data[a:b].decode("utf-8")
        for graph in fields(data, 0, len(data), 7)
        for output in fields(data, *graph, 12)
        for a, b in fields(data, *output, 1)
    ]


def fields(data: mmap.mmap | bytes, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) of every length-delimited field with this number, skipping over all others."""
    at = start
    while at < end:
        tag, at = _varint(data, at, end)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at, end)
        elif kind == _FIXED64:
            at += 8
        elif kind == _FIXED32:
            at += 4
        elif kind == _BYTES:
            length, at = _varint(data, at, end)
            if at + length > end:
                raise ValueError(f"a field at byte {at} reaches beyond its end")
            if tag >> 3 == wanted:
                yield at, at + length
            at += length
        else:
            raise ValueError(f"unknown wire type {kind} at byte {at}")
    if at != end:
        raise ValueError(f"a field reaches beyond byte {end}")


def _varint(data: mmap.mmap | bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError(f"a broken number at byte {at}")

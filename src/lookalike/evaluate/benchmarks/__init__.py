"""Benchmarks by name. A new one is a file beside this and its family in ``_FAMILIES``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ...errors import NoSuchFile, UnknownName
from ...nearest_name import choices
from . import coco, grocery, idx_images, omniglot, one_column, public, universal
from .base import Benchmark, Material, Part, Run, held_out

__all__ = ["BENCHMARKS", "Benchmark", "Material", "Part", "Run", "benchmark", "held_out", "read_benchmark"]

_FAMILIES = (idx_images, omniglot, one_column, grocery, coco, universal, public)

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType({b.name: b for family in _FAMILIES for b in family.BENCHMARKS})


def benchmark(name: str) -> Benchmark:
    """Return the benchmark of a name.

    Raises:
        UnknownName: there is none; the nearest is offered.
    """
    if name not in BENCHMARKS:
        raise UnknownName(f"unknown benchmark {name!r}.", hint=choices(name, BENCHMARKS))
    return BENCHMARKS[name]


def read_benchmark(name: str, data: str | Path, *, part: Part = "held-out") -> Material:
    """Read a benchmark's files: what is known of which images, and what is to be measured.

    Args:
        name: a key of ``BENCHMARKS``.
        data: the folder with its files, or one that holds that folder under the benchmark's name.
        part: ``held-out`` searches the held-out classes alone where the benchmark has any, ``all`` all classes.

    Raises:
        UnknownName: no such benchmark. NoSuchFile: its files are not there. BadInput: they contradict themselves.
    """
    found = benchmark(name)
    folder = Path(data).expanduser()
    if not folder.is_dir():
        raise NoSuchFile(f"there is no folder {folder}.", hint=f"The benchmark {name!r} needs one with {found.layout}.")
    below = next((folder / each for each in found.folders if (folder / each).is_dir()), folder)
    return found.read(below, part)

"""Fashion-MNIST, and anything else in IDX: test images search training images.

The split is the published one: all test images (``t10k``) against the training images that are there. Each image is
one of thousands of its class, so recall at a few places says nothing; precision and ``hit_rate@1`` (the accuracy of the
nearest neighbour) are what is quoted. Source: Xiao, Rasul and Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..truth.idx import read as read_labels
from .base import Benchmark, Material, Part, Run, place

__all__ = ["BENCHMARKS", "read_images"]

METRICS = ("hit_rate@1", "precision@10", "map", "r_precision")


def read(data: Path, part: Part) -> Material:
    """Read the labels; the images when they are wanted."""
    truth = read_labels(data)
    parts = dict.fromkeys(name.rpartition("/")[0] for name in truth.names)
    files = [place(data, f"{name}-images-idx3-ubyte.gz", f"{name}-images-idx3-ubyte") for name in parts]

    def pixels() -> Mapping[str, npt.NDArray[np.uint8]]:
        found: dict[str, npt.NDArray[np.uint8]] = {}
        for name, file in zip(parts, files, strict=True):
            found |= {f"{name}/{at:05d}": image for at, image in enumerate(read_images(file))}
        return found

    both = truth.queries is not None
    return Material(
        sources=(),
        runs=(
            Run(
                truth=truth,
                protocol="query-gallery" if both else "leave-one-out",
                metrics=METRICS,
                notes=("Test images search training images.",) if both else ("There is one part: leave-one-out.",),
            ),
        ),
        pixels=pixels,
    )


def read_images(path: Path) -> npt.NDArray[np.uint8]:
    """Return (N, H, W) of an IDX file of images, plain or gzip.

    Raises:
        BadInput: it is damaged, or is no IDX of unsigned bytes in three dimensions.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {error}.", hint="Fetch it again.") from error
    if len(data) < 16 or data[:4] != b"\0\0\x08\x03":  # unsigned bytes, three dimensions
        raise BadInput(f"{path} holds no images in IDX: it does not begin with 00 00 08 03.")
    shape = struct.unpack(">III", data[4:16])
    if len(data) != 16 + math.prod(shape):
        raise BadInput(
            f"{path} should hold {math.prod(shape)} bytes of pixels and holds {len(data) - 16}.", hint="Fetch it again."
        )
    return np.frombuffer(data, np.uint8, offset=16).reshape(shape)


BENCHMARKS = (
    Benchmark(
        "fashion-mnist",
        "pictures of clothing, 10 classes: test images search training images",
        "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz, and the same of train...",
        "Xiao, Rasul and Vollgraf, arXiv:1708.07747",
        ("fashion-mnist",),
        read,
    ),
)

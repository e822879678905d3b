"""Pixels to vectors: the table of embedders. A new one is one file and one line here.

``builtin`` is another name for the newest of the built-in embedders; a collection remembers the versioned name, which
stays loadable for ever.
"""

from __future__ import annotations

from typing import Any

from ..errors import BadInput
from ..protocols import Embedder
from ..registry import Registry

__all__ = ["ALIASES", "DEVICES", "EMBEDDERS", "create", "resolve"]

EMBEDDERS: Registry[Embedder] = Registry(
    "embedder",
    {
        "ahash": "lookalike.embed.handcrafted.ahash:ahash",
        "blockmean-hash": "lookalike.embed.handcrafted.blockmean_hash:blockmean_hash",
        "brightness-histogram": "lookalike.embed.handcrafted.histograms:brightness",
        "builtin-1": "lookalike.embed.builtin:builtin_1",
        "color-histogram": "lookalike.embed.builtin:color_histogram",
        "color-layout": "lookalike.embed.builtin:color_layout",
        "correlogram": "lookalike.embed.handcrafted.correlogram:correlogram",
        "dhash": "lookalike.embed.handcrafted.dhash:dhash",
        "edge-histogram": "lookalike.embed.handcrafted.edge_histogram:edge_histogram",
        "fourier": "lookalike.embed.handcrafted.fourier:fourier",
        "gabor": "lookalike.embed.handcrafted.gabor:gabor",
        "gist": "lookalike.embed.handcrafted.gist:gist",
        "haralick": "lookalike.embed.handcrafted.haralick:haralick",
        "histogram-hsv": "lookalike.embed.handcrafted.histograms:hsv",
        "histogram-opponent": "lookalike.embed.handcrafted.histograms:opponent",
        "histogram-rgb": "lookalike.embed.handcrafted.histograms:rgb",
        "hog": "lookalike.embed.builtin:hog",
        "lbp": "lookalike.embed.builtin:lbp",
        "phash": "lookalike.embed.handcrafted.phash:phash",
        "whash": "lookalike.embed.handcrafted.whash:whash",
        "onnx:": "lookalike.embed.neural.onnx:open_onnx",
        "tflite:": "lookalike.embed.neural.tflite:open_tflite",
    },
    extras={"tflite:": "tflite"},
)

ALIASES = {"builtin": "builtin-1"}

DEVICES = ("auto", "cpu", "cuda", "coreml")

_TAKES_DEVICE = frozenset({"onnx:"})


def resolve(name: str) -> str:
    """Return the versioned name that an alias stands for, and every other name as it is.

    Example:
        >>> resolve("builtin")
        'builtin-1'
    """
    return ALIASES.get(name, name)


def create(name: str, *, device: str = "auto") -> Embedder:
    """Return the embedder of a name or specification, such as ``builtin`` or ``onnx:models/clip``.

    Args:
        name: a name of the table, an alias, or what the ``spec`` of an embedder said when it was stored.
        device: ``auto``, ``cpu``, ``cuda`` or ``coreml``; embedders without a choice of device ignore it.

    Raises:
        UnknownName: no such name.
        MissingExtra: the embedder needs a package that is not installed.
        BadInput: no such device, or a model file that is not there.
    """
    if device not in DEVICES:
        raise BadInput(f"unknown device {device!r}.", hint=f"Known: {', '.join(DEVICES)}.")
    name = resolve(name)
    scheme = name.partition(":")[0] + ":"
    options: dict[str, Any] = {"device": device} if scheme in _TAKES_DEVICE and scheme != name + ":" else {}
    return EMBEDDERS.create(name, **options)

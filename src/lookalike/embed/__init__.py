"""Pixels to vectors, and for some models words too: the table of embedders. A new one is one file and one line here.

``builtin`` is another name for the newest of the built-in embedders; a collection remembers the versioned name, which
stays loadable for ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import BadInput, UnknownName
from ..nearest_name import choices
from ..protocols import Embedder
from ..registry import Registry
from .neural.recommended import RECOMMENDED, best_present

__all__ = ["ALIASES", "DEVICES", "EMBEDDERS", "LEARNING", "RECOMMENDED", "create", "resolve"]

EMBEDDERS: Registry[Embedder] = Registry(
    "embedder",
    {
        "ahash": "lookalike.embed.handcrafted.ahash:ahash",
        "blockmean-hash": "lookalike.embed.handcrafted.blockmean_hash:blockmean_hash",
        "brightness-histogram": "lookalike.embed.handcrafted.histograms:brightness",
        "builtin-1": "lookalike.embed.builtin:builtin_1",
        "builtin-2": "lookalike.embed.hybrid:builtin_2",
        "color-histogram": "lookalike.embed.builtin:color_histogram",
        "color-layout": "lookalike.embed.builtin:color_layout",
        "correlogram": "lookalike.embed.handcrafted.correlogram:correlogram",
        "dhash": "lookalike.embed.handcrafted.dhash:dhash",
        "edge-histogram": "lookalike.embed.handcrafted.edge_histogram:edge_histogram",
        "eigenfaces": "lookalike.embed.handcrafted.eigenfaces:eigenfaces",
        "fourier": "lookalike.embed.handcrafted.fourier:fourier",
        "gabor": "lookalike.embed.handcrafted.gabor:gabor",
        "gist": "lookalike.embed.handcrafted.gist:gist",
        "haralick": "lookalike.embed.handcrafted.haralick:haralick",
        "histogram-hsv": "lookalike.embed.handcrafted.histograms:hsv",
        "histogram-opponent": "lookalike.embed.handcrafted.histograms:opponent",
        "histogram-rgb": "lookalike.embed.handcrafted.histograms:rgb",
        "hog": "lookalike.embed.builtin:hog",
        "kmeans-patches": "lookalike.embed.handcrafted.kmeans_patches:kmeans_patches",
        "lbp": "lookalike.embed.builtin:lbp",
        "nmf": "lookalike.embed.handcrafted.nmf:nmf",
        "phash": "lookalike.embed.handcrafted.phash:phash",
        "whash": "lookalike.embed.handcrafted.whash:whash",
        "bf16:": "lookalike.embed.neural.precision:open_bf16",
        "ensemble:": "lookalike.embed.ensemble:open_ensemble",
        "hf:": "lookalike.embed.neural.hub:open_hub",
        "int8:": "lookalike.embed.neural.precision:open_int8",
        "int8-dynamic:": "lookalike.embed.neural.precision:open_int8_dynamic",
        "int8-static:": "lookalike.embed.neural.precision:open_int8_static",
        "onnx:": "lookalike.embed.neural.onnx:open_onnx",
        "open_clip:": "lookalike.embed.neural.open_clip:open_open_clip",
        "reduce:": "lookalike.embed.reduce:open_reduced",
        "regions:": "lookalike.embed.regions:open_regions",
        "subject:": "lookalike.embed.subject:open_subject",
        "tflite:": "lookalike.embed.neural.tflite:open_tflite",
        "timm:": "lookalike.embed.neural.timm:open_timm",
        "torchvision:": "lookalike.embed.neural.torchvision:open_torchvision",
        "tta:": "lookalike.embed.augment:open_augmented",
    },
    extras={"hf:": "hub", "tflite:": "tflite"},
)

ALIASES = {"builtin": "builtin-2", "histogram-lab": "color-histogram"}

DEVICES = ("auto", "cpu", "cuda", "coreml", "openvino")

# What may have to learn from images before it embeds; of the names without a specification, each says so itself.
LEARNING = frozenset({"int8:", "int8-static:", "reduce:"})

_MODELS = frozenset({"hf:", "onnx:", "open_clip:", "timm:", "torchvision:"})
_AROUND = frozenset({"ensemble:", "reduce:", "regions:", "subject:", "tta:"})
_PRECISIONS = frozenset({"bf16:", "int8:", "int8-dynamic:", "int8-static:"})
_TAKES_DEVICE = _MODELS | _AROUND | _PRECISIONS


def resolve(name: str) -> str:
    """Return the versioned name that an alias stands for, and every other name as it is.

    Aliases are those of ``ALIASES``, such as ``builtin``; the recommended models of the hub (``dinov2-small``, ...);
    and ``auto``: the first of those models that has been downloaded already and fits into this machine's memory, else
    ``builtin``. The path of a folder, such as ``./model``, stands for ``onnx:./model``.

    Example:
        >>> resolve("builtin")
        'builtin-2'
        >>> resolve("dinov2-small")
        'hf:onnx-community/dinov2-small'
    """
    if name == "auto":
        name = best_present() or "builtin"
    if _is_folder(name):
        return f"onnx:{name}"
    return ALIASES.get(name) or (RECOMMENDED[name].spec if name in RECOMMENDED else name)


def _is_folder(name: str) -> bool:
    """Whether a name is the path of a folder. It must look like one: no folder here changes what a name means."""
    looks = name.startswith((".", "~", "/")) or "\\" in name or name.endswith("/") or Path(name).is_absolute()
    return looks and Path(name).expanduser().is_dir()


def create(name: str, *, device: str = "auto") -> Embedder:
    """Return the embedder of a name or specification, such as ``builtin`` or ``onnx:models/clip``.

    Args:
        name: a name of the table, an alias, or what the ``spec`` of an embedder said when it was stored.
        device: ``auto``, ``cpu``, ``cuda``, ``coreml`` or ``openvino``; embedders without a choice of device ignore it.

    Raises:
        UnknownName: no such name.
        MissingExtra: the embedder needs a package that is not installed.
        BadInput: no such device, or a model file that is not there.
    """
    if device not in DEVICES:
        raise BadInput(f"unknown device {device!r}.", hint=choices(device, DEVICES))
    name = resolve(name)
    if name not in EMBEDDERS.names() and ":" not in name:
        known = ["auto", *ALIASES, *EMBEDDERS.names(), *RECOMMENDED]
        raise UnknownName(f"unknown embedder {name!r}.", hint=choices(name, known))
    scheme = name.partition(":")[0] + ":"
    options: dict[str, Any] = {"device": device} if scheme in _TAKES_DEVICE and scheme != name + ":" else {}
    return EMBEDDERS.create(name, **options)

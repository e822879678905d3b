"""A small network's vectors beside the handcrafted parts of builtin-1, and words in the same space.

A model's folder holds ``model.onnx``, which gives two vectors side by side (``shape``: who belongs with whom;
``meaning``: what a larger network makes of a picture), and ``lookalike.json``, which tells their lengths and, as
``shares``, how much each counts. ``words.npz``, where it is there, leads words into the same space. ``recipes/builtin``
makes such folders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..types import Vectors
from .builtin import Descriptor, Handcrafted, Part, builtin_1
from .handcrafted.network import Network, NetworkPart
from .subwords import Subwords

__all__ = [
    "FORMULAS",
    "LEARNED",
    "Shares",
    "WithWords",
    "builtin_2",
    "even_shares",
    "hybrid",
    "network_alone",
    "read_shares",
]


FORMULAS = ("outlines", "fine-outlines", "colours", "layout", "textures")  # the parts of builtin-1, in their order
LEARNED = ("shape", "meaning")

# Of each part, in photographs and in pictograms; the parts of either add up to 1.
Shares = Mapping[str, tuple[float, float]]


class WithWords(Handcrafted):
    """A hybrid that also reads words, of a small world; a ``TextEmbedder``.

    Args:
        name, parts: of the images' side.
        words: the tower of the words; it is not part of the fingerprint, since no stored vector depends on it.
    """

    def __init__(self, name: str, parts: Sequence[Part], words: Subwords) -> None:
        super().__init__(name, parts)
        self._words = words

    @property
    def vocabulary(self) -> frozenset[str]:
        """Return the words that it has learned; of others its vectors say little."""
        return self._words.vocabulary

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Return (B, D) rows of unit norm."""
        return self._words.embed(texts)


def builtin_2() -> Handcrafted:
    """Return the second built-in embedder: a network of pictograms and photographs beside the parts of ``builtin-1``.

    Raises:
        ModelError: the package is not whole.
    """
    folder = Path(__file__).parent / "weights" / "builtin-2"
    return hybrid(folder / "model.onnx", read_shares(folder), name="builtin-2")


def even_shares() -> Shares:
    """Return half for the handcrafted parts, as ``builtin-1`` has them, and half for the network's."""
    formulas = {
        name: (part.in_photographs / 2, part.in_pictograms / 2)
        for name, part in zip(FORMULAS, builtin_1().parts, strict=True)
    }
    return {**formulas, "shape": (0.3, 0.4), "meaning": (0.2, 0.1)}


def hybrid(model: Path, shares: Shares, *, name: str) -> Handcrafted:
    """Return the embedder of a network's file and the handcrafted parts; without those that have no share.

    Args:
        model: the ONNX file, in its folder.
        shares: of FORMULAS and LEARNED.
        name: of the embedder and its space.

    Raises:
        ModelError: the folder is not whole.
    """
    known = {**dict(zip(FORMULAS, (part.descriptor for part in builtin_1().parts), strict=True)), **_learned(model)}
    parts = [Part(known[key], *share) for key, share in shares.items() if any(share)]
    words = model.parent / "words.npz"
    return WithWords(name, parts, Subwords(words)) if words.is_file() else Handcrafted(name, parts)


def network_alone(model: Path, shares: Shares, *, name: str = "network") -> Handcrafted:
    """Return the network without the handcrafted parts, its two vectors in the same proportion."""
    learned = _learned(model)
    totals = [sum(shares[key][end] for key in learned) for end in range(2)]
    return Handcrafted(
        name, [Part(each, shares[key][0] / totals[0], shares[key][1] / totals[1]) for key, each in learned.items()]
    )


def read_shares(folder: Path) -> Shares:
    """Return the shares that a model's folder tells; even ones where it tells none.

    Raises:
        ModelError: its description cannot be read.
    """
    told = _said(folder).get("shares")
    return even_shares() if told is None else {key: (low, high) for key, (low, high) in told.items()}


def _learned(model: Path) -> dict[str, Descriptor]:
    lengths = _said(model.parent)["shape"]
    network = Network(model)
    return {
        "shape": NetworkPart(network, 0, lengths["shape"]),
        "meaning": NetworkPart(network, lengths["shape"], lengths["meaning"]),
    }


def _said(folder: Path) -> dict[str, Any]:
    path = folder / "lookalike.json"
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as failed:
        raise ModelError(f"{path} cannot be read: {failed}", hint="Install lookalike anew.") from failed
    return said

"""A small network's vectors beside the handcrafted parts of builtin-1, and words in the same space.

A model's folder holds ``model.onnx``, which gives two vectors side by side (``shape``: who belongs with whom;
``meaning``: what a larger network makes of a picture), and ``lookalike.json``, which tells their lengths and, as
``shares``, how much each counts. ``words.npz``, where it is there, leads words into the same space. ``recipes/builtin``
makes such folders.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..types import Vectors
from .builtin import Handcrafted, Part, builtin_1
from .handcrafted.network import Network, NetworkPart
from .subwords import Subwords

__all__ = ["Shares", "WithWords", "builtin_2", "hybrid", "network_alone", "read_shares"]


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the network's vectors, in photographs and in pictograms; the handcrafted parts have the rest."""

    shape_in_photographs: float = 0.4
    shape_in_pictograms: float = 0.4
    meaning_in_photographs: float = 0.2
    meaning_in_pictograms: float = 0.1

    def rest(self) -> tuple[float, float]:
        """Return what the handcrafted parts have, in photographs and in pictograms."""
        return (
            1 - self.shape_in_photographs - self.meaning_in_photographs,
            1 - self.shape_in_pictograms - self.meaning_in_pictograms,
        )


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


def hybrid(model: Path, shares: Shares, *, name: str) -> Handcrafted:
    """Return the embedder of a network's file and the handcrafted parts.

    Args:
        model: the ONNX file, in its folder.
        shares: of the network's vectors.
        name: of the embedder and its space.

    Raises:
        ModelError: the folder is not whole.
    """
    photographs, pictograms = shares.rest()
    parts = [
        Part(each.descriptor, each.in_photographs * photographs, each.in_pictograms * pictograms)
        for each in builtin_1().parts
    ]
    parts += _learned(model, shares)
    words = model.parent / "words.npz"
    return WithWords(name, parts, Subwords(words)) if words.is_file() else Handcrafted(name, parts)


def network_alone(model: Path, shares: Shares, *, name: str = "network") -> Handcrafted:
    """Return the network without the handcrafted parts, its two vectors in the same proportion."""
    photographs, pictograms = (1 - rest for rest in shares.rest())
    parts = [
        Part(each.descriptor, each.in_photographs / photographs, each.in_pictograms / pictograms)
        for each in _learned(model, shares)
    ]
    return Handcrafted(name, parts)


def read_shares(folder: Path) -> Shares:
    """Return the shares that a model's folder tells; the defaults where it tells none.

    Raises:
        ModelError: its description cannot be read.
    """
    return Shares(**_said(folder).get("shares", {}))


def _learned(model: Path, shares: Shares) -> list[Part]:
    lengths = _said(model.parent)["shape"]
    network = Network(model)
    return [
        Part(NetworkPart(network, 0, lengths["shape"]), shares.shape_in_photographs, shares.shape_in_pictograms),
        Part(
            NetworkPart(network, lengths["shape"], lengths["meaning"]),
            shares.meaning_in_photographs,
            shares.meaning_in_pictograms,
        ),
    ]


def _said(folder: Path) -> dict[str, Any]:
    path = folder / "lookalike.json"
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as failed:
        raise ModelError(f"{path} cannot be read: {failed}", hint="Install lookalike anew.") from failed
    return said

"""The network's two vectors beside the descriptors of builtin-1, and the shares that they get."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.embed.builtin import builtin_1
from lookalike.embed.handcrafted.embedder import Handcrafted, Part
from lookalike.embed.handcrafted.network import Network, NetworkPart

__all__ = ["Shares", "alone", "chosen_shares", "hybrid", "read_shares"]

Rows = npt.NDArray[np.floating[Any]]
_STEP, _LEAST = 0.05, 0.02


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


def hybrid(model: Path, shares: Shares, *, name: str = "builtin-2") -> Handcrafted:
    """Return the embedder of a network's file."""
    photographs, pictograms = shares.rest()
    parts = [
        Part(each.descriptor, each.in_photographs * photographs, each.in_pictograms * pictograms)
        for each in builtin_1().parts
    ]
    return Handcrafted(name, [*parts, *_learned(model, shares)])


def alone(model: Path, shares: Shares, *, name: str = "network") -> Handcrafted:
    """Return the network without the handcrafted parts, its two vectors in the same proportion."""
    photographs, pictograms = (1 - rest for rest in shares.rest())
    parts = [
        Part(each.descriptor, each.in_photographs / photographs, each.in_pictograms / pictograms)
        for each in _learned(model, shares)
    ]
    return Handcrafted(name, parts)


def read_shares(path: Path) -> Shares:
    """Return what ``write_shares`` wrote; the defaults where there is nothing."""
    return Shares(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else Shares()


def write_shares(path: Path, shares: Shares) -> None:
    """Write them as JSON."""
    path.write_text(json.dumps(asdict(shares), indent=1), encoding="utf-8")


def chosen_shares(
    rows: Mapping[str, Rows], flatness: Rows, classes: Sequence[str], sets: npt.NDArray[Any]
) -> tuple[Shares, dict[str, float]]:
    """Return the shares with the best mean of the sets' mAP, by hill climbing, and the mAP of each set.

    Args:
        rows: ``builtin``, ``shape``, ``meaning``: (N, D) of the validation pictures.
        flatness: (N,) how much of each is plain areas, in [0, 1].
        classes: of each picture.
        sets: (N,) of each picture.
    """
    places = [np.flatnonzero(sets == name) for name in dict.fromkeys(sets.tolist())]
    labels = np.unique(np.asarray(classes), return_inverse=True)[1]
    grams = [{key: each[at] @ each[at].T for key, each in rows.items()} for at in places]

    def value(shares: Shares) -> dict[str, float]:
        found = {}
        weights = _weights(shares, flatness)
        for at, gram in zip(places, grams, strict=True):
            roots = {key: np.sqrt(each[at]) for key, each in weights.items()}
            scores = sum(gram[key] * roots[key][:, None] * roots[key][None] for key in gram)
            norms = np.sqrt(np.diag(scores))
            found[str(sets[at[0]])] = _mean_precision(scores / norms[:, None] / norms[None], labels[at])
        return found

    best = Shares()
    figures = value(best)
    step = 4 * _STEP
    while step >= _LEAST:
        better = False
        for field in asdict(best):
            for change in (step, -step):
                tried = {**asdict(best), field: round(getattr(best, field) + change, 4)}
                shares = Shares(**tried)
                if tried[field] < 0 or min(shares.rest()) < 0:
                    continue
                found = value(shares)
                if sum(found.values()) > sum(figures.values()) + 1e-6:
                    best, figures, better = shares, found, True
        if not better:
            step /= 2
    return best, figures


def _weights(shares: Shares, flatness: Rows) -> dict[str, Rows]:
    ends = {
        "builtin": shares.rest(),
        "shape": (shares.shape_in_photographs, shares.shape_in_pictograms),
        "meaning": (shares.meaning_in_photographs, shares.meaning_in_pictograms),
    }
    return {key: low + flatness * (high - low) for key, (low, high) in ends.items()}


def _mean_precision(scores: Rows, labels: npt.NDArray[np.int64]) -> float:
    """Return the mean average precision of all that have another of their class; ties count as they come."""
    np.fill_diagonal(scores, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :-1]
    hits = labels[order] == labels[:, None]
    found = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    count = hits.sum(axis=1)
    return float(((found * hits).sum(axis=1)[count > 0] / count[count > 0]).mean())


def _learned(model: Path, shares: Shares) -> list[Part]:
    said = json.loads((model.parent / "lookalike.json").read_text(encoding="utf-8"))["shape"]
    network = Network(model)
    return [
        Part(NetworkPart(network, 0, said["shape"]), shares.shape_in_photographs, shares.shape_in_pictograms),
        Part(
            NetworkPart(network, said["shape"], said["meaning"]),
            shares.meaning_in_photographs,
            shares.meaning_in_pictograms,
        ),
    ]

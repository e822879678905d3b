"""The shares that the network's two vectors get beside the descriptors of builtin-1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.embed.hybrid import Shares
from lookalike.evaluate.weigh import average_precision

__all__ = ["chosen_shares", "write_shares"]

Rows = npt.NDArray[np.floating[Any]]
_STEP, _LEAST = 0.05, 0.02


def write_shares(folder: Path, shares: Shares) -> None:
    """Write them into the description of a model's folder."""
    path = folder / "lookalike.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    said["shares"] = asdict(shares)
    path.write_text(json.dumps(said, indent=1), encoding="utf-8")


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
            others = ~np.eye(len(at), dtype=bool)
            alike = labels[at][:, None] == labels[at][None]
            each = average_precision(scores / norms[:, None] / norms[None], alike, others)
            found[str(sets[at[0]])] = float(np.nanmean(each))  # of those that have another of their class
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

"""The shares of the network's two vectors and of the descriptors of builtin-1."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.embed.hybrid import Shares, even_shares
from lookalike.evaluate.weigh import average_precision

__all__ = ["chosen_shares", "write_shares"]

Rows = npt.NDArray[np.floating[Any]]
_FIRST, _LEAST = 0.2, 0.02
_WORTH = 5e-4  # of the sum of the sets' mAP: less is chance


def write_shares(folder: Path, shares: Shares) -> None:
    """Write them into the description of a model's folder."""
    path = folder / "lookalike.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    said["shares"] = {key: list(share) for key, share in shares.items()}
    path.write_text(json.dumps(said, indent=1), encoding="utf-8")


def chosen_shares(
    rows: Mapping[str, Rows], flatness: Rows, classes: Sequence[str], sets: npt.NDArray[Any]
) -> tuple[Shares, dict[str, float]]:
    """Return the shares with the best mean of the sets' mAP, by hill climbing, and the mAP of each set.

    Args:
        rows: of each part (N, D), the validation pictures.
        flatness: (N,) how much of each is plain areas, in [0, 1].
        classes: of each picture.
        sets: (N,) of each picture.
    """
    places = [np.flatnonzero(sets == name) for name in dict.fromkeys(sets.tolist())]
    labels = np.unique(np.asarray(classes), return_inverse=True)[1]
    grams = [{key: each[at] @ each[at].T for key, each in rows.items()} for at in places]

    def value(shares: Shares) -> dict[str, float]:
        found = {}
        for at, gram in zip(places, grams, strict=True):
            scores = np.zeros((len(at), len(at)))
            for key, (low, high) in shares.items():
                root = np.sqrt(low + flatness[at] * (high - low))
                scores += gram[key] * root[:, None] * root[None]
            norms = np.sqrt(np.diag(scores))
            others = ~np.eye(len(at), dtype=bool)
            alike = labels[at][:, None] == labels[at][None]
            each = average_precision(scores / norms[:, None] / norms[None], alike, others)
            found[str(sets[at[0]])] = float(np.nanmean(each))  # of those that have another of their class
        return found

    best: Shares = {key: share for key, share in even_shares().items() if key in rows}
    figures = value(best)
    step = _FIRST
    while step >= _LEAST:
        better = False
        for key, end, change in itertools.product(best, range(2), (step, -step)):
            tried = _changed(best, key, end, change)
            found = value(tried)
            if sum(found.values()) > sum(figures.values()) + _WORTH:
                best, figures, better = tried, found, True
        if not better:
            step /= 2
    return {key: (round(low, 3), round(high, 3)) for key, (low, high) in best.items()}, figures


def _changed(shares: Shares, key: str, end: int, change: float) -> Shares:
    """Return them with more or less of one, in photographs or in pictograms, adding up to 1 again."""
    made = {name: list(share) for name, share in shares.items()}
    made[key][end] = max(0.0, made[key][end] + change)
    whole = sum(share[end] for share in made.values())
    for share in made.values():
        share[end] /= whole
    return {name: (low, high) for name, (low, high) in made.items()}

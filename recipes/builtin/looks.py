"""How good the network is on the validation classes: the evaluator's own search and metric, set by set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from changes import photos_changed
from material import SETS, Stored

from lookalike.embed.builtin import builtin_1
from lookalike.embed.handcrafted.canvas import SIDE, Views, prepare
from lookalike.embed.handcrafted.network import network_input
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.summary import summarise
from lookalike.evaluate.truth.base import LabelSets, Truth
from lookalike.evaluate.truth.joining import join
from lookalike.evaluate.vector_files import VectorSet

__all__ = ["SHARES", "Looks", "joined", "network_rows"]

Rows = npt.NDArray[np.float32]
SHARES = {"builtin": 0.45, "shape": 0.4, "meaning": 0.15}  # of the hybrid, while training; measure.py finds better
_CHUNK = 64


def network_rows(network: Any, pixels: npt.NDArray[np.float32], device: str) -> dict[str, Rows]:
    """Return the two vectors of what ``network_input`` made, each of unit norm."""
    before = network.training
    network.eval()
    found: dict[str, list[Any]] = {"shape": [], "meaning": []}
    with torch.inference_mode():
        for start in range(0, len(pixels), _CHUNK):
            both = network(torch.from_numpy(pixels[start : start + _CHUNK]).to(device) / 4 + 0.5)
            for name, rows in zip(found, both, strict=True):
                found[name].append(torch.nn.functional.normalize(rows.float()).cpu().numpy())
    network.train(before)
    return {name: np.concatenate(rows) for name, rows in found.items()}


def joined(rows: Mapping[str, Rows], shares: Mapping[str, float]) -> Rows:
    """Return them side by side, so that a cosine is the weighted mean of theirs."""
    return np.concatenate([rows[name] * np.sqrt(share) for name, share in shares.items()], axis=1)


class Looks:
    """The validation pictures, and two changed copies of each photograph among them, that search one another.

    Args:
        stored: the pictures, whole.
        seed: of the copies.
    """

    def __init__(self, stored: Stored, *, seed: int) -> None:
        torch.manual_seed(seed)
        photos = torch.from_numpy(stored.pixels[stored.of_set("photos")])
        copies = (photos_changed(photos.repeat_interleave(2, dim=0)).permute(0, 2, 3, 1) * 255).byte().numpy()
        pictures = [*stored.pixels, *copies]
        self.classes = [stored.class_names[each] for each in stored.classes]
        self.classes += [f"copies:{at // 2}" for at in range(len(copies))]
        self.sets = np.array([SETS[each] for each in stored.sets] + ["copies"] * len(copies))
        self.prepared = [prepare(each) for each in pictures]
        self.pixels = np.concatenate(
            [network_input(Views(self.prepared[at : at + 32])) for at in range(0, len(pictures), 32)]
        )
        self.builtin = builtin_1().embed_prepared(self.prepared)

    def figures(self, rows: Rows) -> dict[str, float]:
        """Return the mAP of each set, its pictures searching one another."""
        found = {}
        for name in dict.fromkeys(self.sets.tolist()):
            at = np.flatnonzero(self.sets == name)
            names = [str(each) for each in at]
            vectors = VectorSet(rows[at], names, cosine=True)
            truth = Truth(
                path=Path(name),
                format="training",
                names=tuple(names),
                labels=LabelSets.of([self.classes[each]] for each in at),
            )
            judged = run_protocol(vectors, join(truth, vectors)).judged
            found[name] = summarise(judged, ["map"], resamples=2)["map"].value
        return found

    def measure(self, network: Any, device: str, side: int = SIDE) -> dict[str, float]:
        """Return the mAP of the first vector, the second and the hybrid, as ``vector:set``; ``mean``: hybrid's."""
        pixels = self.pixels
        if side != SIDE:  # as the network is trained just then
            whole = torch.from_numpy(pixels)
            pixels = torch.nn.functional.interpolate(whole, (side, side), mode="bilinear", antialias=True).numpy()
        rows = {"builtin": self.builtin, **network_rows(network, pixels, device)}
        out: dict[str, float] = {}
        for name, these in (("shape", rows["shape"]), ("meaning", rows["meaning"]), ("hybrid", joined(rows, SHARES))):
            out |= {f"{name}:{key}": value for key, value in self.figures(these).items()}
        hybrid = [value for key, value in out.items() if key.startswith("hybrid:")]
        return {**out, "mean": sum(hybrid) / len(hybrid)}

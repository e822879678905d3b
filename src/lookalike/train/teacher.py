"""Distillation: a model learns to find alike what another one, by name, finds alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..embed import create
from ..errors import BadInput, ImageError
from ..images import read_source
from ..images.decode import decode
from ..types import Image
from .samples import Samples

__all__ = ["Imitation", "teacher_vectors"]

_BATCH = 64


def teacher_vectors(name: str, samples: Samples, cache: Path) -> npt.NDArray[np.float32]:
    """Return float32 (M, D) of unit norm, what an embedder makes of the images; zeros of those that cannot be read.

    They are made once: ``cache`` keeps them with the name and the data that they are of.

    Raises:
        UnknownName, ModelError: as ``create`` does. BadInput: the embedder must learn first, or makes bits.
    """
    embedder = create(name)
    if getattr(embedder, "fitted", True) is False or embedder.space.kind != "float":
        raise BadInput(
            f"{name!r} cannot be a teacher: it makes bits, or must learn from a collection first.",
            hint="Use one that is complete, such as builtin or dinov2-small.",
        )
    key = f"{embedder.fingerprint} {samples.digest}"
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as kept:
            if str(kept["key"]) == key:
                return np.asarray(kept["vectors"])
    rows = np.zeros((len(samples), embedder.space.dim), np.float32)
    for start in range(0, len(samples), _BATCH):
        images: list[Image] = []
        there: list[int] = []
        for at in range(start, min(start + _BATCH, len(samples))):
            try:
                images.append(decode(read_source(samples.sources[at]), input_size=embedder.input_size).pixels)
            except ImageError:
                continue  # the training itself counts and names it
            there.append(at)
        if images:
            rows[there] = embedder.embed(images)
    aside = cache.with_name(f"{cache.stem}.part.npz")
    np.savez(aside, vectors=rows, key=np.array(key))
    aside.replace(cache)
    return rows


class Imitation(nn.Module):
    """Cross-entropy between the teacher's similarities within a batch, as a softmax, and the model's own.

    The two may differ in dimension, and no layer between them is needed. The teacher's part of images that it could
    not read is left out.

    Args:
        vectors: (M, D) the teacher's, of unit norm; zeros where there is none.
        temperature: of both softmaxes.

    Source: Fang et al., "SEED: Self-supervised Distillation", ICLR 2021, eq. 4, with the batch for the queue.
    """

    def __init__(self, vectors: npt.NDArray[np.float32], *, temperature: float = 0.07) -> None:
        super().__init__()
        self.vectors = torch.from_numpy(vectors)
        self.temperature = temperature

    def forward(self, vectors: Any, at: npt.NDArray[np.int64]) -> Any:
        """Return the mean over the batch; ``at`` (B,) says which images the (B, D) vectors are of."""
        known = self.vectors[torch.from_numpy(at)].to(vectors.device)
        there = known.abs().sum(dim=1) > 0
        if int(there.sum()) < 2:
            return vectors.sum() * 0
        own, theirs = nn.functional.normalize(vectors[there]), known[there]
        # An image beside itself, or its second view, says nothing.
        places = torch.from_numpy(at).to(vectors.device)[there]
        same = places[:, None] == places[None]
        targets = (theirs @ theirs.T / self.temperature).masked_fill(same, float("-inf")).softmax(dim=1)
        found = (own @ own.T / self.temperature).masked_fill(same, float("-inf")).log_softmax(dim=1)
        rows = -(targets * found.masked_fill(same, 0.0)).sum(dim=1)
        return rows[(~same).any(dim=1)].mean()

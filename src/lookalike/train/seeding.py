"""Randomness that depends on the seed and the step alone, so that a run that was stopped goes on as if it never was."""

from __future__ import annotations

import numpy as np

__all__ = ["generator", "seed_step"]


def generator(seed: int, *path: int) -> np.random.Generator:
    """Return a generator for one purpose: an epoch's order, a split."""
    return np.random.default_rng([seed, *path])


def seed_step(seed: int, step: int, *path: int) -> None:
    """Set the generators that the libraries draw from (torch's, numpy's global one) for one step."""
    import torch

    number = int(np.random.SeedSequence([seed, step, *path]).generate_state(1)[0])
    torch.manual_seed(number)
    np.random.seed(number)  # noqa: NPY002 - pytorch-metric-learning draws from it

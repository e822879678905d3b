"""Training: from images and labels to a model folder that ``--embedder`` opens.

>>> from lookalike.train import Settings, read_samples, train        # doctest: +SKIP
>>> train(read_samples(["catalogue/"]), "model", Settings(epochs=10))  # doctest: +SKIP

Importing this loads no torch; ``train`` does.
"""

from __future__ import annotations

from .records import Progress
from .samples import Samples, read_samples
from .settings import Settings
from .training import Trained, train

__all__ = ["Progress", "Samples", "Settings", "Trained", "read_samples", "train"]

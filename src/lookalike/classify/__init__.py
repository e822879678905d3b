"""How much an image is of a class, such as unsafe: the table of kinds of classifier.

>>> from lookalike.classify import create_classifier           # doctest: +SKIP
>>> create_classifier("column:nsfw").scores([{"nsfw": 0.9}, {}])  # doctest: +SKIP
array([0.9, nan])
"""

from __future__ import annotations

from pathlib import Path

from ..protocols import Classifier
from ..registry import Registry

__all__ = ["CLASSIFIERS", "create_classifier"]

CLASSIFIERS: Registry[Classifier] = Registry(
    "classifier",
    {
        "column:": "lookalike.classify.column:open_column",
        "head:": "lookalike.classify.head:open_head",
        "image:": "lookalike.classify.picture:open_picture",
    },
)


def create_classifier(name: str, *, folder: Path | None = None, device: str = "auto") -> Classifier:
    """Return the classifier of a name: ``column:NAME``, ``head:FILE`` or ``image:FILE``.

    Args:
        name: one of these; of a model with several classes ``head:FILE?class=CLASS`` says which, by name or number.
        folder: where files with a relative path are looked for first.
        device: where a model over pictures runs.

    Raises:
        UnknownName: no such kind, or no such class. NoSuchFile, ModelError: a file that is not there or cannot be used.
    """
    return CLASSIFIERS.create(name, folder=folder, device=device)

"""How much each vector space and metadata column counts: what ``lookalike weigh`` learned, kept with the collection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadInput
from ..protocols import Store
from .likeness import Liking

__all__ = ["LEARNED", "LearnedWeights", "read_weights", "write_weights"]

LEARNED = "learned"  # in place of names of spaces
_KEY = "weights"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LearnedWeights:
    """Weights, and what they belong to.

    Attributes:
        spaces: name -> weight, > 0; those that do not help are left out.
        metadata: the columns, their weights beside 1 for the pictures.
        fingerprints: of all spaces that were looked at, name -> fingerprint.
        facts: what was measured: JSON values.
    """

    spaces: Mapping[str, float]
    metadata: tuple[Liking, ...]
    fingerprints: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return what a collection stores: JSON."""
        columns = [[each.column, each.kind, each.weight] for each in self.metadata]
        kept = {"spaces": dict(self.spaces), "metadata": columns, "fingerprints": dict(self.fingerprints)}
        return json.dumps({**kept, "facts": dict(self.facts)}, allow_nan=False)

    @classmethod
    def from_text(cls, text: str) -> LearnedWeights:
        """Read what ``to_text`` wrote."""
        kept = json.loads(text)
        # A query without the values still has its pictures.
        columns = tuple(Liking(column, weight, kind, optional=True) for column, kind, weight in kept["metadata"])
        return cls(
            spaces=kept["spaces"], metadata=columns, fingerprints=kept["fingerprints"], facts=kept.get("facts", {})
        )


def read_weights(store: Store) -> LearnedWeights:
    """Return the learned weights of a collection.

    Raises:
        BadInput: nothing was learned, or a space has other vectors now.
    """
    text = store.setting(_KEY)
    if not text:
        raise BadInput(
            f"{store.path} has no learned weights.",
            hint="Run `lookalike weigh --truth FILE` first, with images that are known to belong together.",
        )
    found = LearnedWeights.from_text(text)
    spaces = store.spaces()
    for name in found.spaces:
        if name not in spaces or spaces[name].fingerprint != found.fingerprints.get(name):
            raise BadInput(
                f"the weights of {store.path} were learned with other vectors of {name!r} than it has now.",
                hint="Learn them again: `lookalike weigh --truth FILE`.",
            )
    return found


def write_weights(store: Store, weights: LearnedWeights) -> None:
    """Store the weights; ``--spaces learned`` applies them from now on. Raises CollectionBusy."""
    store.set_setting(_KEY, weights.to_text())

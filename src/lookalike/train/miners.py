"""The table of miners, which choose the pairs of a batch that a loss looks at. All are PML's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..errors import UnknownName
from ..nearest_name import choices

__all__ = ["MINERS", "Miner", "create_miner"]


@dataclass(frozen=True, slots=True)
class Miner:
    """One miner: its class in ``pytorch_metric_learning.miners``, and what it chooses."""

    target: str
    about: str
    options: Mapping[str, Any] = field(default_factory=dict)


MINERS: Mapping[str, Miner] = MappingProxyType(
    {
        "all-triplets": Miner("TripletMarginMiner", "triplets that break the margin", {"type_of_triplets": "all"}),
        "distance-weighted": Miner("DistanceWeightedMiner", "negatives drawn evenly over distances (Wu et al., 2017)"),
        "easy-positive": Miner(
            "BatchEasyHardMiner",
            "the nearest of the same class, a semi-hard negative (Xuan et al., 2020)",
            {"pos_strategy": "easy", "neg_strategy": "semihard"},
        ),
        "hard": Miner("BatchHardMiner", "the furthest of the same class and the nearest of another (Hermans, 2017)"),
        "hard-negative": Miner(
            "BatchEasyHardMiner",
            "all of the same class, the nearest of another",
            {"pos_strategy": "all", "neg_strategy": "hard"},
        ),
        "hard-positive": Miner(
            "BatchEasyHardMiner",
            "the furthest of the same class, all of others",
            {"pos_strategy": "hard", "neg_strategy": "all"},
        ),
        "multi-similarity": Miner(
            "MultiSimilarityMiner", "pairs harder than the hardest of the other kind (Wang, 2019)"
        ),
        "semi-hard": Miner(
            "TripletMarginMiner",
            "negatives further than the positive, within the margin (FaceNet)",
            {"type_of_triplets": "semihard"},
        ),
    }
)


def create_miner(name: str) -> Any:
    """Return the PML miner of a name; None of ``none``.

    Raises:
        UnknownName: no such miner; the nearest is offered.
    """
    if name == "none":
        return None
    if name not in MINERS:
        raise UnknownName(f"unknown miner {name!r}.", hint=choices(name, ["none", *MINERS]))
    from pytorch_metric_learning import miners

    line = MINERS[name]
    return getattr(miners, line.target)(**line.options)

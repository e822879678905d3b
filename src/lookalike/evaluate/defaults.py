"""Which metrics a person sees who asked for none."""

from __future__ import annotations

from .evaluation import Evaluation

__all__ = ["default_metrics"]

_WHOLE = ("r_precision", "map_at_r", "mrr", "minp")  # need the whole ranking
_CUTS = ("hit_rate@5", "precision@10", "recall@10", "ndcg@10")


def default_metrics(evaluation: Evaluation) -> list[str]:
    """Return the keys: the average precision and the hit rate first, and as many more as the ranking allows.

    Args:
        evaluation: its depth decides: metrics that look deeper than was judged are left out.
    """
    cut = evaluation.judged.cut
    keys = ["map" if cut is None else f"map@{cut}", "hit_rate@1"]
    if str(evaluation.protocol.get("name", "")).startswith("revisited") and cut is None:
        keys.append("map_revisited")
    keys += [key for key in _CUTS if cut is None or int(key.partition("@")[2]) <= cut]
    if cut is None:
        keys += _WHOLE
    return [*keys, "micro_ap"]

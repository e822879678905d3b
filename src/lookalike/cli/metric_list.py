"""``--metric``: its names, checked before anything is searched, and listed."""

from __future__ import annotations

from collections.abc import Sequence

import click

from . import say

__all__ = ["LIST", "check_metrics", "list_metrics"]

LIST = "list"


def check_metrics(keys: Sequence[str]) -> None:
    """Refuse a metric that there is not, before a long search and not after it.

    Raises:
        UnknownName, BadInput: as ``parse_metric``.
    """
    from ..evaluate.metrics import parse_metric

    for key in keys:
        parse_metric(key)


def list_metrics(*, as_json: bool) -> int:
    """Print what every metric measures, its bounds and where its definition is from."""
    from ..evaluate.metrics import METRICS

    if as_json:
        facts = ("definition", "source", "kind", "worst", "best", "higher_is_better", "unit")
        say.result({"metrics": {key: {name: getattr(m, name) for name in facts} for key, m in METRICS.items()}})
        return 0
    for key, metric in METRICS.items():
        click.echo(f"{key:15} {metric.definition}\n{'':15} {metric.worst:g} to {metric.best:g}. {metric.source}")
    return 0

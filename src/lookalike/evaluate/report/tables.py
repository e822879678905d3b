"""The figures of a report: headline cards, the table of metrics, the table by class, and the protocol in words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from ..judged import Judged
from ..metrics import parse_metric
from ..summary import Estimate, per_class
from .page import number, table, text
from .plots import Axis, interval

__all__ = ["by_class", "cards", "in_words", "label", "metrics_table", "protocol_words", "scale_of", "skipped_words"]

CARDS = 8
CLASSES = 20  # rows of the table by class before the rest is folded away

# Metrics as people who do not know their keys would say them; the others go by their key.
_LABELS = {
    "map": "Mean average precision",
    "map@K": "Mean average precision, first {k}",
    "map_at_r": "MAP@R",
    "precision@K": "Precision of the first {k}",
    "recall@K": "Recall in the first {k}",
    "hit_rate@K": "A right one in the first {k}",
    "r_precision": "R-precision",
    "ndcg@K": "nDCG of the first {k}",
    "mrr": "Mean reciprocal rank",
    "minp": "Inverse penalty of the hardest",
    "micro_ap": "Average precision of all pairs",
    "recall_at_p90": "Recall at 90% precision",
    "mp5": "Mean precision of the first 5",
    "cmc@K": "The same one in the first {k}",
    "map_revisited": "Mean average precision, by trapezoids",
    "mrr@K": "Mean reciprocal rank, first {k}",
    "nmi": "Clusters against labels, NMI",
    "ami": "Clusters against labels, AMI",
}
_PROTOCOLS = {
    "leave-one-out": "Each labelled image in turn is the query and searches all the others; those of its label are "
    "relevant.",
    "chosen": "The queries and the images that are relevant to them, each with each, and no others.",
    "full": "The queries search the whole base with all its distractors; the query images themselves are not in it.",
    "query-gallery": "The queries search the gallery; what the ignore rules name is taken out of their rankings.",
    "revisited-easy": "Revisited Oxford and Paris, easy: hard and junk images are taken out of rankings.",
    "revisited-medium": "Revisited Oxford and Paris, medium: junk images are taken out of rankings.",
    "revisited-hard": "Revisited Oxford and Paris, hard: easy and junk images are taken out of rankings.",
}
_SKIPPED = {
    "unmatched": "names in the truth that join no image of the collection",
    "no_other_of_its_label": "images alone with their label: in the base, never a query",
    "ambiguous": "names in the truth that fit several images",
    "queries_without_image": "queries without an image, neither in the collection nor outside",
    "unanswered": "queries that the run has no line of",
    "nothing_relevant": "queries to which nothing in the base is relevant: counted here, in no average",
}


def label(key: str) -> str:
    """Return a metric's name in words."""
    metric, cut = parse_metric(key)
    if cut == 1 and metric.key in ("hit_rate@K", "precision@K"):
        return "The first result is right"
    return _LABELS.get(metric.key, key).format(k=cut)


def in_words(key: str) -> str:
    """Return what a metric is called of one query: average precision, not the mean of it."""
    words = label(key).removeprefix("Mean ")
    return words if words == key else words[0].lower() + words[1:]


def scale_of(key: str) -> Axis:
    """Return the scale that a metric's interval is drawn on: its bounds."""
    metric, _ = parse_metric(key)
    low, high = sorted((metric.worst, metric.best))
    return Axis("", low if math.isfinite(low) else 0.0, high if math.isfinite(high) else 1.0)


def cards(figures: Mapping[str, Estimate]) -> str:
    """Return the first few figures, large."""
    items = []
    for key, figure in list(figures.items())[:CARDS]:
        items.append(
            f'<li class="card"><p class="what">{escape(label(key))}</p><p class="value">{number(figure.value)}</p>'
            f"{interval(figure.value, figure.low, figure.high, axis=scale_of(key))}"
            f'<p class="range">{_range(figure)}</p><p class="range">{_count(key, figure)}</p></li>'
        )
    return f'<ul class="cards">{"".join(items)}</ul>'


def metrics_table(figures: Mapping[str, Estimate]) -> str:
    """Return every figure with its interval, how many queries it is of, and what it means."""
    rows = []
    for key, figure in figures.items():
        metric, _ = parse_metric(key)
        name = f"{escape(label(key))} <code>{escape(key)}</code>"
        meaning = f'<span class="definition">{escape(metric.definition)}</span>'
        without = f"{figure.undefined} without a value" if figure.undefined else "none"
        of = f"{figure.n:,} images" if metric.kind == "clusters" else f"{figure.n:,}"
        rows.append([name, number(figure.value), _range(figure), of, without, meaning])
    head = ["Metric", "Value", "Interval", "Queries", "Left out", "What it is"]
    return table(head, rows, caption="Every metric with its confidence interval", numeric=(1, 2, 3))


def _count(key: str, figure: Estimate) -> str:
    if parse_metric(key)[0].kind == "clusters":
        return f"{figure.n:,} images"
    without = f", {figure.undefined:,} without a value" if figure.undefined else ""
    return f"{figure.n:,} {'query' if figure.n == 1 else 'queries'}{without}"


def _range(figure: Estimate) -> str:
    if math.isnan(figure.low) or math.isnan(figure.high):
        return "too few to draw an interval"
    return f"{number(figure.low)} to {number(figure.high)}"


def by_class(judged: Judged, keys: Sequence[str], order: str) -> str:
    """Return the table by class, the worst in the metric ``order`` first; empty without classes."""
    if judged.classes is None:
        return ""
    names, values = per_class(judged, list(dict.fromkeys([order, *keys])))
    sizes = np.unique(judged.classes, return_counts=True)[1]  # in the order of names, both are sorted
    sign = 1 if parse_metric(order)[0].higher_is_better else -1
    worst = np.argsort(sign * values[order], kind="stable")
    rows = [
        [text(names[at]), f"{sizes[at]:,}", *(number(float(values[key][at])) for key in values)]
        for at in worst.tolist()
    ]
    head = ["Class", "Queries", *(escape(label(key)) for key in values)]
    numeric = tuple(range(1, len(head)))
    shown = table(head, rows[:CLASSES], caption="Mean of each class, worst first", numeric=numeric)
    if len(rows) > CLASSES:
        rest = table(head, rows[CLASSES:], caption="The other classes", numeric=numeric)
        shown += f"<details><summary>The other {len(rows) - CLASSES} classes</summary>{rest}</details>"
    return shown


def protocol_words(protocol: Mapping[str, object]) -> str:
    """Return what was asked of the search: one sentence where there is one, and every fact of the protocol."""
    name = str(protocol.get("name", ""))
    said = str(protocol.get("description") or _PROTOCOLS.get(name, ""))
    if (episode := re.fullmatch(r"([0-9]+)-way-([0-9]+)-shot(-within)?", name)) is not None:
        ways, shots, within = episode.groups()
        said = f"Each query searches {shots} of each of {ways} classes, drawn again for each episode"
        said += ", all of one group." if within else "."
    facts = "".join(
        f"<dt>{text(key.replace('_', ' '))}</dt><dd>{_fact(value)}</dd>"
        for key, value in protocol.items()
        if key not in ("description", "notes") and value is not None
    )
    notes = protocol.get("notes", ())
    sentences = [said, *(notes if isinstance(notes, (list, tuple)) else [notes])]
    return "".join(f"<p>{text(each)}</p>" for each in sentences if each) + f"<dl>{facts}</dl>"


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return text(", ".join(str(each) for each in value)) or "none"
    if isinstance(value, Mapping):
        return text(", ".join(f"{key}: {each}" for key, each in value.items())) or "none"
    return text(value)


def skipped_words(skipped: Mapping[str, int], undefined: int) -> str:
    """Return what was left out and why, as a list; one sentence when nothing was."""
    every = {**skipped, "nothing_relevant": max(undefined, skipped.get("nothing_relevant", 0))}
    lines = [f"{count:,} {text(_SKIPPED.get(why, why.replace('_', ' ')))}" for why, count in every.items() if count]
    if not lines:
        return "<p>Nothing was left out.</p>"
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"

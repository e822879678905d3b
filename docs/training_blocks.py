"""The tables of docs/training.md that come from benchmarks/results: losses, Omniglot, merged views."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["losses_block", "omniglot_block", "views_block"]

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
NOT_YET = "*Not measured yet: `make bench` does.*"


def losses_block() -> str:
    """Return what each loss reached on unseen classes, under one budget."""
    found = _found("losses")
    if found is None:
        return NOT_YET
    figures = found["figures"]
    lines = ["| loss | mAP | R@1 | rate | mAP on validation classes |", "|---|---|---|---|---|"]
    for line in sorted(figures["outcomes"], key=lambda each: -each["metrics"]["map"][0]):
        metrics = line["metrics"]
        lines.append(
            f"| `{line['loss']}` | {_ends(metrics['map'])} | {_ends(metrics['hit_rate@1'])} | {line['rate']:g} | "
            f"{line['validation']:.3f} |"
        )
    raw = figures["raw pixels"]
    lines.append(f"| raw pixels, not trained | {_ends(raw['map'])} | {_ends(raw['hit_rate@1'])} | | |")
    settings = figures["settings"]
    seeds = figures["outcomes"][0]["seeds"]
    return "\n".join(lines) + (
        f"\n\nEmoji of seven vendors at {settings['side']} pixels, {figures['classes']['all']} designs, of which "
        f"{figures['classes']['test']} ({figures['images']['test']} images) are for the test; `{settings['backbone']}`, "
        f"{settings['steps']} steps of {settings['batch']} images, rates {', '.join(f'{rate:g}' for rate in figures['tries'])} "
        f"times {settings['rate']:g}. Intervals are over {seeds} seeds (Student's t), those of raw pixels by class. Measured on "
        f"{found['date']} by `benchmarks/losses.py`."
    )


def omniglot_block() -> str:
    """Return 20-way 1-shot recognition on unseen alphabets."""
    found = _found("omniglot")
    if found is None:
        return NOT_YET
    figures = found["figures"]
    protocols = [name for name in figures if name.startswith(("within", "unstructured"))]
    names = list(figures[protocols[0]])
    lines = [f"| 20-way 1-shot, right | {' | '.join(protocols)} |", "|---|" + "---|" * len(protocols)]
    for name in names:
        lines.append(
            f"| {name} | {' | '.join(_ends(figures[each][name], digits=1, times=100) for each in protocols)} |"
        )
    split = figures["split"]
    return "\n".join(lines) + (
        f"\n\nPer cent, over {figures['episodes']} episodes, intervals bootstrapped by episode. Trained on {split['training']} "
        f"characters and their quarter turns, asked for {split['test']} of {', '.join(split['test alphabets'])}; the training took "
        f"{figures['minutes']} minutes on two cores. Measured on {found['date']} by `benchmarks/omniglot.py`, which takes the "
        "whole of Omniglot by `--data`: published figures (96.0 and more) are of 964 to 1,200 training characters."
    )


def views_block() -> str:
    """Return what merging several views of one object is worth."""
    found = _found("views_merge")
    if found is None:
        return NOT_YET
    lines = [
        "| vectors | views | one view | mean | GeM | set transformer | its gain over the mean |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, sizes in found["figures"].items():
        for views, ways in sizes.items():
            cells = [_ends(ways[way]["map"]) for way in ("one view", "mean", "gem", "set transformer")]
            gain = _ends(ways["set transformer"]["gain"], sign=True)
            lines.append(f"| {name} | {views.partition(' ')[0]} | {' | '.join(cells)} | {gain} |")
    return "\n".join(lines) + (
        f"\n\nmAP of finding the other photographs of a grocery, {found['n']} photographs in 50 fine classes; the set transformer "
        "learned from the other half of the classes, the mean of three seeds; intervals bootstrapped by class. Measured "
        f"on {found['date']} by `benchmarks/views_merge.py`."
    )


def _found(name: str) -> dict[str, Any] | None:
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _ends(values: Sequence[float], *, digits: int = 3, times: float = 1, sign: bool = False) -> str:
    form = f"{'+' if sign else ''}.{digits}f"
    value, low, high = (format(each * times, form) for each in values)
    return f"{value} [{low}, {high}]"

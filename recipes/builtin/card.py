"""The card of the model: from what export.py and measure.py found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["write_card"]

_KINDS = "kinds of photographs, groceries and clothes, colours and plain shapes"
_NAMES = {"map": "mAP", "hit_rate@1": "R@1"}


def write_card(folder: Path) -> None:
    """Write README.md of a model's folder from its description and, where they are, the figures of it and its words."""
    said = json.loads((folder / "lookalike.json").read_text(encoding="utf-8"))
    figures = folder / "figures.json"
    measured = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else {}
    words = folder / "words.json"
    read = json.loads(words.read_text(encoding="utf-8")) if words.is_file() else {}
    (folder / "README.md").write_text(_card(said, measured, read), encoding="utf-8")


def _card(said: Mapping[str, Any], measured: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    shape, training = said["shape"], said["training"]
    data = training["data"]
    rows = "\n".join(f"| {key} | {value:.3f} |" for key, value in training["validation"].items())
    return f"""# The network of builtin-2

Turns the content of a picture, framed at 128 x 128 pixels, into {said["dimension"]} numbers: {shape["shape"]} that say
who belongs with whom, {shape["meaning"]} that imitate two MobileNets. builtin-2 joins them to the handcrafted parts of
builtin-1.

## Training

Made by `recipes/builtin`, whose README says what it learned from, what was kept apart, and how to make it again:
{data["symbols"]} symbols (six of the emoji sets, logos, handwritten characters, clothes), {data["photos"]} photographs,
and made-up drawings without end. Stage: `{training["stage"]}`. Best at step {training["step"]}.
Pixels of the material, sha256: `{data["sha256"]}`.

Licences of what it learned from: emoji CC-BY-4.0 (Twemoji, FxEmojis), Apache-2.0 (Noto, Blobmoji), MIT (Fluent);
logos CC0 and MIT, the marks belong to their owners; Omniglot MIT; Fashion-MNIST MIT; Grocery Store MIT; photographs
CC-BY-4.0, CC-BY-2.0, MIT and public domain. The teachers' outputs: MobileNet v1 and v2, Apache-2.0.

## Figures

{_measured(measured)}mAP on validation classes, which were not trained on but chose this checkpoint, hence a little
too good:

| vector:set | mAP |
|---|---|
{rows}

{_words(words)}## Limits

It knows pictograms, and photographs like the few thousand that it saw; faces, documents and medical images it has
never seen. Photographs are squeezed to a square. For photographs of everything take a model of the hub, such as
`dinov2-small`.
"""


def _measured(measured: Mapping[str, Any]) -> str:
    """Return the tables of the held-out classes; nothing where nothing is measured."""
    if not measured:
        return ""
    embedders = list(next(iter(measured["sets"].values())))
    parts = ["On classes that nothing was trained on or chosen by, every picture searching the others of its set, with"]
    parts.append("intervals of 95% bootstrapped by class:\n")
    for metric, name in _NAMES.items():
        parts.append(f"| {name} | {' | '.join(embedders)} |")
        parts.append("|---" * (1 + len(embedders)) + "|")
        for called, found in measured["sets"].items():
            cells = [
                f"{x['value']:.3f} [{x['low']:.2f}, {x['high']:.2f}]"
                for x in (found[each][metric] for each in embedders)
            ]
            parts.append(f"| {called} | {' | '.join(cells)} |")
        parts.append("")
    times = ", ".join(f"{name} {value:.1f}" for name, value in measured["milliseconds"].items())
    parts.append(f"Milliseconds a picture of 128 x 128, one by one: {times}.\n\n")
    return "\n".join(parts)


def _words(words: Mapping[str, Any]) -> str:
    """Return what the words can do; nothing where the model has none."""
    if not words:
        return ""
    parts = [
        "## Words",
        "",
        f"`words.npz` ({words['bytes'] / 1e6:.1f} MB) leads words into the same space. Its world is small:",
        f"{words['vocabulary']} words of emoji names, brands, {_KINDS}.",
        "It does not understand sentences, and of words beyond these nothing. For words of every kind index with a",
        "model of the CLIP family: `--embedder clip-vit-base-patch32`.",
        "",
        "In how many of the names a right picture is among the first ten, with intervals of 95% over the names:",
        "",
        "| what | set | hit rate@10 | names | among pictures |",
        "|---|---|---|---|---|",
    ]
    for part, what in (("pictures", "learned names, held-out pictures"), ("names", "held-out names")):
        for name, x in words.get(part, {}).items():
            cell = f"{x['value']:.2f}"
            if x["low"] == x["low"]:  # of a single name there is none
                cell += f" [{x['low']:.2f}, {x['high']:.2f}]"
            parts.append(f"| {what} | {name} | {cell} | {x['names']} | {x['among']} |")
    return "\n".join([*parts, "", ""])

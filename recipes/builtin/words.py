"""Train the words of builtin-2: a small tower into the space of its pictures, which stay as they are.

    python recipes/builtin/words.py --data ../shared/data --model runs/builtin/model

Names that come with the sets, the colour that most of a picture has, and plain figures are contrasted with the vectors
of the pictures (Radford et al., 2021), which the finished embedder gives. It writes ``words.npz`` into the model's
folder, and what it measured on the held-out pictures and names into ``words.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from card import write_card
from drawings import COLOURS, SHAPES, named_drawing, rendered
from material import flat, found_pictures
from names import colour_of, names_of
from PIL import Image as Pillow
from torch import nn
from torch.nn import functional

from lookalike.embed.hybrid import hybrid, read_shares
from lookalike.embed.subwords import Subwords, pieces_of, words_of
from lookalike.evaluate.intervals import bootstrap_means
from lookalike.train.schedule import share
from lookalike.types import Image

__all__ = ["Called", "Tower", "main", "measured"]

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]

_BUCKETS, _EMBEDDING, _HIDDEN = 12_288, 96, 160
_FIGURES = 2500
_BATCH, _RATE, _TEMPERATURE = 512, 2e-3, 0.06
_UNSEEN = 5  # one in so many of the pictures of each known name is kept for measuring
_K = 10
_SAY_NOTHING = frozenset(words_of("a an and as at by for from in no not of on or over the to under up with without"))
_MOST = 150  # pictures of a class; more would outweigh the rest


@dataclass(frozen=True, slots=True)
class Called:
    """A picture's vector's place, and what it is called.

    Attributes:
        set: where it is from.
        names: the most exact first.
        colour: of most of it; None where there is none.
        part: ``learn``, ``pictures`` (held-out ones of known names) or ``names`` (held-out names).
    """

    set: str
    names: tuple[str, ...]
    colour: str | None
    part: str


class Tower(nn.Module):
    """What ``Subwords`` does, in torch.

    Args:
        dimension: of the pictures' vectors.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.buckets = nn.EmbeddingBag(_BUCKETS, _EMBEDDING, mode="sum")
        nn.init.normal_(self.buckets.weight, std=0.3)
        self.inner, self.outer = nn.Linear(_EMBEDDING, _HIDDEN), nn.Linear(_HIDDEN, dimension)

    def forward(self, texts: Sequence[str], dropped: float = 0.0) -> Any:
        """Return (B, D) unit rows.

        Args:
            texts: what is read.
            dropped: the part of the pieces that is left out by chance, so that no single one is relied upon.
        """
        pieces: list[int] = []
        weights: list[float] = []
        starts = []
        for text in texts:
            starts.append(len(pieces))
            words = words_of(text)
            for word in words:
                own = pieces_of(word, _BUCKETS)
                pieces += own
                weights += [1 / len(own) / len(words)] * len(own)
        factors = functional.dropout(torch.tensor(weights), dropped, training=dropped > 0)
        rows = self.buckets(torch.tensor(pieces), torch.tensor(starts), per_sample_weights=factors)
        return functional.normalize(self.outer(torch.relu(self.inner(rows))))

    def save(self, path: Path, vocabulary: Sequence[str]) -> None:
        """Write what ``Subwords`` reads."""
        state = {
            "buckets": self.buckets.weight,
            "inner": self.inner.weight.T,
            "inner_bias": self.inner.bias,
            "outer": self.outer.weight.T,
            "outer_bias": self.outer.bias,
        }
        arrays = {key: value.detach().numpy().astype(np.float16) for key, value in state.items()}
        text = np.frombuffer("\n".join(vocabulary).encode(), np.uint8)
        np.savez_compressed(path, vocabulary=text, **arrays)


def main() -> None:
    """Read, embed, train, measure."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="the folder that holds those of the sets")
    options.add_argument("--model", type=Path, required=True, help="what export.py wrote, with its shares")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--steps", type=int, default=2500)
    options.add_argument("--figures", type=int, default=_FIGURES)
    given = options.parse_args()
    rows, called = read(given.data, given.model, seed=given.seed, figures=given.figures)
    tower = trained(rows, called, seed=given.seed, steps=given.steps)
    learned = {word for each in called if each.part == "learn" for text in texts(each) for word in words_of(text)}
    vocabulary = sorted(learned - _SAY_NOTHING)
    tower.save(given.model / "words.npz", vocabulary)
    figures = measured(Subwords(given.model / "words.npz").embed, rows, called, seed=given.seed)
    figures["bytes"] = (given.model / "words.npz").stat().st_size
    figures["vocabulary"] = len(vocabulary)
    (given.model / "words.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    write_card(given.model)
    print(json.dumps(figures, indent=1))


def read(data: Path, model: Path, *, seed: int, figures: int) -> tuple[npt.NDArray[np.float32], list[Called]]:
    """Return the vectors of all pictures, (N, D), and what they are called."""
    embedder = hybrid(model / "model.onnx", read_shares(model), name="builtin-2")
    rng = np.random.default_rng(seed)
    called: list[Called] = []
    waiting: list[Image] = []
    rows: list[npt.NDArray[np.float32]] = []

    def take(pixels: Image, each: Called) -> None:
        called.append(each)
        waiting.append(pixels)
        if len(waiting) == 256:
            rows.append(embedder.embed(waiting))
            waiting.clear()

    seen: dict[tuple[str, str], int] = {}
    for found in found_pictures(data):
        names = names_of(found)
        count = seen[found.set, found.label] = seen.get((found.set, found.label), 0) + 1
        if not names or count > _MOST:
            continue
        pixels = flat(found.picture)
        part = "names" if found.part != "train" else "pictures" if _unseen(found.name) else "learn"
        take(pixels, Called(found.set, names, colour_of(pixels), part))
    for found in found_pictures(data, vendors_apart=True):
        part = "pictures" if found.part == "train" else "names"
        take(flat(found.picture), Called("openmoji", names_of(found), None, part))
    for number in range(figures):
        shape, colour = (list(some)[int(rng.integers(len(some)))] for some in (SHAPES, COLOURS))
        pixels = flat(Pillow.fromarray(rendered(named_drawing(shape, colour, rng), rng, true=True)))
        take(pixels, Called("figures", (shape,), colour, "pictures" if number % _UNSEEN == 0 else "learn"))
    if waiting:
        rows.append(embedder.embed(waiting))
    return np.concatenate(rows), called


def trained(rows: npt.NDArray[np.float32], called: Sequence[Called], *, seed: int, steps: int) -> Tower:
    """Return the tower after so many steps."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    known = np.array([at for at, each in enumerate(called) if each.part == "learn"])
    sets = np.array([called[at].set for at in known])
    # Small sets as often as the root of their size asks, so that none is drowned.
    chance = np.array([1 / np.sqrt((sets == each).sum()) for each in sets])
    chance /= chance.sum()
    vectors = torch.from_numpy(rows)
    tower = Tower(rows.shape[1])
    optimiser = torch.optim.AdamW(tower.parameters(), lr=_RATE, weight_decay=0.02)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * share(step, steps, warmup=0.03)
        at = rng.choice(known, _BATCH, p=chance)
        said = [one_of(called[place], rng) for place in at]
        names = [frozenset(texts(called[place])) for place in at]
        alike = torch.tensor([[text in each for each in names] for text in said])
        logits = tower(said, dropped=0.15) @ vectors[at].T / _TEMPERATURE
        loss = (_contrast(logits, alike) + _contrast(logits.T, alike.T)) / 2
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if step % 250 == 0:
            print(f"step {step}: {loss.item():.3f}", flush=True)
    return tower.eval()


def one_of(each: Called, rng: np.random.Generator) -> str:
    """Return one of the ways to say what a picture shows, by chance."""
    options = texts(each)
    exact = 0.5 if len(options) > 1 else 1.0
    return options[0] if rng.random() < exact else options[int(rng.integers(1, len(options)))]


def texts(each: Called) -> list[str]:
    """Return all ways to say what a picture shows."""
    plain = list(each.names)
    if each.colour is None:
        return plain
    colours = ("grey", "gray") if each.colour == "grey" else (each.colour,)
    return [*plain, *(f"{colour} {name}" for colour in colours for name in each.names), *colours]


def measured(embed: Embed, rows: npt.NDArray[np.float32], called: Sequence[Called], *, seed: int) -> dict[str, Any]:
    """Return, for each set, in how many of the names a right picture is among the first ten, with its interval.

    Of texts, ``embed`` gives the rows. ``pictures``: names that were learned, among all held-out pictures of them.
    ``names``: names that were not, among those and theirs.
    """
    shown = {
        "pictures": np.array([at for at, each in enumerate(called) if each.part == "pictures"]),
        "names": np.array([at for at, each in enumerate(called) if each.part != "learn"]),
    }
    found: dict[str, Any] = {}
    for part, base in shown.items():
        sets: dict[str, dict[str, list[int]]] = {}
        for place, at in enumerate(base):
            each = called[at]
            if each.part == part:
                name = f"{each.colour} {each.names[0]}" if each.set == "figures" else each.names[0]
                sets.setdefault(each.set, {}).setdefault(name, []).append(place)
        for name, wanted in sets.items():
            scores = embed(list(wanted)) @ rows[base].T
            first = np.argsort(-scores, axis=1, kind="stable")[:, :_K]
            hits = np.array(
                [[float(not set(right).isdisjoint(top))] for top, right in zip(first, wanted.values(), strict=True)]
            )
            value, low, high = (float(each[0]) for each in bootstrap_means(hits, seed=seed))
            said = {"value": value, "low": low, "high": high, "names": len(hits), "among": len(base)}
            found.setdefault(part, {})[name] = said
    return found


def _contrast(logits: Any, alike: Any) -> Any:
    """Return -log of the softmax of the right ones, averaged over them and then over the rows that have any."""
    chances = functional.log_softmax(logits, dim=1)
    count = alike.sum(dim=1)
    each = (chances * alike).sum(dim=1) / count.clamp(min=1)
    return -each[count > 0].mean()


def _unseen(name: str) -> bool:
    return int(hashlib.sha1(f"unseen {name}".encode()).hexdigest(), 16) % _UNSEEN == 0


if __name__ == "__main__":
    main()

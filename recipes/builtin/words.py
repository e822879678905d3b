"""The words of builtin-2: a small text tower in the space of a network that is trained already.

    python recipes/builtin/words.py --from runs/builtin --data ../shared/data --stage 2

writes ``words.npz`` (under 3 MB) into the model's folder and says how often a name finds its pictures. The network does
not change. Names are those that come with the data: of emoji by ``unicodedata``, of brands, kinds of photographs,
groceries and clothes, and colours and shapes of drawings that are made for it.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from compact import Compact, Shape
from drawings import COLOURS, SHAPES, named_drawing, rendered
from looks import network_rows
from material import SETS, Stored, part_of, read_material
from measure import read_pictures
from torch import nn

from lookalike.embed.handcrafted.canvas import Views, prepare
from lookalike.embed.handcrafted.network import network_input
from lookalike.embed.ngrams import Ngrams, buckets_of
from lookalike.evaluate.benchmarks import read_benchmark
from lookalike.evaluate.benchmarks.base import without_skin_tone
from lookalike.evaluate.intervals import bootstrap_means
from lookalike.train.schedule import share
from lookalike.train.seeding import generator, seed_step

__all__ = ["emoji_name", "main", "named"]

BUCKETS, WIDTH, HIDDEN = 16384, 96, 256
_STEPS, _BATCH, _RATE = 2500, 384, 2e-3
_DRAWN = 12  # pictures of each shape in each colour
_FASHION = {
    "T-shirt/top": ["t-shirt", "top"],
    "Ankle boot": ["ankle boot", "boot", "shoe"],
    "Sneaker": ["sneaker", "shoe"],
}

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Named:
    """Pictures and what each may be called; the first is its own name.

    Attributes:
        rows: (N, D) the network's vectors, both parts of unit norm.
        names: of each.
        sets: of each.
    """

    rows: Rows
    names: list[list[str]]
    sets: list[str]


def main() -> None:
    """Train the tower, write it, measure it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--from", dest="runs", type=Path, required=True, help="what train.py was given as --out")
    options.add_argument("--data", type=Path, required=True, help="the folder that holds those of the sets")
    options.add_argument("--stage", default="1", help="whose best weights the network has")
    options.add_argument("--out", type=Path, help="the model's folder; by default model/ beside the stages")
    options.add_argument("--steps", type=int, default=_STEPS)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--limit", type=int, default=0, help="as train.py had it")
    given = options.parse_args()
    network = Compact(Shape())
    network.load_state_dict(torch.load(given.runs / f"stage-{given.stage}" / "best.pt", weights_only=True)["network"])
    learned = training_pictures(network, given.data, given.runs / "cache", seed=given.seed, limit=given.limit)
    print(
        f"{len(learned.rows)} pictures with {len({name for some in learned.names for name in some})} names", flush=True
    )
    tower = trained(learned, steps=given.steps, seed=given.seed)
    folder: Path = given.out or given.runs / "model"
    folder.mkdir(parents=True, exist_ok=True)
    write(tower, folder / "words.npz")
    print(f"{folder / 'words.npz'}: {(folder / 'words.npz').stat().st_size / 1e6:.2f} MB", flush=True)
    words = Ngrams(folder / "words.npz")
    figures = measured(words, network, given.data, learned, seed=given.seed)
    (folder / "words.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")


# ---- names ----


def emoji_name(codepoints: str) -> str:
    """Return what Unicode calls a sequence such as ``1f468-200d-1f33e``, without joiners and variants."""
    left_out = ("ZERO WIDTH JOINER", "VARIATION SELECTOR", "COMBINING ENCLOSING KEYCAP", "EMOJI MODIFIER")
    named_ = [unicodedata.name(chr(int(each, 16)), "") for each in codepoints.split("-") if each]
    flag = "".join(name[-1] for name in named_ if name.startswith("REGIONAL INDICATOR SYMBOL LETTER"))
    if flag:
        return f"flag {flag}".lower()
    return " ".join(name for name in named_ if name and not name.startswith(left_out)).lower()


def named(set_: str, label: str, extra: Sequence[str] = ()) -> list[str]:
    """Return what a picture of a class may be called, its own name first."""
    if set_ == "emoji":
        name = emoji_name(label)
        plain = re.sub(r"\b(face with|sign|symbol|black|white heavy|heavy)\b", " ", name)
        return list(dict.fromkeys(each for each in (name, " ".join(plain.split())) if each))
    if set_ == "logos":
        return [label, f"{label} logo"]
    if set_ == "fashion":
        return _FASHION.get(label, [label.lower()])
    words = re.sub(r"[-_]", " ", label).lower()
    return [words, *dict.fromkeys(re.sub(r"[-_]", " ", each).lower() for each in extra)]


def training_pictures(network: Any, data: Path, cache: Path, *, seed: int, limit: int = 0) -> Named:
    """Return the pictures of the training classes, as they are, and drawings of one shape and colour."""
    material = read_material(data, cache, limit=limit)
    families = _groceries(data)
    names: list[list[str]] = []
    sets: list[str] = []
    pixels: list[npt.NDArray[np.uint8]] = []

    def take(stored: Stored, at: int, picture: npt.NDArray[np.uint8]) -> None:
        label = stored.class_names[stored.classes[at]].partition(":")[2]
        set_ = SETS[stored.sets[at]]
        names.append(named(set_, label, families.get(label, ())))
        sets.append(set_)
        pixels.append(picture)

    for at, picture in enumerate(material.symbols.pixels):
        if SETS[material.symbols.sets[at]] != "omniglot":  # characters of which we have no names
            take(material.symbols, at, _on_white(picture))
    for at, picture in enumerate(material.photos.pixels):
        take(material.photos, at, picture)
    for shape in SHAPES:
        for colour in COLOURS:
            for number in range(_DRAWN):
                rng = generator(seed, 91, number, *map(ord, shape + colour))
                pixels.append(_on_white(rendered(named_drawing(shape, colour, rng), rng, true=True)))
                names.append([f"{colour} {shape}", shape, colour] if number % 2 else [f"{colour} {shape}"])
                sets.append("drawings")
    return Named(rows_of(network, pixels), names, sets)


def rows_of(network: Any, pictures: Sequence[npt.NDArray[np.uint8]]) -> Rows:
    """Return (N, D), both vectors of the network of unit norm, of decoded pictures."""
    found = []
    for at in range(0, len(pictures), 64):
        views = Views([prepare(each) for each in pictures[at : at + 64]])
        rows = network_rows(network, network_input(views), "cpu")
        found.append(np.concatenate([rows["shape"], rows["meaning"]], axis=1))
    return np.concatenate(found)


# ---- the tower ----


class Tower(nn.Module):
    """The mean of the rows of a text's pieces, then two layers."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(BUCKETS, WIDTH, mode="mean")
        nn.init.normal_(self.table.weight, std=0.3)
        self.first = nn.Linear(WIDTH, HIDDEN)
        self.second = nn.Linear(HIDDEN, dimension)
        self.temperature = nn.Parameter(torch.tensor(2.5))  # e ** 2.5 = 12 times the cosine

    def forward(self, pieces: Any, starts: Any) -> Any:
        """Return (B, D), not scaled, of texts that begin at ``starts`` (B,) of all their pieces (P,)."""
        return self.second(torch.relu(self.first(self.table(pieces, starts))))


def trained(learned: Named, *, steps: int, seed: int) -> Tower:
    """Return the tower after the contrast of pictures and names: each finds the other in a batch, in both ways.

    Texts that are the same count as one another's. Source: Radford et al., CLIP, ICML 2021, section 2.3; Zhai et al.,
    LiT, CVPR 2022, for pictures that stay as they are.
    """
    seed_step(seed, 1 << 28)
    tower = Tower(learned.rows.shape[1])
    optimiser = torch.optim.AdamW(
        [
            {"params": [tower.table.weight], "weight_decay": 0.0, "share": 3.0},
            {"params": [each for name, each in tower.named_parameters() if name != "table.weight"], "share": 1.0},
        ],
        weight_decay=0.05,
    )
    rows = torch.from_numpy(learned.rows)
    chances = _evenly(learned)
    pieces = {name: buckets_of(name, BUCKETS) or [0] for some in learned.names for name in some}
    for step in range(steps):
        rng = generator(seed, 92, step)
        for group in optimiser.param_groups:
            group["lr"] = _RATE * group["share"] * share(step, steps, warmup=0.05)
        at = rng.choice(len(rows), min(_BATCH, len(rows)), p=chances)
        texts = [learned.names[int(each)][int(rng.integers(len(learned.names[int(each)])))] for each in at]
        dropped = [_some(pieces[text], rng) for text in texts]
        made = tower(*_packed(dropped))
        text_rows = _unit(made, Shape().shape)
        scores = text_rows @ rows[at].T * tower.temperature.exp()
        number = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        kinds = torch.tensor([number[text] for text in texts])
        alike = (kinds[:, None] == kinds[None]).float()
        wanted = alike / alike.sum(dim=1, keepdim=True)
        loss = (
            -(wanted * scores.log_softmax(dim=1)).sum(dim=1).mean()
            - (wanted * scores.T.log_softmax(dim=1)).sum(dim=1).mean()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % 250 == 0:
            print(f"{step + 1} loss {loss.item():.3f}", flush=True)
    return tower


def write(tower: Tower, path: Path) -> None:
    """Write the table in int8 with a scale for each row, the layers in float16."""
    table = tower.table.weight.detach().numpy()
    scales = np.maximum(np.abs(table).max(axis=1), 1e-6) / 127
    layers = {
        "first": tower.first.weight.T,
        "first_bias": tower.first.bias,
        "second": tower.second.weight.T,
        "second_bias": tower.second.bias,
    }
    np.savez_compressed(
        path,
        table=np.rint(table / scales[:, None]).astype(np.int8),
        scales=scales.astype(np.float16),
        lengths=np.array([Shape().shape, Shape().meaning]),
        **{name: value.detach().numpy().astype(np.float16) for name, value in layers.items()},
    )


# ---- figures ----


def measured(words: Ngrams, network: Any, data: Path, learned: Named, *, seed: int) -> dict[str, Any]:
    """Return the hit rate at 10 of names: held-out pictures of known names (OpenMoji's), and held-out names.

    A name searches all pictures of its task; it hits when one of the first ten is of its class. Intervals draw names.
    """
    known = {name for some in learned.names for name in some}
    tasks: dict[str, tuple[list[str], Rows]] = {}
    whole = read_benchmark("emoji", data / "emoji", part="all")
    pictures = read_pictures(whole)
    truth = whole.runs[0].truth
    open_ = [at for at, name in enumerate(truth.names) if name.startswith("openmoji/")]
    learnable = [at for at in open_ if emoji_name(truth.text(at)) in known and part_of(truth.text(at)) == "train"]
    tasks["emoji, known names, other pictures"] = (
        [emoji_name(truth.text(at)) for at in learnable],
        rows_of(network, [pictures[truth.names[at]] for at in learnable]),
    )
    for set_ in ("emoji", "logos", "photos", "grocery"):
        material = read_benchmark(set_, data / set_)
        found = read_pictures(material)
        truth = material.runs[0].truth
        names = [name for name in truth.names if name in found]
        labels = dict(zip(truth.names, map(truth.text, range(len(truth.names))), strict=True))
        called = [
            named(set_, without_skin_tone(labels[name]) if set_ == "emoji" else labels[name])[0] for name in names
        ]
        tasks[f"{set_}, held-out names"] = (called, rows_of(network, [found[name] for name in names]))
    out = {}
    for task, (called, rows) in tasks.items():
        texts = list(dict.fromkeys(called))
        scores = words.rows(texts) @ rows.T
        first = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        hits = np.array(
            [[float(any(called[place] == text for place in places))] for text, places in zip(texts, first, strict=True)]
        )
        chance = 1 - (1 - 1 / len(texts)) ** 10
        mean, low, high = bootstrap_means(hits, np.arange(len(texts)), macro=False, resamples=1000, seed=seed)
        out[task] = {"hit_rate@10": float(mean[0]), "low": float(low[0]), "high": float(high[0]), "names": len(texts)}
        print(
            f"{task}: {mean[0]:.3f} [{low[0]:.3f}, {high[0]:.3f}] of {len(texts)} names, about {chance:.2f} by chance",
            flush=True,
        )
    return out


def _groceries(data: Path) -> dict[str, tuple[str, ...]]:
    with (data / "grocery" / "labels.csv").open(newline="", encoding="utf-8") as file:
        return {row["fine"]: (row["coarse"], row["family"]) for row in csv.DictReader(file)}


def _on_white(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    alpha = picture[..., 3:].astype(np.uint16)
    return ((picture[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)


def _evenly(learned: Named) -> npt.NDArray[np.float64]:
    """Return (N,) chances by which every set comes as often as the root of its size says."""
    sets = np.array(learned.sets)
    counts = {name: int((sets == name).sum()) for name in set(learned.sets)}
    weights = np.array([counts[name] ** -0.5 for name in learned.sets])
    return np.asarray(weights / weights.sum())


def _some(pieces: list[int], rng: np.random.Generator) -> list[int]:
    """Leave out some pieces, so that no single one is leant upon."""
    kept = [piece for piece in pieces if rng.random() > 0.2]
    return kept or pieces


def _packed(texts: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    lengths = [len(each) for each in texts]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return torch.tensor([piece for each in texts for piece in each]), torch.from_numpy(starts)


def _unit(rows: Any, first: int) -> Any:
    """Scale both parts to unit norm, as the network's are."""
    parts = rows.split([first, rows.shape[1] - first], dim=1)
    return torch.cat([nn.functional.normalize(part) for part in parts], dim=1)


if __name__ == "__main__":
    main()

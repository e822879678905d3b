"""Omniglot: 20-way 1-shot recognition of characters from alphabets that the network has never seen.

A trial shows 20 characters once each, and asks which of them another drawing is: the most alike by cosine. Protocols:

- `within an alphabet` (Lake et al., Science 2015; Koch et al., 2015): an episode takes one alphabet, 20 of its
  characters and two drawers; each drawing of the one is looked for among the 20 of the other. Alphabets with fewer
  are left out.
- `unstructured` (Vinyals et al., 2016; Snell et al., 2017): an episode takes 20 characters of all test alphabets, and
  two drawings of each by any drawers. `with rotations` counts each quarter turn as a character of its own, as the
  code of prototypical networks does; `upright` does not.

The network is `lookalike train`'s own, from random weights, on the other alphabets and their quarter turns (each a
class); no test alphabet takes part in any choice. It is asked through the ONNX file. Beside it: raw pixels (28 x 28,
mean taken off) and `hog`. Intervals are 95%, bootstrapped by episode: of what other episodes would give, not other
alphabets.

`--data FOLDER` with `images_background` and `images_evaluation` is the whole of Omniglot: 30 alphabets to train on,
20 to test within; `unstructured` then takes the 423 test characters of Vinyals' split, the last ones in order, while
the training keeps to the 964 of the background (that split's has 1,200). Without it, the two small sets of
`../shared/data` are used: five alphabets to train on, three to test.
"""

from __future__ import annotations

import io
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from harness import SHARED, flagged, write_result
from lookalike.embed import create
from lookalike.evaluate.intervals import bootstrap_means
from lookalike.train import Progress, Settings, read_samples, train

Floats = npt.NDArray[np.float32]
Drawings = dict[tuple[str, str], list[Pillow.Image]]  # (alphabet, character) -> by drawer

TEST = ("Balinese", "Early_Aramaic", "Sanskrit")  # of the two small sets
WAYS = 20
TURNS = (0, 90, 180, 270)
VINYALS_TEST = 423  # characters
SETTINGS = Settings(
    backbone="timm:test_resnet?weights=none",
    side=32,
    dimensions=128,
    loss="supcon",
    batch=64,
    per_class=4,
    steps=1500,
    rate=3e-3,
    ema=0.99,
    augment="light",
    flip=False,  # the mirror of a character is another one
    validation=0.0,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """Vectors of the test drawings: (characters, drawers, D) of each turn, and the alphabet of each character."""

    vectors: Mapping[int, Floats]
    alphabets: npt.NDArray[np.str_]


def main() -> None:
    """Train, ask, and write what came out."""
    options = flagged(
        __doc__ or "", {"--data": "folder with images_background and images_evaluation", "--model": "trained before"}
    )
    training, test = read(options.data)
    print(f"{len(training)} characters to train on, {len(test)} to test", flush=True)
    settings = replace(SETTINGS, steps=20, seed=options.seed) if options.quick else replace(SETTINGS, seed=options.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        model = options.model or learn(training, Path(temporary), settings)
        minutes = (time.monotonic() - began) / 60
        embedders: dict[str, Any] = {"trained": create(str(model)), "hog": create("hog"), "raw pixels": None}
        shown = {name: embedded(test, embedder) for name, embedder in embedders.items()}
    episodes = 20 if options.quick else 1000
    figures: dict[str, Any] = {}
    for protocol in ("within an alphabet", "unstructured, upright", "unstructured, with rotations"):
        drawn = list(draw(protocol, shown["hog"], episodes, options.seed, whole=options.data is not None))
        figures[protocol] = {name: accuracy(each, drawn, options.seed) for name, each in shown.items()}
        for name, (value, low, high) in figures[protocol].items():
            print(f"{protocol:30} {name:12} {value:.1%} [{low:.1%}, {high:.1%}]", flush=True)
    figures |= {
        "split": {"training": len(training), "test": len(test), "test alphabets": sorted({key[0] for key in test})},
        "settings": {name: value for name, value in settings.to_json().items() if value != getattr(Settings(), name)},
        "minutes": None if options.model else round(minutes, 1),
        "episodes": episodes,
    }
    write_result("omniglot", __doc__ or "", figures, n=episodes, seed=options.seed, quick=options.quick)


def read(data: Path | None) -> tuple[Drawings, Drawings]:
    """Return the characters to train on, and those to test on."""
    if data is not None:
        parts = [
            dict(sorted(gathered(files(data / f"images_{part}")).items())) for part in ("background", "evaluation")
        ]
        return parts[0], parts[1]
    folder = SHARED / "data" / "omniglot"
    both = gathered(file for number in (1, 2) for file in members(folder / f"images_background_small{number}.zip"))
    test = {key: drawings for key, drawings in sorted(both.items()) if key[0] in TEST}
    return {key: drawings for key, drawings in sorted(both.items()) if key[0] not in TEST}, test


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".png"):
                yield name, archive.read(name)


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.png")):
        yield path.as_posix(), path.read_bytes()


def gathered(found: Any) -> Drawings:
    """Return the drawings by character; one that stands in both small sets counts once."""
    by_drawer: dict[tuple[str, str], dict[str, Pillow.Image]] = {}
    for name, data in found:
        alphabet, character, file = name.split("/")[-3:]
        drawer = re.sub(r".*_|\.png", "", file)
        image = Pillow.open(io.BytesIO(data)).convert("L")
        by_drawer.setdefault((alphabet, character), {})[drawer] = image
    return {key: [drawings[drawer] for drawer in sorted(drawings)] for key, drawings in by_drawer.items()}


def learn(training: Drawings, folder: Path, settings: Settings) -> Path:
    """Train as a user would: from a folder for each class."""
    for (alphabet, character), drawings in training.items():
        for turn in TURNS:
            place = folder / "images" / f"{alphabet}-{character}-{turn}"
            place.mkdir(parents=True)
            for drawer, image in enumerate(drawings):
                image.rotate(turn, fillcolor=255).save(place / f"{drawer:02}.png")

    def note(progress: Progress) -> None:
        if progress.step % 100 == 0:
            said = f"step {progress.step}, loss {progress.loss:.3f}, {progress.images_per_second:.0f} images/s"
            print(said, flush=True)

    return train(read_samples([folder / "images"]), folder / "model", settings, on_progress=note).folder


def embedded(test: Drawings, embedder: Any) -> Shown:
    """Return the vectors of every test drawing, in every turn."""
    vectors = {}
    for turn in TURNS:
        pictures = [image.rotate(turn, fillcolor=255) for drawings in test.values() for image in drawings]
        vectors[turn] = rows_of(pictures, embedder).reshape(len(test), len(pictures) // len(test), -1)
    return Shown(vectors, np.array([alphabet for alphabet, _ in test]))


def rows_of(pictures: list[Pillow.Image], embedder: Any) -> Floats:
    if embedder is None:
        small = [np.asarray(each.resize((28, 28), Pillow.Resampling.BILINEAR), np.float32).ravel() for each in pictures]
        rows = np.stack(small)
        rows -= rows.mean(axis=1, keepdims=True)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    arrays = [np.asarray(each.convert("RGB")) for each in pictures]
    return np.concatenate([embedder.embed(arrays[at : at + 64]) for at in range(0, len(arrays), 64)])


def draw(
    protocol: str, shown: Shown, episodes: int, seed: int, *, whole: bool
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]]:
    """Yield episodes, the same for every embedder: (20,) characters, turns, drawers that are shown, that ask."""
    rng = np.random.default_rng(seed)
    characters, drawers = next(iter(shown.vectors.values())).shape[:2]
    names, counts = np.unique(shown.alphabets, return_counts=True)
    large = names[counts >= WAYS]
    allowed = np.arange(characters)[-VINYALS_TEST if whole else 0 :]
    for _ in range(episodes):
        turns = np.zeros(WAYS, np.int64)
        if protocol == "within an alphabet":
            chosen = rng.choice(np.flatnonzero(shown.alphabets == rng.choice(large)), WAYS, replace=False)
            pair = rng.choice(drawers, 2, replace=False)
            yield chosen, turns, np.full(WAYS, pair[0]), np.full(WAYS, pair[1])
            continue
        if protocol.endswith("upright"):
            chosen = rng.choice(allowed, WAYS, replace=False)
        else:
            of = rng.choice(len(allowed) * len(TURNS), WAYS, replace=False)
            chosen, turns = allowed[of // len(TURNS)], np.array(TURNS)[of % len(TURNS)]
        pairs = np.stack([rng.choice(drawers, 2, replace=False) for _ in range(WAYS)])
        yield chosen, turns, pairs[:, 0], pairs[:, 1]


def accuracy(shown: Shown, drawn: list[Any], seed: int) -> list[float]:
    """Return the share of right answers, and its interval."""
    right = np.empty(len(drawn))
    for at, (chosen, turns, first, second) in enumerate(drawn):
        support, asked = (
            np.stack([shown.vectors[turn][c, d] for c, turn, d in zip(chosen, turns, drawers, strict=True)])
            for drawers in (first, second)
        )
        right[at] = ((asked @ support.T).argmax(axis=1) == np.arange(WAYS)).mean()
    mean, low, high = bootstrap_means(right[:, None], np.arange(len(drawn)), seed=seed)
    return [round(float(value[0]), 4) for value in (mean, low, high)]


if __name__ == "__main__":
    main()

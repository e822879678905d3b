"""What pictures are called in the recipe of the built-in words, and that the tower written is the tower trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "builtin"


@pytest.fixture(autouse=True)
def _recipe_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(RECIPE))


@pytest.mark.parametrize(
    ("set_", "label", "called", "names"),
    [
        ("emoji", "1f34e", (), ("red apple",)),
        ("emoji", "1f1e9-1f1ea", (), ("flag de",)),
        ("emoji", "1f468-200d-1f33e", (), ("man ear of rice",)),  # as Unicode names its parts
        ("emoji", "2764-fe0f", (), ("heavy black heart",)),
        ("photos", "water_lilly", (), ("water lilly",)),
        ("photos", "mixed", (), ()),
        ("grocery", "Royal-Gala", ("Apple", "Fruit"), ("royal gala apple", "apple", "fruit")),
        ("grocery", "Red-Pear", ("Pear", "Fruit"), ("red pear", "pear", "fruit")),
        ("logos", "google-chrome", (), ("google chrome logo", "google chrome")),
        ("fashion", "T-shirt/top", (), ("t shirt", "top")),
        ("omniglot", "Greek/character01", (), ("handwritten character", "greek letter")),
    ],
)
def test_names(set_: str, label: str, called: tuple[str, ...], names: tuple[str, ...]) -> None:
    from material import Found
    from names import names_of

    assert names_of(Found(set_, "x", label, "train", Image.new("RGB", (1, 1)), called)) == names


def test_colours() -> None:
    from names import colour_of

    ground = np.full((64, 64, 3), 255, np.uint8)
    assert colour_of(ground) is None
    for colour, ink in {
        "red": (210, 30, 35),
        "blue": (50, 100, 220),
        "yellow": (255, 215, 60),
        "black": (9, 9, 9),
    }.items():
        picture = ground.copy()
        picture[16:48, 16:48] = ink
        assert colour_of(picture) == colour
    halves = ground.copy()
    halves[:20], halves[20:40], halves[40:60] = (210, 30, 35), (50, 100, 220), (60, 160, 60)
    assert colour_of(halves) is None  # no colour has most of it


def test_a_named_drawing_has_the_colour_of_its_name() -> None:
    from drawings import COLOURS, named_drawing, rendered
    from material import flat
    from names import colour_of

    rng = np.random.default_rng(0)
    colours = [colour for colour in COLOURS for _ in range(8)]
    drawn = [flat(Image.fromarray(rendered(named_drawing("circle", each, rng), rng, true=True))) for each in colours]
    assert np.mean([colour_of(pixels) == each for pixels, each in zip(drawn, colours, strict=True)]) > 0.8


@pytest.mark.torch
def test_the_tower_that_is_written_is_the_one_that_was_trained(tmp_path: Path) -> None:
    import torch
    from words import Tower

    from lookalike.embed.subwords import Subwords

    torch.manual_seed(0)
    tower = Tower(30).eval()
    tower.save(tmp_path / "words.npz", ["a", "b"])
    texts = ["red apple", "a", "grinning face with smiling eyes"]
    with torch.no_grad():
        expected = tower(texts).numpy()
    assert np.abs(Subwords(tmp_path / "words.npz").embed(texts) - expected).max() < 2e-3  # float16


@pytest.mark.torch
def test_the_words_learn_what_the_vectors_say() -> None:
    """Vectors of four directions, two colours and two shapes: a name that was never seen whole is put together."""
    from words import Called, measured, trained

    axes = {"red": 0, "blue": 1, "circle": 2, "square": 3}
    rng = np.random.default_rng(0)
    rows, called = [], []
    for number in range(600):
        colour, shape = ("red", "blue")[number % 2], ("circle", "square")[number // 2 % 2]
        row = rng.normal(0, 0.1, 16)
        row[axes[colour]] += 1
        row[axes[shape]] += 1
        rows.append(row / np.linalg.norm(row))
        unseen = (colour, shape) == ("blue", "square")
        called.append(Called("figures", (shape,), colour, "names" if unseen else "learn"))
    found = np.array(rows, np.float32)
    tower = trained(found, called, seed=0, steps=60)
    said = tower(["blue square"]).detach().numpy()[0]
    kinds = np.array([f"{each.colour} {each.names[0]}" for each in called])
    best = kinds[np.argsort(-(found @ said))[:100]]
    assert (best == "blue square").mean() > 0.5  # a quarter by chance
    assert (
        measured(lambda texts: tower(texts).detach().numpy(), found, called, seed=0)["names"]["figures"]["value"] == 1.0
    )

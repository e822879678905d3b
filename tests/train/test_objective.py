"""Which loss fits which labels, as the documentation's table says, and what a loss is given of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.errors import BadInput
from lookalike.evaluate.truth.base import LabelSets, Pairs
from lookalike.train import Settings
from lookalike.train.samples import Samples
from lookalike.train.targets import Labels

pytestmark = pytest.mark.torch

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"
IDS = tuple(f"{at}.png" for at in range(4))
TRIPLETS = np.array([[0, 1, 2], [0, 2, 3]], np.int64)

# The first words of a line of the table -> labels of this kind
KINDS: dict[str, Samples] = {
    "one class an image": Samples(names=IDS, sources=IDS, labels=LabelSets.of([["a"], ["a"], ["b"], ["b"]])),
    "several labels an image": Samples(names=IDS, sources=IDS, labels=LabelSets.of([["a", "b"], ["a"], ["b"], ["c"]])),
    "pairs that belong together": Samples(names=IDS, sources=IDS, pairs=Pairs.of([(0, 1, 1.0), (2, 3, 1.0)])),
    "pairs and pairs that do not": Samples(names=IDS, sources=IDS, pairs=Pairs.of([(0, 1, 1.0), (0, 2, 0.0)])),
    "triplets": Samples(
        names=IDS, sources=IDS, pairs=Pairs.of([(0, 1, 1.0), (0, 2, 1.0), (0, 3, 0.0)]), triplets=TRIPLETS
    ),
    "nothing": Samples(names=IDS, sources=IDS),
}


def table() -> dict[str, str]:
    """Return what the documentation says: kind of labels -> the loss that auto takes."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("| what you have"))
    found: dict[str, str] = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.replace("a|b", "a b").strip("|").split("|")]
        found[cells[0]] = cells[-1]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_auto_follows_the_documentation(kind: str) -> None:
    from lookalike.train.objective import Objective, loss_for

    samples = KINDS[kind]
    labels = Labels(samples, views=2 if samples.kind == "none" else 1)
    assert table()[kind].startswith(f"`{loss_for(Settings(), labels)}`")
    Objective(Settings(), labels, dimension=8)  # which these labels can feed


def test_every_kind_of_labels_has_its_line() -> None:
    assert {*KINDS, "a better, larger model"} == set(table())


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_triplets_that_were_said_are_those_that_count() -> None:
    import torch

    from lookalike.train.objective import Objective

    labels = Labels(KINDS["triplets"])
    rows = np.random.default_rng(0).normal(size=(4, 5))
    margin = 3.0  # so wide that no triplet is left out
    objective = Objective(Settings(loss_options={"margin": margin}), labels, dimension=5)
    found = float(objective(torch.tensor(rows), labels.batch([3, 2, 1, 0])))
    vectors = unit(rows[::-1])  # by image
    terms = [
        margin + np.linalg.norm(vectors[a] - vectors[p]) - np.linalg.norm(vectors[a] - vectors[n])
        for a, p, n in TRIPLETS
    ]
    assert found == pytest.approx(np.mean(terms), rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": "arcface"}, "needs one class for each image, but these have triplets"),
        ({"miner": "hard"}, "miner 'hard' needs a class"),
        ({"memory": 8}, "memory of earlier batches needs a class"),
    ],
)
def test_what_triplets_cannot_feed_is_refused(settings: dict[str, Any], words: str) -> None:
    from lookalike.train.objective import Objective

    with pytest.raises(BadInput, match=words):
        Objective(Settings(**settings), Labels(KINDS["triplets"]), dimension=5)


def test_prefixes_weights_and_what_a_pooling_wants_beside_add_up() -> None:
    import torch

    from lookalike.train.losses import create_loss
    from lookalike.train.objective import Objective

    labels = Labels(KINDS["one class an image"])
    settings = Settings(loss="contrastive+multi-similarity:0.5", matryoshka=(2, 3), dimensions=5)
    objective = Objective(settings, labels, dimension=5, auxiliary=7)
    rng = np.random.default_rng(2)
    rows, beside = torch.tensor(rng.normal(size=(4, 5)), dtype=torch.float32), rng.normal(size=(4, 7))
    classes = torch.tensor([0, 0, 1, 1])
    total = 0.0
    for length in (2, 3, 5):
        for name, weight in (("contrastive", 1.0), ("multi-similarity", 0.5)):
            total += weight / 3 * float(create_loss(name, classes=2, dimension=length)(rows[:, :length], classes))
    batch = labels.batch([0, 1, 2, 3])
    assert float(objective(rows, batch)) == pytest.approx(total, rel=1e-5)

    weights, shift = (each.detach().numpy() for each in objective.auxiliary.parameters())  # type: ignore[union-attr]
    logits = beside @ weights.T + shift
    entropy = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(4), classes.numpy()]
    found = float(objective(rows, batch, torch.tensor(beside, dtype=torch.float32)).detach())
    assert found == pytest.approx(total + 0.5 * entropy.mean(), rel=1e-5)

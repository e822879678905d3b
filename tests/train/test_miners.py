"""Every miner chooses what its line in the table says: the same pairs as loops over distances."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from lookalike.train.miners import MINERS, create_miner

pytestmark = pytest.mark.torch

CLASSES = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3])  # the last has nothing that is alike
COUNT = len(CLASSES)


def rows(seed: int = 0, dimension: int = 6) -> Any:
    made = np.random.default_rng(seed).normal(size=(COUNT, dimension))
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def chosen(name: str, vectors: Any) -> tuple[set[tuple[int, ...]], ...]:
    """Return the triplets, or the alike and the other pairs, that a miner chooses."""
    import torch

    found = [part.tolist() for part in create_miner(name)(torch.tensor(vectors), torch.tensor(CLASSES))]
    if len(found) == 3:
        return (set(zip(*found, strict=True)),)
    return set(zip(*found[:2], strict=True)), set(zip(*found[2:], strict=True))


def of(anchor: int) -> tuple[list[int], list[int]]:
    """Return who is alike to an image, and who is not."""
    others = [at for at in range(COUNT) if at != anchor]
    alike = [at for at in others if CLASSES[at] == CLASSES[anchor]]
    return alike, [at for at in others if CLASSES[at] != CLASSES[anchor]]


def expected(name: str, vectors: Any) -> tuple[set[tuple[int, ...]], ...]:
    far = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    score = vectors @ vectors.T
    triplets: set[tuple[int, ...]] = set()
    alike: set[tuple[int, ...]] = set()
    others: set[tuple[int, ...]] = set()
    for a in range(COUNT):
        same, not_same = of(a)
        nearest = min(not_same, key=lambda n: far[a, n])
        if name in ("all-triplets", "semi-hard"):
            gaps = {(a, p, n): far[a, n] - far[a, p] for p in same for n in not_same}
            triplets |= {t for t, gap in gaps.items() if gap <= 0.2 and (name == "all-triplets" or gap > 0)}
        elif name == "hard" and same:
            triplets.add((a, max(same, key=lambda p: far[a, p]), nearest))
        elif name == "easy-positive" and same:
            p = min(same, key=lambda p: far[a, p])
            further = [n for n in not_same if far[a, n] > far[a, p]]
            if further:
                alike.add((a, p))
                others.add((a, min(further, key=lambda n: far[a, n])))
        elif name == "hard-negative":
            alike |= {(a, p) for p in same}
            others.add((a, nearest))
        elif name == "hard-positive":
            alike |= {(a, max(same, key=lambda p: far[a, p]))} if same else set()
            others |= {(a, n) for n in not_same}
        elif name == "multi-similarity" and same:
            alike |= {(a, p) for p in same if score[a, p] - 0.1 < max(score[a, n] for n in not_same)}
            others |= {(a, n) for n in not_same if score[a, n] + 0.1 > min(score[a, p] for p in same)}
    return (triplets,) if triplets else (alike, others)


@pytest.mark.parametrize("name", sorted(set(MINERS) - {"distance-weighted"}))
@pytest.mark.parametrize("seed", [0, 1])
def test_it_chooses_what_loops_choose(name: str, seed: int) -> None:
    vectors = rows(seed)
    aim = expected(name, vectors)
    assert all(aim)
    assert chosen(name, vectors) == aim


def test_the_miners_differ() -> None:
    made = [chosen(name, rows()) for name in sorted(set(MINERS) - {"distance-weighted"})]
    assert all(made.count(each) == 1 for each in made)


def test_distance_weighted_draws_negatives_by_how_rare_their_distance_is() -> None:
    # q(d) of points on a sphere in D dimensions is d^(D-2) (1 - d^2 / 4)^((D-3)/2): Wu et al., 2017, eq. 2 and 3.
    import torch

    torch.manual_seed(0)
    dimension, draws = 6, 4000
    vectors = rows(3, dimension)
    far = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    _, not_same = of(0)
    near = [n for n in not_same if far[0, n] < 1.4]
    assert 2 < len(near) < len(not_same)
    weight = {
        n: 1 / (max(far[0, n], 0.5) ** (dimension - 2) * (1 - max(far[0, n], 0.5) ** 2 / 4) ** ((dimension - 3) / 2))
        for n in near
    }
    miner, classes, given = create_miner("distance-weighted"), torch.tensor(CLASSES), torch.tensor(vectors)
    seen: Counter[int] = Counter()
    for _ in range(draws):
        for a, p, n in zip(*(part.tolist() for part in miner(given, classes)), strict=True):
            assert CLASSES[a] == CLASSES[p] != CLASSES[n]
            if a == 0:
                seen[n] += 1
    total = sum(seen.values())
    assert total >= draws
    for n in not_same:
        assert seen[n] / total == pytest.approx(weight.get(n, 0.0) / sum(weight.values()), abs=0.02)

"""Losses of our own equal naive loops, PML's are reached by their names, and every one of them separates classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lookalike.errors import BadInput, UnknownName
from lookalike.train.losses import LOSSES, create_loss, parse_losses

pytestmark = pytest.mark.torch

if TYPE_CHECKING:
    import numpy.typing as npt

CLASSES, DIMENSION = 4, 6


def batch(seed: int = 0, count: int = 12) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, DIMENSION)), np.arange(count) % CLASSES


def value(loss: Any, vectors: npt.NDArray[np.float64], labels: Any) -> float:
    import torch

    return float(loss(torch.tensor(vectors), torch.as_tensor(labels)).detach())


def unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def double(name: str, **options: Any) -> Any:
    import torch

    torch.manual_seed(3)
    return create_loss(name, classes=CLASSES, dimension=DIMENSION, options=options).double()


def cross_entropy(logits: npt.NDArray[np.float64], label: int) -> float:
    return math.log(sum(math.exp(x - logits[label]) for x in logits))


@pytest.mark.parametrize("m", [(1.0, 0.0, 0.0), (1.0, 0.5, 0.0), (1.0, 0.0, 0.35), (1.35, 0.0, 0.0), (2.0, 0.3, 0.1)])
def test_the_angular_margin_equals_a_loop(m: tuple[float, float, float]) -> None:
    loss = double("angular-margin", m1=m[0], m2=m[1], m3=m[2], scale=10.0)
    vectors, labels = batch()
    weights = unit(loss.W.detach().numpy())
    total = 0.0
    for vector, label in zip(unit(vectors), labels, strict=True):
        logits = weights @ vector
        angle = m[0] * math.acos(logits[label]) + m[1]
        turns = math.floor(angle / math.pi)
        logits[label] = (-1) ** turns * math.cos(angle) - 2 * turns - m[2]
        total += cross_entropy(10 * logits, label)
    assert value(loss, vectors, labels) == pytest.approx(total / len(labels), rel=1e-6)


def test_sphereface_falls_beyond_pi() -> None:
    # psi of SphereFace, eq. 7, with m = 4 falls from 1 at angle 0 to (-1)^3 cos(4 pi) - 6 = -7 at pi.
    import torch

    loss = create_loss("angular-margin", classes=2, dimension=2, options={"m1": 4.0, "scale": 1.0}).double()
    with torch.no_grad():
        loss.W.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64))
    seen = []
    for angle in np.linspace(0.01, 3.13, 60):
        vector = np.array([[math.cos(angle), -math.sin(angle)]])  # away from the second class
        other = -math.sin(angle)
        # loss = log(1 + exp(other - true)), so true = other - log(exp(loss) - 1)
        seen.append(other - math.log(math.expm1(value(loss, vector, [0]))))
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == pytest.approx(math.cos(0.04), abs=1e-4)
    assert seen[-1] == pytest.approx(-math.cos(4 * 3.13) - 6, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "theirs", "options"),
    [
        ("arcface", "ArcFaceLoss", {"margin": math.degrees(0.5), "scale": 30}),
        ("cosface", "CosFaceLoss", {"margin": 0.35, "scale": 30}),
    ],
)
def test_the_cases_of_the_angular_margin_are_those_of_pml(name: str, theirs: str, options: dict[str, float]) -> None:
    import torch
    from pytorch_metric_learning import losses

    ours = double(name)
    oracle = getattr(losses, theirs)(CLASSES, DIMENSION, **options).double()
    with torch.no_grad():
        oracle.W.copy_(ours.W.T)  # PML keeps (D, C)
    vectors, labels = batch(5)
    # PML's ArcFace changes its form beyond pi - margin: angles of this batch stay below.
    angles = np.arccos((unit(vectors) @ unit(ours.W.detach().numpy()).T)[np.arange(len(labels)), labels])
    assert (angles < math.pi - 0.5).all()
    assert value(ours, vectors, labels) == pytest.approx(value(oracle, vectors, labels), rel=1e-6)


def test_quadruplet_equals_a_loop() -> None:
    vectors, labels = batch(1, 10)
    points = unit(vectors)
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    first, second = [], []
    count = len(labels)
    for a in range(count):
        for p in range(count):
            if a == p or labels[a] != labels[p]:
                continue
            first += [squared[a, p] - squared[a, n] + 0.2 for n in range(count) if labels[n] != labels[a]]
            if a < p:
                second += [
                    squared[a, p] - squared[n, m] + 0.1
                    for n in range(count)
                    for m in range(n + 1, count)
                    if labels[n] != labels[m] and labels[a] not in (labels[n], labels[m])
                ]
    expected = sum(np.mean([term for term in terms if term > 0]) for terms in (first, second))
    assert value(double("quadruplet"), vectors, labels) == pytest.approx(expected, rel=1e-6)


def test_quadruplet_takes_pairs_in_place_of_classes() -> None:
    import torch

    vectors, labels = batch(2, 8)
    same = labels[:, None] == labels[None]
    np.fill_diagonal(same, False)
    pairs = (*np.nonzero(same), *np.nonzero(labels[:, None] != labels[None]))
    loss = double("quadruplet", second=0.0)
    given = float(loss(torch.tensor(vectors), None, tuple(torch.from_numpy(each) for each in pairs)))
    assert math.isfinite(given)
    assert given > 0


def test_graded_is_the_supervised_contrastive_loss_where_labels_are_equal_or_not() -> None:
    vectors, labels = batch(3)
    overlap = (labels[:, None] == labels[None]).astype(np.float64)
    ours = value(double("graded", temperature=0.2), vectors, overlap)
    theirs = value(create_loss("supcon", classes=0, dimension=0, options={"temperature": 0.2}), vectors, labels)
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_graded_equals_a_loop_and_leaves_out_what_is_unknown() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(7, DIMENSION))
    overlap = np.triu(rng.choice([0, 0.25, 0.5, 1, np.nan], size=(7, 7)), 1)
    overlap = overlap + overlap.T
    overlap[6], overlap[:, 6] = 0, 0  # has nothing in common with any
    points = unit(vectors)
    losses = []
    for i in range(7):
        known = [j for j in range(7) if j != i and not np.isnan(overlap[i, j])]
        total = sum(overlap[i, j] for j in known)
        if total == 0:
            continue
        scores = {j: points[i] @ points[j] / 0.1 for j in known}
        norm = math.log(sum(math.exp(score) for score in scores.values()))
        losses.append(sum(overlap[i, j] / total * (norm - scores[j]) for j in known))
    assert value(double("graded"), vectors, overlap) == pytest.approx(np.mean(losses), rel=1e-6)


def test_graded_of_nothing_in_common_is_zero_with_a_gradient() -> None:
    import torch

    vectors = torch.randn(4, DIMENSION, requires_grad=True)
    loss = double("graded")(vectors, torch.eye(4))
    loss.backward()
    assert float(loss.detach()) == 0
    assert vectors.grad is not None


def test_greedy_hash_equals_its_algorithm() -> None:
    loss = double("greedyhash", penalty=0.3)
    vectors, labels = batch(6)
    signs = np.where(vectors >= 0, 1.0, -1.0)
    logits = signs @ loss.classifier.weight.detach().numpy().T
    expected = np.mean([cross_entropy(row, label) for row, label in zip(logits, labels, strict=True)])
    expected += 0.3 * np.mean(np.abs(vectors - signs) ** 3)
    assert value(loss, vectors, labels) == pytest.approx(expected, rel=1e-9)


def test_greedy_hash_passes_the_gradient_of_the_sign_unchanged() -> None:
    import torch

    loss = double("greedyhash", penalty=0.0)
    vectors, labels = batch(7)
    given = torch.tensor(vectors, requires_grad=True)
    loss(given, torch.as_tensor(labels)).backward()
    signs = torch.where(given >= 0, 1.0, -1.0).double().detach().requires_grad_()
    torch.nn.functional.cross_entropy(loss.classifier(signs), torch.as_tensor(labels)).backward()
    np.testing.assert_allclose(given.grad, signs.grad)


def test_proxy_nca_equals_a_loop() -> None:
    loss = double("proxy-nca", scale=2.0)
    vectors, labels = batch(8)
    points, proxies = 2 * unit(vectors), 2 * unit(loss.proxies.detach().numpy())
    total = 0.0
    for point, label in zip(points, labels, strict=True):
        near = [math.exp(-((point - proxy) ** 2).sum()) for proxy in proxies]
        total += -math.log(near[label] / sum(x for c, x in enumerate(near) if c != label))
    assert value(loss, vectors, labels) == pytest.approx(total / len(labels), rel=1e-6)


def test_the_siamese_loss_over_cosines_equals_a_loop() -> None:
    vectors, labels = batch(9)
    scores = unit(vectors) @ unit(vectors).T
    count = len(labels)
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    alike = [1 - scores[i, j] for i, j in pairs if labels[i] == labels[j]]
    others = [max(0.0, scores[i, j] - 0.5) for i, j in pairs if labels[i] != labels[j]]
    expected = np.mean(alike) + np.mean([x for x in others if x > 0] or [0])
    assert value(double("contrastive"), vectors, labels) == pytest.approx(expected, rel=1e-5)


def test_smooth_ap_equals_a_loop_and_true_ap_where_the_temperature_is_small() -> None:
    from sklearn.metrics import average_precision_score

    vectors, labels = batch(10, 11)  # classes of 3 and 2 images
    scores = unit(vectors) @ unit(vectors).T
    count = len(labels)
    for temperature in (0.1, 1e-5):
        losses = []
        for i in range(count):
            positives = [j for j in range(count) if j != i and labels[j] == labels[i]]
            total = 0.0
            for j in positives:
                above = {
                    k: 1 / (1 + math.exp(min((scores[i, j] - scores[i, k]) / temperature, 700))) for k in range(count)
                }
                among = 1 + sum(above[k] for k in positives if k != j)
                total += among / (1 + sum(above[k] for k in range(count) if k not in (i, j)))
            losses.append(1 - total / len(positives))
        found = value(double("smooth-ap", temperature=temperature), vectors, labels)
        assert found == pytest.approx(np.mean(losses), rel=1e-6)
    others = [np.delete(np.arange(count), i) for i in range(count)]
    true = np.mean([average_precision_score(labels[o] == labels[i], scores[i, o]) for i, o in enumerate(others)])
    assert found == pytest.approx(1 - true, rel=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_separates_the_classes_of_free_vectors(name: str) -> None:
    import torch

    torch.manual_seed(0)
    labels = torch.arange(8).repeat(2) if name == "n-pairs" else torch.arange(24) % CLASSES
    free = torch.randn(len(labels), 16, requires_grad=True)
    # One centre a class, or a few vectors have a centre each; and a margin, or nothing pulls once they are told apart.
    known: dict[str, dict[str, Any]] = {"soft-triple": {"centers_per_class": 1}, "angular-margin": {"m2": 0.3}}
    options = known.get(name)
    loss = create_loss(name, classes=8 if name == "n-pairs" else CLASSES, dimension=16, options=options)
    optimiser = torch.optim.Adam([free, *loss.parameters()], lr=0.05)
    overlap = (labels[:, None] == labels[None]).float()
    given = overlap if LOSSES[name].needs == "overlap" else labels

    def right() -> float:
        """Return the share of vectors whose nearest other one is of their class."""
        rows = torch.nn.functional.normalize(free.detach())
        nearest = (rows @ rows.T).fill_diagonal_(-2).argmax(dim=1)
        return float((labels[nearest] == labels).float().mean())

    assert right() < 0.5
    for _ in range(200):
        optimiser.zero_grad()
        found = loss(free, given)
        assert torch.isfinite(found)
        found.backward()
        optimiser.step()
    assert right() > 0.95


def test_names_options_and_weights_are_checked() -> None:
    with pytest.raises(UnknownName, match="arcfase"):
        parse_losses("arcfase")
    with pytest.raises(BadInput, match="above 0"):
        parse_losses("triplet:-1")
    assert parse_losses("proxy-nca+++triplet:0.5") == [("proxy-nca++", 1.0), ("triplet", 0.5)]
    assert parse_losses("arcface + softmax:2") == [("arcface", 1.0), ("softmax", 2.0)]
    with pytest.raises(BadInput, match="has no option 'margn'") as failed:
        create_loss("triplet", classes=2, dimension=4, options={"margn": 1})
    assert "Did you mean 'margin'" in failed.value.hint
